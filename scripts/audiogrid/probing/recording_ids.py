"""Ids of recordings: file stems made safe for file names, and unique."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_LONGEST = 100
# Names that stay as they are, which is most of them.
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}")
_KEPT = frozenset("._-")
# Formats whose files have a second part in their names (FORMATS and those to come).
_SECOND_PARTS = "audacity|ohms|labelstudio"


def safe_id(stem: str) -> str:
    """Returns ``stem`` as a name that is safe in shells, paths and chunk names.

    Letters, marks and digits of any script and ``. _ -`` stay, everything else becomes ``_``. The result is in
    NFC, has no dash or dot in front, is not empty and has at most 100 bytes of UTF-8.
    """
    if _PLAIN.fullmatch(stem) and "." not in stem:
        return stem
    composed = unicodedata.normalize("NFC", stem)
    name = "".join(char if char in _KEPT or unicodedata.category(char)[0] in "LMN" else "_" for char in composed)
    name = re.sub(r"^[-.]+", lambda lead: "_" * len(lead.group()), name)
    # "talk.audacity.txt" is a file of "talk", not the text of "talk.audacity".
    name = re.sub(rf"\.({_SECOND_PARTS})$", r"_\1", name, flags=re.IGNORECASE)
    # "call.c1" is how the second channel of "call" is called in names of chunks.
    name = re.sub(r"\.(c\d+)$", r"_\1", name)
    return _shorten(name, _LONGEST) or "recording"


def _shorten(name: str, size: int) -> str:
    return name.encode()[:size].decode(errors="ignore")


@dataclass(frozen=True)
class Named:
    """A file that needs an id. ``wish``: the id its table or its stem suggests; ``explicit``: a table gives it."""

    path: str
    wish: str
    explicit: bool


def assign_ids(files: Iterable[Named], known: Mapping[str, str]) -> list[str]:
    """Returns one id per file, in order; ids that differ only in case count as equal.

    Ids given in a table are assigned first, then ids that a path had in an earlier run (``known``: path -> id), then
    stems. A file whose id is taken gets a suffix derived from its path.
    """
    waiting = list(files)
    ids = [""] * len(waiting)
    taken: set[str] = set()

    def claim(index: int, name: str) -> bool:
        key = name.casefold()
        if ids[index] or key in taken:
            return False
        ids[index] = name
        taken.add(key)
        return True

    for index, file in enumerate(waiting):
        if file.explicit:
            claim(index, safe_id(file.wish))
    for index, file in enumerate(waiting):
        if file.path in known and not file.explicit:
            claim(index, known[file.path])
    for index, file in enumerate(waiting):
        name = safe_id(file.wish)
        if ids[index] or claim(index, name):
            continue
        digest = hashlib.sha256(file.path.encode()).hexdigest()
        for length in range(6, len(digest) + 1):
            if claim(index, f"{_shorten(name, _LONGEST - 1 - length)}-{digest[:length]}"):
                break
    return ids
