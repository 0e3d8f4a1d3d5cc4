"""Makes dataclasses from JSON objects and ignores fields that this version does not know.

A later version may add optional fields to a document without raising its schema number; this version still reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

T = TypeVar("T")

_names: dict[Any, frozenset[str]] = {}


def from_known_fields(kind: type[T], raw: Mapping[str, Any]) -> T:
    """Returns a ``kind`` made from the fields of ``raw`` that it knows. Raises ``TypeError`` when one is missing."""
    if kind not in _names:
        _names[kind] = frozenset(entry.name for entry in fields(kind))  # type: ignore[arg-type]
    names = _names[kind]
    if raw.keys() <= names:
        return kind(**raw)
    return kind(**{name: value for name, value in raw.items() if name in names})
