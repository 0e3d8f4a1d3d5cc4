"""The tables that a run leaves for people and spreadsheets: one line per row, whatever the values hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from audiogrid.core.atomic_files import write_text


def escaped(value: str) -> str:
    r"""``value`` on one line without tabs: ``\t``, ``\n``, ``\r`` and ``\\`` stand for what they name.

    What else cannot be printed is spelt as Python would: a file name is never changed into another one.
    """
    value = value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in value)


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table with a header, tabs between its cells; ``None`` is an empty cell, values are ``escaped``."""
    lines = [columns, *([escaped("" if value is None else str(value)) for value in row] for row in rows)]
    write_text(path, "".join("\t".join(line) + "\n" for line in lines))
