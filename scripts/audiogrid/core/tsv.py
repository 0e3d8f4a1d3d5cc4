"""Writes and reads the tab-separated tables of a run: one line per row, whatever characters the values contain."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

from audiogrid.core.atomic_files import write_atomically
from audiogrid.core.secrets import masked

_ESCAPE = re.compile(r"\\(?:([\\tnr])|x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))")
_SHORT = {"\\": "\\", "t": "\t", "n": "\n", "r": "\r"}


def escape_cell(value: str) -> str:
    r"""Returns ``value`` on one line without tabs: these become ``\t``, ``\n``, ``\r`` and ``\\``.

    Other characters that cannot be printed are escaped as Python does, so that two values never look the same.
    """
    if value.isprintable() and "\\" not in value:
        return value
    value = value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in value)


def unescape_cell(cell: str) -> str:
    """Inverse of ``escape_cell``. A backslash that begins no escape stays: a person may have typed it."""

    def char(found: re.Match[str]) -> str:
        short, *codes = found.groups()
        if short:
            return _SHORT[short]
        code = int(next(code for code in codes if code), 16)
        return chr(code) if code <= 0x10FFFF else found[0]

    return _ESCAPE.sub(char, cell)


def read_table(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Returns the columns of a table that ``write_table`` wrote, and its rows, by column; a missing cell is empty.

    Raises ``OSError`` when it cannot be read and ``ValueError`` when it is not UTF-8.
    """
    lines = path.read_text(encoding="utf-8-sig").split("\n")
    columns, *cells = [[unescape_cell(cell) for cell in line.split("\t")] for line in lines if line] or [[]]
    return columns, [dict(zip(columns, [*row, *[""] * len(columns)], strict=False)) for row in cells]


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table with a header and tabs between its cells. Values are escaped; ``None`` is an empty cell.

    Tables of runs are published: passwords and signatures in addresses are masked. Rows are written one by one.
    """

    def fill(file: BinaryIO) -> None:
        file.write(("\t".join(columns) + "\n").encode())
        file.writelines(map(table_line, rows))

    write_atomically(path, fill)


def table_line(row: Sequence[object]) -> bytes:
    """Returns a row as ``write_table`` writes it, with its line feed."""
    return ("\t".join(_cell("" if value is None else str(value)) for value in row) + "\n").encode()


def _cell(value: str) -> str:
    # Paths of local files stay as they are.
    return escape_cell(masked(value) if "://" in value else value)
