"""Columns of a table that are reserved for settings, whether or not they have an effect yet, and their values.

A table may have had such a column for a purpose of its own. Its values would change meaning with an upgrade, so a
value that cannot be such a setting rejects the row and says how to rename the column.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from audiogrid.core.language_codes import AUTO
from audiogrid.core.visible import is_file


def _is_count(value: str) -> bool:
    found = re.fullmatch(r"([1-9]\d{0,2})(?:\s*-\s*([1-9]\d{0,2}))?", value)
    return found is not None and int(found[1]) <= int(found[2] or found[1])


#: Reserved columns: name and the values they may have, in words. docs/recordings.md lists them (``make docs``).
RESERVED = {
    "speakers": "number of speakers: `none`, `auto`, a number, or a range such as `2-4`",
    "rttm": "a file that says who speaks when",
    "text": "a file with the text that is spoken (txt, srt, vtt, docx)",
    "priority": "a whole number: recordings with a higher one are transcribed first; 0 for those without",
}
#: Those that name a file, relative to the table's folder.
FILE_COLUMNS = frozenset({"rttm", "text"})
_TESTS: dict[str, Callable[[str], bool]] = {
    "speakers": lambda value: value in ("none", AUTO) or _is_count(value),
    "priority": lambda value: re.fullmatch(r"[+-]?\d{1,9}", value) is not None,
}


def reserved_column_problem(values: Mapping[str, str], resolve: Callable[[str], str]) -> str | None:
    """Returns why a row is rejected for its reserved columns, without a final stop; ``None`` if nothing is wrong.

    ``values``: cells by column name in lower case; ``resolve``: makes a path of a cell.
    """
    for name, meaning in RESERVED.items():
        value = values.get(name, "").strip()
        if not value:
            continue
        fits = _TESTS[name](value.lower()) if name in _TESTS else is_file(Path(resolve(value)))
        if not fits:
            plain = meaning.replace("`", "")
            return f"{name} is {value!r}, but this column is reserved for {plain}: rename the column, to my_{name} say"
    return None
