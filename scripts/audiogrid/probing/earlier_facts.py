"""Facts and ids of an earlier probe, so that a file that has not changed is not opened again.

A file counts as unchanged if its path, size, modification time (in nanoseconds) and inode are the same. One that was
copied over, or moved into the place of another, has another inode, even if its size and time are those of the file
before. Only a program that writes into the file, as long as before, and then sets its time back goes unnoticed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from audiogrid.media.audio_tracks import AUTO, TrackWish

Asked = tuple[str, TrackWish, str | None]
"""What is asked of a file: path, wanted tracks, and the language that decides between equal ones."""

# Raised whenever the same file would give other facts than before. Ids of entries with an earlier one are kept.
CACHE_SCHEMA = 2
# In place of a language, where a file has one track only.
_ANY = "*"


class _Facts(msgspec.Struct):
    size: int
    mtime_ns: int
    duration: int
    audio_tracks: int = 0
    inode: int = 0
    version: int = 0


class _Entry(msgspec.Struct):
    path: str
    facts: _Facts
    schema: int = 0
    recording: str = ""
    wish: tuple[str, ...] = ()
    language: str | None = None


class _RawFacts(msgspec.Struct):
    facts: msgspec.Raw


@dataclass(frozen=True, slots=True)
class Remembered:
    """What tells whether a file has changed, and where its facts lie in the file of the last probe."""

    size: int
    mtime_ns: int
    inode: int
    version: int
    start: int
    end: int

    def fits(self, state: tuple[int, int, int] | None) -> bool:
        """Returns whether a file of this size, time and inode (0: not known) is the same."""
        if state is None or state[:2] != (self.size, self.mtime_ns):
            return False
        # Facts of earlier versions have no inode.
        return state[2] == self.inode or 0 in (state[2], self.inode)


class RememberedFacts:
    """The facts in the file of the last probe (JSON lines). Little of each is in memory as an object."""

    def __init__(self, cache: Path | None) -> None:
        self._data = _read(cache)
        self._found: dict[Asked, Remembered] = {}
        for entry, start, end in _entries(self._data):
            if entry.schema == CACHE_SCHEMA:
                facts = entry.facts
                single = facts.audio_tracks == 1 and entry.wish == (AUTO,)
                place = Remembered(facts.size, facts.mtime_ns, facts.inode, facts.version, start, end)
                self._found[entry.path, entry.wish, _ANY if single else entry.language] = place

    def known(self, asked: Asked) -> Remembered | None:
        """Returns facts of an earlier probe. Where a file has a single track, its language changed nothing."""
        facts = self._found.get(asked)
        if facts is None and asked[1] == (AUTO,):
            facts = self._found.get((asked[0], (AUTO,), _ANY))
        return facts

    def line(self, facts: Remembered) -> bytes:
        """Returns facts as JSON."""
        return bytes(msgspec.json.decode(self._data[facts.start : facts.end], type=_RawFacts).facts)


def known_ids(cache: Path | None) -> dict[str, str]:
    """Returns path -> id of the last probe, so that new files do not rename earlier ones."""
    return {entry.path: entry.recording for entry, _, _ in _entries(_read(cache)) if entry.recording}


def _read(cache: Path | None) -> bytes:
    try:
        return b"" if cache is None else cache.read_bytes()
    except OSError:
        return b""


def _entries(data: bytes) -> Iterator[tuple[_Entry, int, int]]:
    """Yields the entries with their places. Damaged lines are skipped."""
    decoder = msgspec.json.Decoder(_Entry)
    start = 0
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        entry = None
        with suppress(ValueError):
            entry = decoder.decode(data[start:end])
        if entry is not None:
            yield entry, start, end
        start = end + 1
