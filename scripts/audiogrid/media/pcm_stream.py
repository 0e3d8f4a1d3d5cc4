"""The sound of a recording as a stream of 16 kHz samples, whatever file it comes from."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from audiogrid.core.timebase import to_samples
from audiogrid.media.demux import check_file
from audiogrid.media.downmix import Downmix, channel_weights
from audiogrid.media.file_parts import MediaFile, find_parts
from audiogrid.media.pcm_converter import Channels, Work
from audiogrid.media.track_reader import TrackReader
from audiogrid.records.ledger import DAMAGED, Sound

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pcm = NDArray[np.int16]

# Pieces that may wait for the second thread.
_AHEAD = 2


class PcmStream:
    """Iterate once for int16 arrays of shape ``(signals, n)`` at 16 kHz, at most ``block_seconds`` long.

    The arrays together are the recording on its container's clock: where a stream starts late or
    pauses, or where damage cannot be decoded but later audio can, there is silence. After the
    iteration ``samples`` is their total length, ``note`` says what could not be read (``None``: all
    could), and ``audio_hash`` is a SHA-256 of the tracks as they are encoded; ``missing`` holds the spans for which
    silence stands and ``claimed`` the length that the header promises where less could be read (else 0), in samples.
    Raises ``MediaError`` when nothing can be decoded.
    """

    def __init__(
        self,
        path: MediaFile,
        channels: Channels,
        block_seconds: float,
        tracks: Sequence[int] = (),
        signals: int | None = None,
        start: float = 0.0,
    ) -> None:
        self.path = path
        self.channels = channels
        self.samples = 0
        self.note: str | None = None
        self.audio_hash = ""
        self.missing: list[Sound] = []
        self.claimed = 0
        self._block = to_samples(block_seconds)
        self._tracks = tuple(tracks)
        self._signals = signals
        self._start = start

    def __iter__(self) -> Generator[Pcm, None, None]:
        check_file(self.path)
        parts = find_parts(self.path)
        numbers: Sequence[int | None] = self._tracks or (None,)
        # The signals of several tracks are counted when all of them are there.
        signals = self._signals if len(numbers) == 1 else None
        readers = [
            TrackReader(self.path, parts, self.channels, track=number, signals=signals, start=self._start)
            for number in numbers
        ]
        streams = [self._blocks(reader) for reader in readers]
        if len(parts.parts) > 1 and self._start:
            streams = [_without_beginning(stream, to_samples(self._start)) for stream in streams]
        for block in streams[0] if len(streams) == 1 else self._together(streams):
            self.samples += block.shape[1]
            yield block
        digests = [reader.digest.digest() for reader in readers]
        self.audio_hash = (digests[0] if len(digests) == 1 else hashlib.sha256(b"".join(digests)).digest()).hex()
        notes = [*parts.notes, *(note for reader in readers for note in [*reader.notes, *reader.broken_samples()])]
        self.note = "; ".join(dict.fromkeys(notes)) or None
        self.missing = sorted(
            Sound(to_samples(start), to_samples(end), DAMAGED if is_damage else "no_audio")
            for reader in readers
            for start, end, is_damage in reader.missing
        )
        self.claimed = max(to_samples(reader.claimed) for reader in readers)

    def _blocks(self, reader: TrackReader) -> Iterator[Pcm]:
        """The samples of one track in blocks of equal length, except for the last."""
        held: list[Pcm] = []
        count = 0
        for piece in _done_beside(reader.work()):
            while count + piece.shape[1] >= self._block:
                cut = self._block - count
                yield np.concatenate([*held, piece[:, :cut]], axis=1)
                held, count, piece = [], 0, piece[:, cut:]
            if piece.shape[1]:
                held.append(piece)
                count += piece.shape[1]
        if count:
            yield np.concatenate(held, axis=1)

    def _together(self, streams: Sequence[Iterator[Pcm]]) -> Iterator[Pcm]:
        """Several tracks as channels of one recording; those that end early are silent from then on."""
        mix = Downmix(channel_weights(None, len(streams)))
        rows = [1] * len(streams)
        for blocks in zip_longest(*streams):
            length = max(block.shape[1] for block in blocks if block is not None)
            rows = [count if block is None else len(block) for count, block in zip(rows, blocks, strict=True)]
            full = [_lengthened(block, count, length) for count, block in zip(rows, blocks, strict=True)]
            together = np.concatenate(full)
            if self.channels == "mix":
                mixed = mix(together.astype(np.float32) / np.float32(32768))
                yield np.clip(np.rint(mixed * 32768), -32768, 32767).astype(np.int16)[None]
            else:
                yield _fitted(together, self._signals)


def _without_beginning(blocks: Iterator[Pcm], samples: int) -> Iterator[Pcm]:
    """Blocks without the first ``samples``, where a file cannot be entered in the middle."""
    for block in blocks:
        if block.shape[1] > samples:
            yield block[:, samples:]
        samples = max(0, samples - block.shape[1])


def _lengthened(block: Pcm | None, rows: int, length: int) -> Pcm:
    """A block with silence at its end; silence alone for a track that has ended."""
    if block is None:
        return np.zeros((rows, length), np.int16)
    return np.pad(block, ((0, 0), (0, length - block.shape[1])))


def _fitted(block: Pcm, signals: int | None) -> Pcm:
    """A block with as many rows as planned: further ones are silent, and surplus ones are mixed into the last."""
    if signals is None or len(block) == signals:
        return block
    if len(block) < signals:
        return np.pad(block, ((0, signals - len(block)), (0, 0)))
    last = block[signals - 1 :].mean(axis=0).astype(np.int16)
    return np.concatenate([block[: signals - 1], last[None]])


def _done_beside(work: Iterator[Work]) -> Iterator[Pcm]:
    """Results of ``work`` in order. A second thread does each while the next is prepared.

    Where there is only one block and the end of the signal, starting a thread would take longer than the work.
    """
    first = list(islice(work, 3))
    if len(first) < 3:
        yield from (one() for one in first)
        return
    with ThreadPoolExecutor(1) as thread:
        pending: deque[Future[Pcm]] = deque()
        for one in chain(first, work):
            pending.append(thread.submit(one))
            if len(pending) > _AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def stream_pcm(
    path: MediaFile | str,
    *,
    channels: Channels = "mix",
    block_seconds: float = 30,
    tracks: Sequence[int] = (),
    signals: int | None = None,
    start: float = 0.0,
) -> PcmStream:
    """Returns the sound of a file at 16 kHz: mixed to one signal, or one signal per channel (``split``).

    ``tracks``: numbers of audio tracks from 1, heard together as channels of one recording; none stands for the main
    one. ``signals``: how many to give with ``split``, whatever the file has. ``start``: seconds to begin at, roughly.
    Memory is bounded whatever the length. See ``PcmStream``.
    """
    file = Path(path) if isinstance(path, str) else path
    return PcmStream(file, channels, block_seconds, tracks, signals, start)
