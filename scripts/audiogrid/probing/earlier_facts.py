"""Facts and ids of an earlier probe, so that a file that has not changed is not opened again.

A file counts as unchanged if its path, size, modification time (in nanoseconds) and inode are the same. One that was
copied over, or moved into the place of another, has another inode, even if its size and time are those of the file
before. Only a program that writes into the file, as long as before, and then sets its time back goes unnoticed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from audiogrid.media.audio_tracks import AUTO, TrackWish
from audiogrid.probing.collecting import collections_paused

Asked = tuple[str, TrackWish, str | None]
"""What is asked of a file: path, wanted tracks, and the language that decides between equal ones."""

T = TypeVar("T")

# Raised whenever the same file would give other facts than before. Ids of entries with an earlier one are kept.
CACHE_SCHEMA = 3
# In place of a language, where a file has one track only.
_ANY = "*"


class _Facts(msgspec.Struct, gc=False):
    size: int
    mtime_ns: int
    duration: int
    audio_tracks: int = 0
    inode: int = 0
    version: int = 0


class _Refused(msgspec.Struct, gc=False):
    size: int
    mtime_ns: int
    inode: int
    reason: str
    by: str


class _Entry(msgspec.Struct, gc=False):
    path: str
    facts: _Facts | None = None
    refused: _Refused | None = None
    schema: int = 0
    recording: str = ""
    wish: tuple[str, ...] = ()
    language: str | None = None


class _RawFacts(msgspec.Struct):
    facts: msgspec.Raw


class Remembered(msgspec.Struct, gc=False):
    """What tells whether a file has changed, and the line with its facts: in which file, and where.

    ``recording``: its id; ``reason``: why it is rejected, empty where it is not.
    """

    size: int
    mtime_ns: int
    inode: int
    version: int
    recording: str
    reason: str
    file: int
    start: int
    end: int

    def fits(self, state: tuple[int, int, int] | None) -> bool:
        """Returns whether a file of this size, time and inode (0: not known) is the same."""
        if state is None or state[:2] != (self.size, self.mtime_ns):
            return False
        # Facts of earlier versions have no inode.
        return state[2] == self.inode or 0 in (state[2], self.inode)


@lru_cache(maxsize=1)
def judge() -> str:
    """Returns which versions look at files: what one of them rejects, another may accept."""
    from importlib.metadata import version

    from audiogrid import __version__

    return f"audiogrid {__version__}, av {version('av')}"


class RememberedFacts:
    """The facts in the file of the last probe (JSON lines), and in files of parts. Little of each is an object."""

    @collections_paused()
    def __init__(self, cache: Path | None, parts: Sequence[Path] = ()) -> None:
        self._data: list[bytes] = []
        self._found: dict[Asked, Remembered] = {}
        # Ids of entries whose facts are of no use.
        self._other_ids: dict[str, str] = {}
        by = judge()
        for number, path in enumerate([cache, *parts]):
            self._data.append(_read(path))
            for entry, start, end in _entries(self._data[-1], _Entry):
                self._add(entry, (number, start, end), by)

    def _add(self, entry: _Entry, place: tuple[int, int, int], by: str) -> None:
        if entry.schema == CACHE_SCHEMA and entry.facts is not None:
            facts = entry.facts
            state = facts.size, facts.mtime_ns, facts.inode
            single = facts.audio_tracks == 1 and entry.wish == (AUTO,)
            asked = entry.path, entry.wish, _ANY if single else entry.language
            if place[0] and (earlier := self._found.get(asked)) is not None and earlier.recording:
                # A part, whose entries have no ids.
                if (earlier.size, earlier.mtime_ns, earlier.inode) == state:
                    return
                self._other_ids[entry.path] = earlier.recording
            self._found[asked] = Remembered(*state, facts.version, entry.recording, "", *place)
        elif entry.schema == CACHE_SCHEMA and entry.refused is not None:
            if entry.refused.by == by:
                refused = entry.refused
                found = Remembered(refused.size, refused.mtime_ns, refused.inode, 0, "", refused.reason, *place)
                self._found[entry.path, entry.wish, entry.language] = found
        elif entry.recording:
            self._other_ids[entry.path] = entry.recording

    def known(self, asked: Asked) -> Remembered | None:
        """Returns facts of an earlier probe. Where a file has a single track, its language changed nothing."""
        facts = self._found.get(asked)
        if facts is None and asked[1] == (AUTO,):
            facts = self._found.get((asked[0], (AUTO,), _ANY))
        return facts

    def ids(self) -> dict[str, str]:
        """Returns path -> id of the last probe, so that new files do not rename earlier ones."""
        found = {asked[0]: one.recording for asked, one in self._found.items() if one.recording}
        return {**self._other_ids, **found} if self._other_ids else found

    def line(self, facts: Remembered) -> bytes:
        """Returns the whole line of a file."""
        return self._data[facts.file][facts.start : facts.end]

    def facts(self, facts: Remembered) -> dict[str, Any]:
        """Returns facts as plain values."""
        found: dict[str, Any] = msgspec.json.decode(self.raw(facts))
        return found

    def raw(self, facts: Remembered) -> bytes:
        """Returns facts as JSON."""
        return bytes(msgspec.json.decode(self.line(facts), type=_RawFacts).facts)


def known_ids(cache: Path | None) -> dict[str, str]:
    """Returns path -> id of the last probe."""
    return RememberedFacts(cache).ids()


class _Path(msgspec.Struct, gc=False):
    path: str


def known_paths(files: Sequence[Path]) -> set[str]:
    """Returns the paths of all files that were looked at, also of those that have changed since."""
    return {entry.path for file in files for entry, _, _ in _entries(_read(file), _Path)}


def _read(cache: Path | None) -> bytes:
    try:
        return b"" if cache is None else cache.read_bytes()
    except OSError:
        return b""


def _entries(data: bytes, kind: type[T]) -> Iterator[tuple[T, int, int]]:
    """Yields the entries with their places. Damaged lines are skipped."""
    decoder = msgspec.json.Decoder(kind)
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
