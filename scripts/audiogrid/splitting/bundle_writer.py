"""Writes the folder of a bundle: audio first, the manifest last."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

import numpy as np

from audiogrid.core.errors import RetryableError
from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.records.chunks import AUDIO_NAME, MANIFEST_NAME, BundleManifest

# Samples that are rewritten at once (a minute).
_REWRITTEN = 60 * SAMPLE_RATE


class BundleWriter:
    """The files of a bundle while they are written. Raises ``RetryableError`` when the folder cannot be written."""

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
        """Delete the audio, the temporary files and the manifest."""
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
        """Join the tracks of a recording. Returns the offset of each in the audio file, in samples."""
        with self._guarded():
            for part in self._parts:
                part.seek(0)
                shutil.copyfileobj(part, self._audio, 1 << 20)
            self._drop_parts()
        offsets = [self.samples + index * samples for index in range(tracks)]
        self.samples += samples * tracks
        return offsets

    def rewrite(
        self, offset: int, samples: int, change: Callable[[np.ndarray, int], np.ndarray]
    ) -> Iterator[np.ndarray]:
        """Replace a track in the audio file. Yields its new samples, block by block.

        ``change``: takes samples (int16, 1-D) and the position of the first one in the track; returns as many.
        """
        with self._guarded(), (self._folder / AUDIO_NAME).open("r+b", buffering=0) as file:
            for start in range(0, samples, _REWRITTEN):
                count = min(_REWRITTEN, samples - start)
                file.seek(2 * (offset + start))
                data = np.frombuffer(file.read(2 * count), dtype="<i2")
                changed = change(data, start).astype("<i2", copy=False)
                file.seek(2 * (offset + start))
                _write_all(file, np.ascontiguousarray(changed).data.cast("B"))
                yield changed

    def abandon_recording(self) -> None:
        """Remove what was written since the last recording ended."""
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
        """Sync the audio to disk, then write the manifest: a folder with a manifest is complete."""
        with self._guarded():
            os.fsync(self._audio.fileno())
            self._audio.close()
            manifest.write(self._folder)

    def discard(self) -> None:
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
