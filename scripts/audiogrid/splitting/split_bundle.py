"""Recordings into chunks: every recording of a bundle is decoded once and cut on the way."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Literal

import numpy as np

from audiogrid.core.errors import InputError, RetryableError
from audiogrid.core.timebase import clock
from audiogrid.probing.media_facts import MediaError, MediaFile, PcmStream, stream_pcm
from audiogrid.probing.tables import address_in_table
from audiogrid.records.chunks import AUDIO_NAME, MANIFEST_NAME, BundleManifest, Chunk, Track
from audiogrid.remote.address import is_remote, parse
from audiogrid.remote.reader import RemoteFile
from audiogrid.remote.service import RemoteError
from audiogrid.splitting.track_cutter import TrackCutter

# A recording that exceeds its planned duration by more than this many chunks is mentioned.
_SURPRISE = 1.5


@dataclass(frozen=True)
class SplitJob:
    """One recording as it was probed. ``duration`` in samples at 16 kHz, ``chunks`` per track.

    ``address_table``: the table that holds the whole address of a remote one where ``path`` does not.
    """

    recording: str
    path: str
    size: int
    mtime_ns: int
    channels_mode: Literal["mix", "split"]
    duration: int
    chunks: int
    address_table: str | None = None


class _Folder:
    """The files of a bundle while they are written; a full disk is an error that names the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.samples = 0
        with self._guarded():
            folder.mkdir(parents=True, exist_ok=True)
            self.remove()
            self._audio: FileIO = (folder / AUDIO_NAME).open("wb", buffering=0)
        self._parts: list[FileIO] = []

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            free = ""
            with suppress(OSError):
                free = f" ({shutil.disk_usage(self._folder).free / 1e6:.0f} MB free)"
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            advice = "the disk is full: make room" if full else f"{error.strerror or error}: check the folder"
            raise RetryableError(f"cannot write audio to {self._folder}{free}, {advice} and run again") from error

    def remove(self) -> None:
        """Delete what this class writes, and the manifest that would vouch for it."""
        for path in [self._folder / MANIFEST_NAME, self._folder / AUDIO_NAME, *self._folder.glob(".track-*")]:
            path.unlink(missing_ok=True)

    def append(self, block: np.ndarray) -> None:
        """Add samples, shape ``(tracks, n)``: the first track to the audio file, others to a file each."""
        with self._guarded():
            while len(self._parts) < len(block) - 1:
                self._parts.append((self._folder / f".track-{len(self._parts) + 1}").open("w+b", buffering=0))
            for file, row in zip([self._audio, *self._parts], block, strict=True):
                _write_all(file, np.ascontiguousarray(row, dtype="<i2").data.cast("B"))

    def end_recording(self, samples: int, *, tracks: int) -> list[int]:
        """Put the tracks one after another; the offsets at which they begin, in samples."""
        with self._guarded():
            for part in self._parts:
                part.seek(0)
                shutil.copyfileobj(part, self._audio, 1 << 20)
            self._drop_parts()
        offsets = [self.samples + index * samples for index in range(tracks)]
        self.samples += samples * tracks
        return offsets

    def abandon_recording(self) -> None:
        """Forget what was written since the last recording ended."""
        with self._guarded():
            self._drop_parts()
            self._audio.seek(2 * self.samples)
            self._audio.truncate()

    def _drop_parts(self) -> None:
        for part in self._parts:
            part.close()
            Path(part.name).unlink()
        self._parts.clear()

    def complete(self, manifest: BundleManifest) -> None:
        """Make the audio durable, then write the manifest: a folder that has one is complete."""
        with self._guarded():
            os.fsync(self._audio.fileno())
            self._audio.close()
            manifest.write(self._folder)

    def give_up(self) -> None:
        """Close and delete everything."""
        for file in [self._audio, *self._parts]:
            with suppress(OSError):
                file.close()
        with suppress(OSError):
            self.remove()
        with suppress(OSError):
            self._folder.rmdir()


def _write_all(file: FileIO, data: memoryview) -> None:
    while data:
        data = data[file.write(data) :]


class UnusableError(Exception):
    """Why nothing of a recording can be split, as a sentence."""


def opened(job: SplitJob) -> MediaFile:
    """The recording of ``job``, which is as it was probed; raises ``UnusableError`` when it cannot be had."""
    if not is_remote(job.path):
        _check_unchanged(job)
        return Path(job.path)
    try:
        address = address_in_table(Path(job.address_table), job.path) if job.address_table else parse(job.path)
        return RemoteFile(address, (job.size, job.mtime_ns))
    except InputError as error:
        raise UnusableError(str(error)) from None
    except RemoteError as error:
        raise UnusableError(f"{job.path}: {error}") from None


def _check_unchanged(job: SplitJob) -> None:
    if is_remote(job.path):
        # Every request was made on the condition that the object is still the same.
        return
    try:
        facts = Path(job.path).stat()
    except OSError as error:
        raise UnusableError(f"{job.path} is gone ({error.strerror}): put it back and run again") from error
    if (facts.st_size, facts.st_mtime_ns) != (job.size, job.mtime_ns):
        raise UnusableError(f"{job.path} was changed after the run had looked at it: run again")


def _surprise(job: SplitJob, samples: int) -> str | None:
    """What to say when a recording is much longer, or shorter, than the plan expected."""
    chunk = job.duration / job.chunks
    lengths = f"holds {clock(samples)} of audio where {clock(job.duration)} were expected"
    if samples > job.duration + _SURPRISE * chunk:
        return f"{lengths}: its last chunk is longer than usual"
    if samples < job.duration - _SURPRISE * chunk:
        return f"{lengths}: its last chunks are empty"
    return None


def _decoded(job: SplitJob, stream: PcmStream) -> Iterator[np.ndarray]:
    """The blocks of ``stream``; whatever the decoder raises is this recording's problem alone."""
    try:
        yield from stream
    except (MediaError, RemoteError) as error:
        raise UnusableError(f"{job.path}: {error}") from error
    except (OSError, ValueError) as error:
        _check_unchanged(job)
        raise UnusableError(f"{job.path} cannot be read ({error}): copy it anew and run again") from error


def _split_recording(job: SplitJob, folder: _Folder) -> tuple[list[Track], list[Chunk], str | None]:
    cutters: list[TrackCutter] = []
    stream = stream_pcm(opened(job), channels=job.channels_mode)
    for block in _decoded(job, stream):
        if not cutters:
            channels: list[int | None] = [None] if job.channels_mode == "mix" else list(range(len(block)))
            cutters = [TrackCutter(job.recording, channel, job.duration, job.chunks) for channel in channels]
        for cutter, row in zip(cutters, block, strict=True):
            cutter.feed(row)
        folder.append(block)
    _check_unchanged(job)
    samples = cutters[0].samples if cutters else 0
    if not samples:
        raise UnusableError(f"{job.path} holds no audio that can be decoded")
    offsets = folder.end_recording(samples, tracks=len(cutters))
    tracks = [
        Track(job.recording, cutter.channel, samples, offset) for cutter, offset in zip(cutters, offsets, strict=True)
    ]
    notes = [note for note in (stream.note, _surprise(job, samples)) if note]
    return tracks, [chunk for cutter in cutters for chunk in cutter.finish()], "; ".join(notes) or None


def split_bundle(jobs: list[SplitJob], folder: Path, bundle: str) -> BundleManifest:
    """Decode and cut the recordings of a bundle into ``folder`` and say what lies where.

    The audio file comes first, the manifest last: a folder with a manifest is complete. A recording
    that changed since it was probed, is gone or cannot be decoded becomes a sentence under
    ``problems`` and the others go on. Raises ``RetryableError`` when the folder cannot be written
    (a full disk, say); nothing half-done stays then.
    """
    files = _Folder(folder)
    manifest = BundleManifest(bundle, [], [])
    try:
        for job in jobs:
            try:
                tracks, chunks, note = _split_recording(job, files)
            except UnusableError as problem:
                files.abandon_recording()
                manifest.problems[job.recording] = str(problem)
                continue
            manifest.tracks.extend(tracks)
            manifest.chunks.extend(chunks)
            if note:
                manifest.notes[job.recording] = note
        files.complete(manifest)
    except BaseException:
        files.give_up()
        raise
    return manifest
