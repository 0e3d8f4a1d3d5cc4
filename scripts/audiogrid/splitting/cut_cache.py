"""Where recordings were cut, kept after their audio is gone: what tells a plan which chunks the store has already.

``results/<run>/.state/cuts/<bundle>.json`` is written by ``split`` and belongs to no rule: without it nothing is
decoded again, only ``snakemake plan`` knows less.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

from audiogrid.core.atomic_files import read_json, write_json
from audiogrid.records.chunks import BundleManifest, Chunk, chunk_from_json

SCHEMA = 1
#: What decides how a file is cut: path, size, time of change, channels, duration, chunks per track.
File = tuple[str, int, int, str, int, int]


class Cuttable(Protocol):
    """A recording as a plan or a split job describes it."""

    @property
    def recording(self) -> str: ...  # noqa: D102
    @property
    def path(self) -> str: ...  # noqa: D102
    @property
    def size(self) -> int: ...  # noqa: D102
    @property
    def mtime_ns(self) -> int: ...  # noqa: D102
    @property
    def channels_mode(self) -> str: ...  # noqa: D102
    @property
    def duration(self) -> int: ...  # noqa: D102
    @property
    def chunks(self) -> int: ...  # noqa: D102


def file_of(one: Cuttable) -> File:
    """What of a recording decides how it is cut."""
    return one.path, one.size, one.mtime_ns, one.channels_mode, one.duration, one.chunks


def note_cuts(run: Path, jobs: Sequence[Cuttable], manifest: BundleManifest) -> None:
    """Keep what ``split`` found out about a bundle. ``run``: results/<run>."""
    chunks: dict[str, list[Chunk]] = {}
    for chunk in manifest.chunks:
        chunks.setdefault(chunk.recording, []).append(chunk)
    recordings = [
        {"file": file_of(job), "chunks": [asdict(chunk) for chunk in chunks[job.recording]]}
        for job in jobs
        if job.recording in chunks
    ]
    path = run / ".state" / "cuts" / f"{manifest.bundle}.json"
    write_json(path, {"schema": SCHEMA, "recordings": recordings})


def _entries(results: Path) -> Iterator[tuple[File, list[dict[str, object]]]]:
    for pattern in ("*/.state/cuts/*.json", "*/compare/.state/cuts/*.json"):
        for path in results.glob(pattern):
            try:
                raw = read_json(path)
                if raw["schema"] == SCHEMA:
                    yield from ((tuple(entry["file"]), entry["chunks"]) for entry in raw["recordings"])
            except (OSError, ValueError, KeyError, TypeError):
                continue


def known_cuts(results: Path, recordings: Sequence[Cuttable]) -> Mapping[File, list[Chunk]]:
    """Chunks of those recordings that any run in ``results`` has cut before, in the order of track and time."""
    wanted = {file_of(recording) for recording in recordings}
    found: dict[File, list[Chunk]] = {}
    for file, chunks in _entries(results):
        if file in wanted and file not in found:
            found[file] = [chunk_from_json(dict(chunk)) for chunk in chunks]
    return found
