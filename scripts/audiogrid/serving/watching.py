"""Watched folder: a file that has stopped growing becomes a job; its transcripts lie beside it, or in another tree."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiogrid.core.atomic_files import write_bytes
from audiogrid.export.formats import FORMATS
from audiogrid.probing.list_recordings import ignored

# Scans between which a file must stay as it is.
SCANS = 2


@dataclass(frozen=True)
class Seen:
    """A file of the watched folder. ``path``: relative to it; ``stamp``: size, time and inode in words."""

    path: str
    stamp: str
    size: int

    @property
    def content(self) -> str:
        """Returns what stays the same when the file is renamed."""
        return self.stamp


def scan(folder: Path) -> Iterator[Seen]:
    """Yields the files below ``folder`` that may be recordings; links, hidden files and folders are left out."""
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(root, name)
            if ignored(name) or path.is_symlink():
                continue
            with suppress(OSError, UnicodeEncodeError):
                facts = path.stat()
                relative = path.relative_to(folder).as_posix()
                relative.encode()
                yield Seen(relative, f"{facts.st_size} {facts.st_mtime_ns} {facts.st_ino}", facts.st_size)


class WatchedFolder:
    """Finds files that are new or were replaced, once they have stopped growing. ``results``: where transcripts go."""

    def __init__(self, folder: Path, results: Path | None = None) -> None:
        self.folder = folder
        self.results = results or folder
        self._quiet: dict[str, tuple[str, int]] = {}

    def ready(self, known: Mapping[str, Mapping[str, Any]]) -> list[Seen]:
        """Scan once. Returns files that did not change since earlier scans and of which no job is ``known``."""
        found, seen = [], {}
        for file in scan(self.folder):
            if known.get(file.path, {}).get("stamp") == file.stamp or not file.size:
                continue
            stamp, times = self._quiet.get(file.path, ("", 0))
            times = times + 1 if stamp == file.stamp else 0
            seen[file.path] = (file.stamp, times)
            if times >= SCANS:
                found.append(file)
        self._quiet = seen
        return found

    def renamed_from(self, file: Seen, known: Mapping[str, Mapping[str, Any]]) -> str | None:
        """Returns the path that a file had before, if it was renamed."""
        for path, entry in known.items():
            if path != file.path and entry["stamp"] == file.stamp and not (self.folder / path).exists():
                return path
        return None

    def deliver(self, path: str, contents: Mapping[str, bytes], earlier: list[list[str]]) -> list[tuple[str, str]]:
        """Write transcripts (by format) of a watched file. Returns path and SHA-256 of each.

        ``earlier``: what was written for it before; such files are replaced unless they were edited since. Any other
        file that is in the way is kept, and the transcript is written beside it.
        """
        ours = {name: sha256 for name, sha256 in earlier}  # noqa: C416
        written = []
        stem = Path(path).with_suffix("").as_posix()
        for name, data in contents.items():
            ending = FORMATS[name].ending
            target = next(
                one
                for one in _names(stem, Path(path).name, ending)
                if self._is_free(one, ours) or _hash(self.results / one) == hashlib.sha256(data).hexdigest()
            )
            write_bytes(self.results / target, data)
            written.append((target, hashlib.sha256(data).hexdigest()))
        return written

    def withdraw(self, outputs: list[list[str]]) -> None:
        """Remove transcripts of a file that was renamed, as far as nobody edited them."""
        for name, sha256 in outputs:
            path = self.results / name
            if _hash(path) == sha256:
                path.unlink(missing_ok=True)

    def _is_free(self, name: str, ours: Mapping[str, str]) -> bool:
        path = self.results / name
        return not path.exists() or (name in ours and _hash(path) == ours[name])


def _names(stem: str, file: str, ending: str) -> Iterator[str]:
    """Yields ``talk.srt``, then ``talk.mp3.srt``, then numbers: where two recordings or a person's file compete."""
    yield f"{stem}{ending}"
    yield f"{Path(stem).parent.as_posix()}/{file}{ending}".removeprefix("./")
    number = 2
    while True:
        yield f"{stem}.{number}{ending}"
        number += 1


def _hash(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
