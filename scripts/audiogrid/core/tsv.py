"""Writes the tab-separated tables of a run: one line per row, whatever characters the values contain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from audiogrid.core.atomic_files import write_text
from audiogrid.core.secrets import masked


def escape_cell(value: str) -> str:
    r"""Returns ``value`` on one line without tabs: these become ``\t``, ``\n``, ``\r`` and ``\\``.

    Other characters that cannot be printed are escaped as Python does, so that two values never look the same.
    """
    value = value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in value)


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table with a header and tabs between its cells. Values are escaped; ``None`` is an empty cell.

    Tables of runs are published: passwords and signatures in addresses are masked.
    """
    lines = [columns, *([_cell("" if value is None else str(value)) for value in row] for row in rows)]
    write_text(path, "".join("\t".join(line) + "\n" for line in lines))


def _cell(value: str) -> str:
    # Paths of local files stay as they are.
    return escape_cell(masked(value) if "://" in value else value)
