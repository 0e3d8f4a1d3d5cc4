"""The sound of a recording as a stream of 16 kHz samples, whatever file it comes from."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from audiogrid.core.timebase import SAMPLE_RATE, clock, to_samples
from audiogrid.media.demux import AudioInput, MediaError, MediaFile, Packets, Timeline, open_audio
from audiogrid.media.downmix import Downmix, channel_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

Channels = Literal["mix", "split"]

# Audio is mixed and resampled in pieces of this length: long enough that Python's share is small, short
# enough for little memory (8 channels at 192 kHz: 60 MB) and for choosing how to mix.
_PIECE_SECONDS = 5
# Containers in which audio may pause on purpose (muted calls, screen recordings); elsewhere a hole is damage.
_MAY_PAUSE = {"matroska", "mov", "mpegts", "mpeg", "flv", "avi"}
UNDECODABLE = "None of the audio can be decoded, so it is damaged or protected: export it again."
WITHOUT_AUDIO = "The file has an audio stream without any audio in it: export it again."

# A file whose sound is this much shorter than its header says was cut off.
SHORTFALL = 1.0
# Damage this close to the last audio, in seconds, is a cut-off end.
_TAIL = 0.2
# Shorter holes, in seconds, are silence that nobody misses: less than a block of any codec that can be damaged.
_HOLE = 0.09
# Pauses that add up to less than this, in seconds, are the jitter of a live recording.
_SHORT_PAUSES = 1.0


# Pieces that wait for the second thread at most: what it lags behind, in memory.
_AHEAD = 2

Work = Callable[[], "NDArray[np.int16]"]

_DTYPES = {"u8": "u1", "s16": "i2", "s32": "i4", "s64": "i8", "flt": "f4", "dbl": "f8"}


class _Converter:
    """Frames of one format, rate and channel count in, 16 kHz tracks out.

    Frames are gathered in buffers of its own: an ``AudioFifo`` does the same, but allocates
    every piece anew, and the page faults took 0.9 s per hour of stereo. What is yielded is work,
    to be done in order: mixing and resampling need no Python lock and can go on beside decoding.
    """

    def __init__(self, frame: Any, tracks: int | None, channels: Channels, *, clean: bool) -> None:
        import av

        self.kind = _kind(frame)
        name, self.rate, inputs = self.kind
        self._clean = clean
        self._split = channels == "split" and tracks in (None, inputs)
        self.tracks = tracks or (inputs if self._split else 1)
        self._mix = Downmix(channel_weights([channel.name for channel in frame.layout.channels], inputs))
        self._piece = self.rate * _PIECE_SECONDS
        planar = bool(frame.format.is_planar)
        self._planes = inputs if planar else 1
        self._width = 1 if planar else inputs
        self._inputs = inputs
        self._shape = (self._planes, self._width * self._piece)
        self._dtype = np.dtype(_DTYPES[name.removesuffix("p")])
        # Buffers come back when their work is done.
        self._spare: SimpleQueue[NDArray[Any]] = SimpleQueue()
        self._buffer = np.empty(self._shape, self._dtype)
        self._filled = 0
        signals = self.tracks if self._split else 1
        self._resamplers = [av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE) for _ in range(signals)]

    def write(self, frame: Any) -> Iterator[Work]:
        """Take a frame of this converter's kind."""
        count = frame.samples * self._width
        start = self._filled
        if start + count > self._buffer.shape[1]:
            yield from self.drain()
            start = 0
            if count > self._buffer.shape[1]:
                self._buffer = np.empty((self._planes, count), self._dtype)
        for row, plane in zip(self._buffer, frame.planes, strict=True):
            row[start : start + count] = np.frombuffer(plane, row.dtype, count)
        self._filled = start + count

    def silence(self, seconds: float) -> Iterator[Work]:
        """Take silence."""
        yield from self.drain()
        left = round(seconds * self.rate)
        while left > 0:
            count = min(left, self._piece)
            yield partial(self._resample, np.zeros((len(self._resamplers), count), np.float32))
            left -= count

    def flush(self) -> Iterator[Work]:
        """What is still inside."""
        yield from self.drain()
        yield partial(self._resample, None)

    def drain(self) -> Iterator[Work]:
        """What has been written so far (the filter keeps a little)."""
        if not self._filled:
            return
        yield partial(self._convert, self._buffer, self._filled)
        self._filled = 0
        try:
            self._buffer = self._spare.get_nowait()
        except Empty:
            self._buffer = np.empty(self._shape, self._dtype)

    def _convert(self, buffer: NDArray[Any], filled: int) -> NDArray[np.int16]:
        array = buffer[:, :filled]
        if self._width > 1:
            array = array.reshape(-1, self._width).T
        block = _to_float(array, clean=self._clean)
        done = self._resample(block if self._split else self._mix(block)[None])
        if buffer.shape == self._shape:
            self._spare.put(buffer)
        return done

    def _resample(self, block: NDArray[np.float32] | None) -> NDArray[np.int16]:
        import av

        rows: list[NDArray[np.int16]] = []
        for index, resampler in enumerate(self._resamplers):
            frame = None
            if block is not None:
                signal = np.ascontiguousarray(block[index : index + 1])
                frame = av.AudioFrame.from_ndarray(signal, format="fltp", layout="mono")
                frame.sample_rate = self.rate
            parts = [part.to_ndarray()[0] for part in resampler.resample(frame)]
            rows.append(np.concatenate(parts) if parts else np.zeros(0, np.int16))
        # A stream that changes its channel count on the way keeps the number of tracks it began with.
        return np.stack(rows if len(rows) == self.tracks else rows[:1] * self.tracks)


def _kind(frame: Any) -> tuple[str, int, int]:
    return frame.format.name, frame.sample_rate, frame.layout.nb_channels


def _to_float(array: NDArray[Any], *, clean: bool) -> NDArray[np.float32]:
    """Samples of any type as float32 in [-1, 1], same shape."""
    if array.dtype == np.uint8:
        return np.asarray((array.astype(np.float32) - 128) / 128)
    if np.issubdtype(array.dtype, np.integer):
        return array.astype(np.float32) * np.float32(2.0 ** (1 - 8 * array.dtype.itemsize))
    array = array.astype(np.float32, copy=False)
    # Files of raw floats may hold anything, NaN included.
    return np.clip(np.nan_to_num(array), -1, 1) if clean else array


@dataclass
class _Findings:
    """What went wrong on the way, in seconds from the start."""

    errors: int = 0
    holes: list[tuple[float, float]] = field(default_factory=list)
    last_error_at: float | None = None


class PcmStream:
    """Iterate once for int16 arrays of shape ``(tracks, n)`` at 16 kHz, at most ``block_seconds`` long.

    The arrays together are the recording on its container's clock: where a stream starts late or
    pauses, or where damage cannot be decoded but later audio can, there is silence. After the
    iteration ``samples`` is their total length and ``note`` says what could not be read (``None``: all
    could). Raises ``MediaError`` when nothing can be decoded.
    """

    def __init__(self, path: MediaFile, channels: Channels, block_seconds: float) -> None:
        self.path = path
        self.channels = channels
        self.samples = 0
        self.note: str | None = None
        self._block = to_samples(block_seconds)

    def __iter__(self) -> Iterator[NDArray[np.int16]]:
        held: list[NDArray[np.int16]] = []
        count = 0
        for piece in _beside(self._pieces()):
            self.samples += piece.shape[1]
            while count + piece.shape[1] >= self._block:
                cut = self._block - count
                yield np.concatenate([*held, piece[:, :cut]], axis=1)
                held, count, piece = [], 0, piece[:, cut:]
            if piece.shape[1]:
                held.append(piece)
                count += piece.shape[1]
        if count:
            yield np.concatenate(held, axis=1)

    def _pieces(self) -> Iterator[Work]:
        import av

        with open_audio(self.path) as source:
            timeline = Timeline(source)
            packets = Packets(source)
            findings = _Findings()
            clean = source.stream.codec_context.name.startswith(("pcm_f", "pcm_lef", "pcm_bef"))
            converter: _Converter | None = None
            cursor = 0.0
            for packet in packets:
                timeline.account(packet)
                try:
                    frames = packet.decode()
                except (av.error.FFmpegError, ValueError):
                    findings.errors += 1
                    findings.last_error_at = cursor
                    continue
                for frame in frames:
                    if not frame.samples:
                        continue
                    gap = 0.0 if frame.pts is None else timeline.silence_before(frame.pts, cursor)
                    if converter is None:
                        converter = _Converter(frame, None, self.channels, clean=clean)
                    elif converter.kind != _kind(frame):
                        yield from converter.flush()
                        converter = _Converter(frame, converter.tracks, self.channels, clean=clean)
                    if gap:
                        if cursor and gap > _HOLE:
                            findings.holes.append((cursor, gap))
                        yield from converter.silence(gap)
                    yield from converter.write(frame)
                    cursor += gap + frame.samples / frame.sample_rate
            if converter is None:
                raise MediaError(UNDECODABLE if findings.errors else WITHOUT_AUDIO)
            yield from converter.flush()
            self.note = _note(source, packets, timeline, findings, cursor)


def _beside(work: Iterator[Work]) -> Iterator[NDArray[np.int16]]:
    """Results of ``work`` in order, each done on a second thread while the next is prepared."""
    with ThreadPoolExecutor(1) as thread:
        pending: deque[Future[NDArray[np.int16]]] = deque()
        for one in work:
            pending.append(thread.submit(one))
            if len(pending) > _AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _note(source: AudioInput, packets: Packets, timeline: Timeline, findings: _Findings, end: float) -> str | None:
    notes = []
    lost = sum(length for _, length in findings.holes)
    tail_damaged = findings.last_error_at is not None and end - findings.last_error_at <= _TAIL
    damaged = packets.read_errors or findings.errors > tail_damaged
    if findings.holes and (damaged or lost >= _SHORT_PAUSES or source.format not in _MAY_PAUSE):
        places = "one place" if len(findings.holes) == 1 else f"{len(findings.holes)} places"
        first = clock(to_samples(findings.holes[0][0]))
        notes.append(f"{lost:.1f} s of audio are missing in {places} (the first at {first}); silence stands for them")
    elif damaged:
        notes.append("some of the audio is damaged and was skipped")
    if source.claims_audio and source.trusts_claim and end < (source.claimed_end or 0) - SHORTFALL:
        notes.append(shortfall_note(end, source.claimed_end or 0))
    elif tail_damaged:
        notes.append(f"its end is damaged: readable until {clock(to_samples(end))}")
    if timeline.jumps:
        notes.append("its timestamps jump: its audio is taken as it follows in the file")
    return "; ".join(notes) or None


def shortfall_note(end: float, claimed: float) -> str:
    """That a file ends (``end``, seconds) before its header says (``claimed``)."""
    return f"readable until {clock(to_samples(end))}, although its header says {clock(to_samples(claimed))}"


def stream_pcm(path: MediaFile | str, *, channels: Channels = "mix", block_seconds: float = 30) -> PcmStream:
    """The sound of a file at 16 kHz: mixed to one track, or one track per channel (``split``).

    Memory is bounded whatever the length. See ``PcmStream``.
    """
    return PcmStream(Path(path) if isinstance(path, str) else path, channels, block_seconds)
