"""Finds and reads reference texts: named in a table, or beside the recording."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audiogrid.core.atomic_files import read_json
from audiogrid.core.errors import InputError

# Other .txt files beside a recording may be notes or transcripts of another program.
SUFFIXES = (".ref.txt", ".reference.txt")
_TIME_LINE = re.compile(r"^\s*(\d+\s*$|[\d:.,]+\s*-->.*)")


def find_reference(recording: Mapping[str, Any]) -> Path | None:
    """Returns the file with the true text of a recording (an entry of ``probe.json``), or ``None``.

    ``talk.mp3`` has its own in ``talk.ref.txt``, ``talk.reference.txt`` or ``talk.mp3.ref.txt`` beside it.
    """
    if recording.get("reference"):
        return Path(recording["reference"])
    path = Path(recording["path"])
    for suffix in SUFFIXES:
        for name in (path.stem + suffix, path.name + suffix):
            beside = path.with_name(name)
            if beside.is_file():
                return beside
    return None


def read_reference(path: Path) -> str:
    """Returns the text of a reference file; subtitles (.srt, .vtt) lose their numbers and times.

    Raises ``InputError`` when it cannot be read.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError(
            f"the reference {path} cannot be read ({error.strerror}): check the path in the table"
        ) from None
    except UnicodeDecodeError:
        raise InputError(f"the reference {path} is not UTF-8 text: save it as UTF-8") from None
    if path.suffix.lower() in (".srt", ".vtt"):
        lines = [line for line in text.splitlines() if not _TIME_LINE.match(line) and not line.startswith("WEBVTT")]
        text = re.sub(r"<[^>]*>", "", "\n".join(lines))
    return text


def references_stamp(probe: Path) -> str:
    """Returns a hash that changes when a reference is added, removed or changed; empty without references."""
    try:
        recordings = read_json(probe)["recordings"]
    except (OSError, ValueError, KeyError):
        return ""
    digest = hashlib.sha256()
    for recording in recordings:
        found = find_reference(recording)
        if found is not None:
            try:
                facts = found.stat()
                seen = f"{facts.st_size} {facts.st_mtime_ns}"
            except OSError as error:
                seen = type(error).__name__
            digest.update(f"{recording['recording']} {found} {seen}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:32]
