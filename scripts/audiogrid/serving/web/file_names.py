"""Names of uploaded files: data that clients send, never paths."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

from audiogrid.probing.recording_ids import safe_id

_LONGEST = 200
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")


def shown_name(given: str) -> str:
    """Returns the name of a file as a transcript shows it: without folders and characters that control terminals."""
    name = re.split(r"[\\/]", given)[-1]
    kept = "".join(char for char in name if unicodedata.category(char)[0] != "C").strip()
    return kept.encode()[:_LONGEST].decode(errors="ignore") or "recording"


def free_name(given: str, taken: Collection[str]) -> str:
    """Returns the name under which a file is stored beside those that are ``taken``."""
    name = stored_name(given)
    while name in taken:
        name = f"_{name}"
    return name


def stored_name(given: str) -> str:
    """Returns the name under which a file is stored: an id that is safe in paths, and its suffix if that is plain."""
    name = shown_name(given)
    stem, dot, suffix = name.rpartition(".")
    if not stem or not _SUFFIX.fullmatch(dot + suffix):
        stem, suffix = name, ""
    return safe_id(stem) + (f".{suffix.lower()}" if suffix else "")
