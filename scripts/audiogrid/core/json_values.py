"""Turns dataclasses into JSON values and back: the one mechanism for documents that pass between stages.

A later version may add optional fields to a document without raising its schema number; this version still reads it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from audiogrid.core.atomic_files import read_json
from audiogrid.core.errors import InputError

T = TypeVar("T")


class DocumentError(InputError, ValueError):
    """A file is not a document of its kind: damaged, edited by hand or of another version."""


def to_json(value: Any) -> Any:
    """Returns a dataclass as plain values that ``json.dumps`` takes, with the fields in their order.

    Also takes whatever holds dataclasses. Bytes become base64.
    """
    return msgspec.to_builtins(value, enc_hook=_plain_scalar)


def readable_json(value: Any) -> bytes:
    """Returns plain values as JSON for people and programs: indented, keys in their order, a final newline.

    The indented JSON of the standard library takes ten times as long, which tells where there are 10,000 files.
    """
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"


def _plain_scalar(value: Any) -> Any:
    """Returns a number or string of a derived type, such as numpy's ``float64``, as one of the plain type."""
    for plain in (float, int, str):
        if isinstance(value, plain):
            return plain(value)
    raise TypeError(f"{type(value).__name__} is not a JSON value")


def from_json(kind: type[T], raw: Any) -> T:
    """Returns a ``kind`` (a dataclass, or a list or dict of them) made from a JSON value. Unknown fields are ignored.

    Raises ``ValueError`` where a field is missing or has another type; it says which.
    """
    return msgspec.convert(raw, kind)


def read_document(kind: type[T], path: Path, upgrade: Callable[[Any], Any] = lambda raw: raw) -> T:
    """Returns the document in a JSON file. Raises ``OSError``, and ``DocumentError`` where it is not a ``kind``.

    ``upgrade``: from the JSON value of any version to that of the present one; raises ``ValueError`` if it cannot.
    """
    try:
        return from_json(kind, upgrade(read_json(path)))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(path, error) from error


def damaged(path: Path, error: Exception) -> DocumentError:
    """Returns the error that says what to do about a file that is not a document of its kind."""
    return DocumentError(
        f"{path} cannot be read ({error}): it is damaged or from another version of audiogrid; delete it and run again"
    )
