"""Small files that sum up a larger one, and count only as long as that is the file that they were made from.

A sum lies beside its file or anywhere else; the job that writes the file writes its sum after it. A job that is killed
in between leaves a file without a sum, and whoever needs it makes it again: every sum can be made from its file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import msgspec

from audiogrid.core.atomic_files import write_bytes
from audiogrid.core.json_values import from_json, to_json

T = TypeVar("T")

SCHEMA = 1


def identity(path: Path) -> list[int]:
    """Returns what a file is known by: its size and the time of its last change. Raises ``OSError``."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def write_sum(path: Path, source: list[int], value: Any) -> None:
    """Write ``value`` (a dataclass) as the sum of a file. ``source``: the ``identity`` of what was summed up."""
    write_bytes(path, msgspec.json.encode({"schema": SCHEMA, "of": source, "sum": to_json(value)}) + b"\n")


def read_sum(kind: type[T], path: Path, source: list[int]) -> T | None:
    """Returns the sum in ``path``; ``None`` where there is none of the file with this ``identity``, or it is damaged.

    A clock that was set back does not matter: times are compared for equality only.
    """
    try:
        raw = msgspec.json.decode(path.read_bytes())
        if raw["schema"] != SCHEMA or raw["of"] != source:
            return None
        return from_json(kind, raw["sum"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
