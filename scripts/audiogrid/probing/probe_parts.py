"""Parts of a large listing: jobs of their own look at some thousand new files each, before `probe` collects the facts.

What is in them is only known at the start of a run, which lists the recordings anyway. So Snakemake needs no
checkpoint for them: `.state/probing/parts.json` says how many parts the present listing has,
`.state/probing/<listing>/<number>.list` which files are in one, and a job writes what it found beside it, in the format
of the facts of earlier probes. `probe` takes them like these, and looks itself at whatever they lack: a part that is
out of date costs time, and nothing else.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from audiogrid.core.atomic_files import read_json, write_atomically, write_json
from audiogrid.media.audio_tracks import AUTO, TrackWish
from audiogrid.probing.earlier_facts import Asked, known_paths
from audiogrid.probing.isolation import ProbeTask, run_isolated
from audiogrid.probing.probe import asked_of, entry_of
from audiogrid.probing.recording_source import RecordingSource

# Up to so many parts of new files `probe` looks at them itself.
_NOT_WORTH_JOBS = 2


@dataclass(frozen=True)
class PartSettings:
    """What is asked of files, and how many a job looks at. ``tracks``, ``language``: those of the run."""

    files_per_job: int
    tracks: TrackWish = (AUTO,)
    language: str | None = None


@dataclass(frozen=True)
class _Parts:
    listing: str
    folder: str
    count: int


class ProbeParts:
    """The parts of a run. ``state``: its folder ``.state``."""

    def __init__(self, state: Path) -> None:
        self._root = state / "probing"
        self._note = self._root / "parts.json"
        self._cache = state / "probe.jsonl"
        self._listing = state / "listing"

    def found(self) -> list[Path]:
        """Returns the files in which jobs have left facts."""
        return sorted(self._root.glob("*/*.jsonl"))

    def outputs(self, listing: str | None = None) -> list[str]:
        """Returns the outputs of the jobs of a listing; ``None``: of the last one for which there are parts."""
        parts = self._read()
        if parts is None or listing not in (None, parts.listing):
            return []
        return [str(self._root / parts.folder / f"{number:04d}.jsonl") for number in range(1, parts.count + 1)]

    def renew(self, listing: str, sources: Sequence[RecordingSource], settings: PartSettings) -> None:
        """Make the parts of a listing, if it is another than at the last start and has many new files.

        What is known of a file may be out of date; `probe` finds that out.
        """
        parts = self._read()
        if (parts is not None and parts.listing == listing) or self._last_listing() == listing:
            return
        least = _NOT_WORTH_JOBS * settings.files_per_job
        fresh = []
        if len(sources) > least:
            known = known_paths([self._cache, *self.found()])
            fresh = [one for one in sources if one.remote is None and one.path not in known]
        self._note.unlink(missing_ok=True)
        if len(fresh) <= least:
            return
        folder = self._root / hashlib.sha256(listing.encode()).hexdigest()[:12]
        folder.mkdir(parents=True, exist_ok=True)
        count = 0
        for first in range(0, len(fresh), settings.files_per_job):
            count += 1
            group = fresh[first : first + settings.files_per_job]
            _write_lines(folder / f"{count:04d}.list", (_wanted(one, settings) for one in group))
        write_json(self._note, {"listing": listing, "folder": folder.name, "count": count})

    def clear(self) -> None:
        """Remove what is no longer needed once `probe` has collected the facts.

        The lists of the present parts stay, but empty, with their times: Snakemake looks for them at each start.
        """
        parts = self._read()
        for folder in self._root.glob("*/"):
            if parts is None or folder.name != parts.folder:
                shutil.rmtree(folder, ignore_errors=True)
                continue
            for path in folder.glob("*.list"):
                with suppress(OSError):
                    times = path.stat()
                    os.truncate(path, 0)
                    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    def _read(self) -> _Parts | None:
        try:
            return msgspec.convert(read_json(self._note), _Parts)
        except (OSError, ValueError):
            return None

    def _last_listing(self) -> str:
        try:
            return self._listing.read_text()
        except (OSError, UnicodeDecodeError):
            return ""


def _wanted(source: RecordingSource, settings: PartSettings) -> Asked:
    path, wish, language = asked_of(source, settings.language)
    # Only the run's own wish is missing from a listing of the start.
    return path, settings.tracks if wish == (AUTO,) else wish, language


def _write_lines(path: Path, values: Iterable[Asked]) -> None:

    def fill(file: BinaryIO) -> None:
        for value in values:
            file.write(msgspec.json.encode(value) + b"\n")

    write_atomically(path, fill)


def look_at_part(part: Path, output: Path, processes: int) -> tuple[int, int]:
    """Look at the files of a part and write what was found. Returns how many there are, and how many have no facts."""
    wanted = msgspec.json.Decoder(Asked).decode_lines(part.read_bytes())
    lost = 0

    def lines() -> Iterator[bytes]:
        nonlocal lost
        for wish, language in dict.fromkeys(asked[1:] for asked in wanted):
            paths = [path for path, *rest in wanted if tuple(rest) == (wish, language)]
            task = ProbeTask(wish, language)
            for path, outcome in run_isolated(paths, processes=processes, inspect=task).items():
                lost += outcome.facts is None
                yield entry_of((path, wish, language), outcome)

    found = list(lines())
    write_atomically(output, lambda file: file.writelines(found))
    return len(wanted), lost
