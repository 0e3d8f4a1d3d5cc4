"""Converts decoded frames of one format to 16 kHz samples: mixes or separates channels, and resamples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.media.downmix import Downmix, channel_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

Channels = Literal["mix", "split"]

# Audio is mixed and resampled in pieces of this length: long enough that Python's share is small, short
# enough for little memory (8 channels at 192 kHz: 60 MB) and for choosing how to mix.
_PIECE_SECONDS = 5

Work = Callable[[], "NDArray[np.int16]"]

# Raw floats are meant to lie between -1 and 1. Where a tenth of the samples of a piece that are not 0 are greater than
# this they are whole numbers stored as floats, of one of these sizes. What is only much too loud has fractions, and not
# such peaks.
_BEYOND_SCALE = 3.0
_CERTAINLY_WHOLE = 256.0
_WHOLE_NUMBERS = (2.0**15, 2.0**23, 2.0**31)
# A file that begins with whole numbers, or louder than this (root mean square), may be one of these: it is judged
# after so many seconds, or so many bytes.
_LOUD = 0.25
_JUDGED_SECONDS = 30.0
_JUDGED_BYTES = 1 << 26

_DTYPES = {"u8": "u1", "s16": "i2", "s32": "i4", "s64": "i8", "flt": "f4", "dbl": "f8"}


class PcmConverter:
    """Takes frames of one format, rate and channel count; gives int16 arrays of shape ``(signals, n)`` at 16 kHz.

    ``signals``: rows to give with ``split``, whatever number of channels the frames have; ``None``: as many as they
    have. Channels that are missing are silent, those that are too many are mixed into the last row.

    Frames are collected in buffers of this class: an ``AudioFifo`` does the same, but allocates every piece anew, and
    the page faults took 0.9 s per hour of stereo. The methods yield functions to be called in order: mixing and
    resampling need no Python lock, so another thread can call them while this one decodes.
    """

    def __init__(self, frame: Any, signals: int | None, channels: Channels, *, clean: bool) -> None:
        import av

        self.kind = frame_kind(frame)
        name, self.rate, inputs = self.kind
        self._floats = RawFloats(self.rate) if clean else None
        self.signals = (signals or inputs) if channels == "split" else 1
        self._split = self.signals > 1
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
        rows = min(inputs, self.signals)
        self._resamplers = [av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE) for _ in range(rows)]

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

    @property
    def broken(self) -> float:
        """Seconds of samples so far that are no numbers; silence stands for them."""
        return self._floats.broken if self._floats else 0.0

    def silence(self, seconds: float) -> Iterator[Work]:
        """Take silence."""
        yield from self.drain()
        if self._floats:
            yield self._held_back
        left = round(seconds * self.rate)
        while left > 0:
            count = min(left, self._piece)
            yield partial(self._resample, np.zeros((len(self._resamplers), count), np.float32))
            left -= count

    def flush(self) -> Iterator[Work]:
        """All that is left, including what the filter holds."""
        yield from self.drain()
        if self._floats:
            yield self._held_back
        yield partial(self._resample, None)

    def drain(self) -> Iterator[Work]:
        """What has been written so far; the filter keeps a little."""
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
        done = self._blocks([_to_float(array)] if self._floats is None else self._floats.take(array))
        if buffer.shape == self._shape:
            self._spare.put(buffer)
        return done

    def _held_back(self) -> NDArray[np.int16]:
        return self._blocks(self._floats.rest() if self._floats else [])

    def _blocks(self, blocks: list[NDArray[np.float32]]) -> NDArray[np.int16]:
        done = [self._resample(self._rows(block) if self._split else self._mix(block)[None]) for block in blocks]
        return np.concatenate(done, axis=1) if done else np.zeros((self.signals, 0), np.int16)

    def _rows(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """A row per signal, as far as there are channels; the last row holds the mix of those that are too many."""
        if len(block) <= self.signals:
            return block
        last = block[self.signals - 1 :].mean(axis=0, dtype=np.float32)
        return np.concatenate([block[: self.signals - 1], last[None]])

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
        rows += [np.zeros(len(rows[0]), np.int16)] * (self.signals - len(rows))
        return np.stack(rows)


def frame_kind(frame: Any) -> tuple[str, int, int]:
    """Sample format, rate and channel count of a frame: what a converter is made for."""
    return frame.format.name, frame.sample_rate, frame.layout.nb_channels


class RawFloats:
    """The floats of a file at ``rate``, piece after piece, as float32 in [-1, 1].

    A file of whole numbers may begin with noise that, taken for what floats are meant to be, is as loud as can be. So
    pieces are held back until it is clear what they are.

    ``broken``: seconds of samples so far that are no numbers or infinite; silence stands for them.
    """

    def __init__(self, rate: int) -> None:
        self.broken = 0.0
        self._rate = rate
        self._scale = 1.0
        self._settled = False
        self._is_guess = False
        self._held: list[NDArray[np.floating[Any]]] = []

    def take(self, array: NDArray[np.floating[Any]]) -> list[NDArray[np.float32]]:
        """Returns the pieces that are clear now, each of the shape that it had, ``(channels, n)``.

        ``array`` is the next piece; it may be overwritten afterwards.
        """
        array = self._numbers(array)
        if self._settled or not (self._held or array.any()):
            return [self._scaled(array)]
        is_clear = bool(array.any()) and not _may_be_whole(array)
        self._held.append(array if is_clear else array.copy())
        samples = sum(piece.shape[1] for piece in self._held)
        if is_clear or samples >= _JUDGED_SECONDS * self._rate or samples * len(array) * 8 >= _JUDGED_BYTES:
            return self.rest()
        return []

    def rest(self) -> list[NDArray[np.float32]]:
        """Returns the pieces that were held back, judged by all of them together."""
        held, self._held = self._held, []
        if held:
            self._settled = True
            self._judge(np.concatenate(held, axis=1), is_beginning=True)
        return [self._scaled(piece) for piece in held]

    def _numbers(self, array: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        usable = np.isfinite(array)
        if usable.all():
            return array
        self.broken += float(np.count_nonzero(~usable.all(axis=0))) / self._rate
        return np.where(usable, array, 0)

    def _scaled(self, array: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        self._judge(array)
        bounded = np.clip(array, -4e9, 4e9).astype(np.float32)
        return np.asarray(np.clip(bounded * np.float32(self._scale), -1, 1))

    def _judge(self, array: NDArray[np.floating[Any]], *, is_beginning: bool = False) -> None:
        sizes = np.abs(array)
        largest = float(sizes.max(initial=0.0))
        if self._is_guess and largest <= _BEYOND_SCALE and np.mod(sizes, 1).any():
            # Clicks in silence were taken for whole numbers.
            self._scale, self._is_guess = 1.0, False
        if largest * self._scale > _BEYOND_SCALE:
            heard = sizes[sizes > 0] * self._scale
            nearly_all = float(np.quantile(heard, 0.999)) / self._scale
            # Halves: the mean of two channels.
            is_whole = nearly_all > _CERTAINLY_WHOLE or not np.mod(2 * sizes, 1).any()
            if is_whole and float(np.quantile(heard, 0.9)) > _BEYOND_SCALE:
                self._scale = next((1 / size for size in _WHOLE_NUMBERS if nearly_all <= size), self._scale)
        if is_beginning and self._scale == 1 and largest and not np.mod(sizes, 1).any():
            self._scale, self._is_guess = 1 / _WHOLE_NUMBERS[0], largest <= _BEYOND_SCALE


def _may_be_whole(array: NDArray[np.floating[Any]]) -> bool:
    """Whether a piece with sound may consist of whole numbers stored as floats."""
    if not np.mod(2 * array, 1).any():
        return True
    return float(np.sqrt(np.mean(np.square(array, dtype=np.float64)))) > _LOUD


def _to_float(array: NDArray[Any]) -> NDArray[np.float32]:
    """Samples of any type as float32 in [-1, 1], same shape; floats as they are."""
    if array.dtype == np.uint8:
        return np.asarray((array.astype(np.float32) - 128) / 128)
    if np.issubdtype(array.dtype, np.integer):
        return array.astype(np.float32) * np.float32(2.0 ** (1 - 8 * array.dtype.itemsize))
    return array.astype(np.float32, copy=False)
