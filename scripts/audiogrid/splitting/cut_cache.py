"""Keeps where recordings were cut after their audio is deleted, so that a plan can tell which chunks the store has.

``split`` writes ``results/<run>/.state/cuts/<bundle>.json``. No rule depends on it: if it is missing, nothing is
decoded again, but ``snakemake plan`` counts fewer finished chunks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Protocol

import msgspec

from audiogrid.core.atomic_files import write_json
from audiogrid.core.json_values import to_json
from audiogrid.records.chunks import BundleManifest, Chunk
from audiogrid.splitting.opening import ListedRecording

SCHEMA = 1
#: Everything that decides how a file is cut: path, size, mtime, channels mode, duration, chunks per track,
#: and the numbers of the audio tracks where they are not the usual one.
CutIdentity = tuple[str | int, ...]


class CutRecording(ListedRecording, Protocol):
    """A recording as a plan or a split job describes it."""

    @property
    def recording(self) -> str: ...  # noqa: D102
    @property
    def channels_mode(self) -> str: ...  # noqa: D102
    @property
    def duration(self) -> int: ...  # noqa: D102
    @property
    def chunks(self) -> int: ...  # noqa: D102
    @property
    def audio_tracks(self) -> Sequence[int]: ...  # noqa: D102


def cut_identity(one: CutRecording) -> CutIdentity:
    """The facts of a recording that decide how it is cut."""
    return one.path, one.size, one.mtime_ns, one.channels_mode, one.duration, one.chunks, *one.audio_tracks


def _cuts_file(run: Path, bundle: str) -> Path:
    return run / ".state" / "cuts" / f"{bundle}.json"


def write_cuts(run: Path, jobs: Sequence[CutRecording], manifest: BundleManifest) -> None:
    """Write the chunks of a bundle. ``run``: results/<run>."""
    chunks: dict[str, list[Chunk]] = {}
    for chunk in manifest.chunks:
        chunks.setdefault(chunk.recording, []).append(chunk)
    recordings = [
        {"file": cut_identity(job), "chunks": to_json(chunks[job.recording])} for job in jobs if job.recording in chunks
    ]
    write_json(_cuts_file(run, manifest.bundle), {"schema": SCHEMA, "recordings": recordings})


class _Entry(msgspec.Struct, gc=False):
    file: list[str | int]
    chunks: msgspec.Raw


class _Cuts(msgspec.Struct):
    schema: int
    recordings: list[_Entry]


def _read(path: Path) -> list[_Entry]:
    """Returns what was cut by a job, chunks undecoded; nothing where its file cannot be read."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_Cuts)
    except (OSError, ValueError):
        return []
    return found.recordings if found.schema == SCHEMA else []


class KnownCuts:
    """The chunks of recordings that any run in ``results`` has cut before. Little of them is in memory at a time.

    ``run``: whose files are looked at first, ``results/<run>``. Those of all runs are read once as soon as they lack
    something.
    """

    def __init__(self, results: Path, run: Path | None = None) -> None:
        self._results = results
        self._run = run

    def of(self, bundle: str, recordings: Iterable[CutRecording]) -> dict[CutIdentity, list[Chunk]]:
        """Returns the chunks of the recordings of a bundle, as far as they are known, ordered by track and time."""
        wanted = {cut_identity(recording) for recording in recordings}
        found: dict[CutIdentity, list[Chunk]] = {}
        if self._run is not None:
            _take(_cuts_file(self._run, bundle), wanted, found)
        if missing := wanted - found.keys():
            for number in sorted({self._places[key] for key in map(hash, missing) if key in self._places}):
                _take(self._paths[number], missing, found)
        return found

    @cached_property
    def _paths(self) -> list[Path]:
        patterns = ("*/.state/cuts/*.json", "*/compare/.state/cuts/*.json")
        return [path for pattern in patterns for path in self._results.glob(pattern)]

    @cached_property
    def _places(self) -> dict[int, int]:
        """Hash of what decides how a file is cut -> number of the first path with its cuts."""
        found: dict[int, int] = {}
        for number, path in enumerate(self._paths):
            for entry in _read(path):
                found.setdefault(hash(tuple(entry.file)), number)
        return found


def _take(path: Path, wanted: Collection[CutIdentity], found: dict[CutIdentity, list[Chunk]]) -> None:
    for entry in _read(path):
        identity = tuple(entry.file)
        if identity in wanted and identity not in found:
            with suppress(ValueError):
                found[identity] = msgspec.json.decode(entry.chunks, type=list[Chunk])
