"""Keeps where recordings were cut after their audio is deleted, so that a plan can tell which chunks the store has.

``split`` writes ``results/<run>/.state/cuts/<bundle>.json``. No rule depends on it: if it is missing, nothing is
decoded again, but ``snakemake plan`` counts fewer finished chunks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from audiogrid.core.atomic_files import read_json, write_json
from audiogrid.core.json_values import from_json, to_json
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


def write_cuts(run: Path, jobs: Sequence[CutRecording], manifest: BundleManifest) -> None:
    """Write the chunks of a bundle. ``run``: results/<run>."""
    chunks: dict[str, list[Chunk]] = {}
    for chunk in manifest.chunks:
        chunks.setdefault(chunk.recording, []).append(chunk)
    recordings = [
        {"file": cut_identity(job), "chunks": to_json(chunks[job.recording])} for job in jobs if job.recording in chunks
    ]
    path = run / ".state" / "cuts" / f"{manifest.bundle}.json"
    write_json(path, {"schema": SCHEMA, "recordings": recordings})


def _entries(results: Path) -> Iterator[tuple[CutIdentity, list[dict[str, object]]]]:
    for pattern in ("*/.state/cuts/*.json", "*/compare/.state/cuts/*.json"):
        for path in results.glob(pattern):
            try:
                raw = read_json(path)
                if raw["schema"] == SCHEMA:
                    yield from ((tuple(entry["file"]), entry["chunks"]) for entry in raw["recordings"])
            except (OSError, ValueError, KeyError, TypeError):
                continue


def read_cuts(results: Path, recordings: Sequence[CutRecording]) -> Mapping[CutIdentity, list[Chunk]]:
    """Returns the chunks of recordings that any run in ``results`` has cut before, ordered by track and time."""
    wanted = {cut_identity(recording) for recording in recordings}
    found: dict[CutIdentity, list[Chunk]] = {}
    for file, chunks in _entries(results):
        if file in wanted and file not in found:
            with suppress(ValueError):
                found[file] = from_json(list[Chunk], chunks)
    return found
