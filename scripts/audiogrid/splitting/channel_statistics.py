"""Statistics of the channels of a recording, collected while it is decoded: levels, and how alike two channels are.

Nothing here decides anything; ``crosstalk`` does, once the last sample has arrived.
"""

from __future__ import annotations

from itertools import combinations, pairwise, permutations

import numpy as np

from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.media.vad import FRAME

#: Edges of the bands whose levels are kept, in Hz.
BAND_EDGES = (100, 400, 800, 1400, 2400, 4000, 8000)
#: Samples per window of the cross-correlation (0.512 s): room for delays of 200 ms.
WINDOW = 16 * FRAME
#: Later leaks are looked for in windows that begin so many samples (0.256 s) after those of the leading channel.
SHIFT = WINDOW // 2
#: Samples per block in which two channels are compared directly.
BLOCK = SAMPLE_RATE

# A channel is taken to lead another one in a window where it is this much louder, and not silent.
_LEADS_DB = 5.0
_SILENT_DB = 20.0
# What is usual as the mean of a second, up to this many quantisation steps, is no offset of a channel.
_LEAST_OFFSET = 8.0
# Frequencies that take part in the cross-correlation, in Hz: hum is common to many independent channels.
_CORRELATED = (250, 4000)


class ChannelStatistics:
    """Takes the samples of all channels in blocks of any length.

    ``levels``: dB (0 dB: one quantisation step) per frame of 512 samples and band. ``products``: per second, the sums
    of the products of every two channels. ``likeness``: of every two channels, per window of 0.5 s: the highest
    normalised cross-correlation, its delay in samples, and the levels of both in dB. ``spectra``: (leading, other) ->
    sum of the whitened cross spectra of all windows in which one channel is louder than the other one;
    ``late_spectra``: the same with windows of the other channel that begin ``SHIFT`` samples later. A constant offset
    of a channel counts for nothing.
    """

    def __init__(self, channels: int) -> None:
        self.channels = channels
        self._held: np.ndarray = np.zeros((channels, 0), np.float32)
        self._uncorrelated = self._held
        self._levels: list[np.ndarray] = []
        self._products: list[np.ndarray] = []
        self._sums: list[np.ndarray] = []
        self._likeness: dict[tuple[int, int], list[np.ndarray]] = {
            pair: [] for pair in combinations(range(channels), 2)
        }
        self.spectra = {pair: np.zeros(WINDOW // 2 + 1, np.complex128) for pair in permutations(range(channels), 2)}
        self.late_spectra = {pair: total.copy() for pair, total in self.spectra.items()}
        frequencies = np.fft.rfftfreq(FRAME, 1 / SAMPLE_RATE)
        self._bands = [
            np.flatnonzero((frequencies >= low) & (frequencies < high)) for low, high in pairwise(BAND_EDGES)
        ]
        self._taper = np.hanning(FRAME).astype(np.float32)
        wide = np.fft.rfftfreq(WINDOW, 1 / SAMPLE_RATE)
        self._correlated = (wide >= _CORRELATED[0]) & (wide <= _CORRELATED[1])

    def feed(self, block: np.ndarray) -> None:
        """Take the next samples, int16, shape ``(channels, n)``."""
        self._held = np.concatenate([self._held, block.astype(np.float32)], axis=1)
        step = BLOCK * FRAME // np.gcd(BLOCK, FRAME)
        while self._held.shape[1] >= step:
            self._take(self._held[:, :step])
            self._held = self._held[:, step:]

    def finish(self) -> None:
        """Take what is left, as if silence followed."""
        left = self._held.shape[1]
        if left:
            padded = np.zeros((self.channels, -(-left // BLOCK) * BLOCK), np.float32)
            padded += self._offsets()[:, None]
            padded[:, :left] = self._held
            self._take(padded)
        self._held = self._held[:, :0]

    def levels(self, channel: int) -> np.ndarray:
        """Returns the levels of a channel in dB, float32, shape ``(frames, bands)``."""
        parts = [part[channel] for part in self._levels]
        return np.concatenate([np.zeros((0, len(self._bands)), np.float32), *parts]).astype(np.float32)

    def products(self) -> np.ndarray:
        """Returns the sums of products, float64, shape ``(blocks, channels, channels)``."""
        products = np.concatenate([np.zeros((0, self.channels, self.channels)), *self._products])
        sums = np.concatenate([np.zeros((0, self.channels)), *self._sums])
        offsets = self._offsets()
        both = sums[:, :, None] * offsets
        return np.asarray(products - both - both.transpose(0, 2, 1) + BLOCK * offsets[:, None] * offsets)

    def _offsets(self) -> np.ndarray:
        """Returns the constant offset that a sound card has added to each channel, 0 for most."""
        if not self._sums:
            return np.zeros(self.channels)
        usual = np.median(np.concatenate(self._sums), axis=0) / BLOCK
        return np.where(np.abs(usual) < _LEAST_OFFSET, 0.0, usual)

    def likeness(self, source: int, channel: int) -> np.ndarray:
        """Returns the likeness of two channels (``source`` < ``channel``), float32, shape ``(windows, 4)``."""
        return np.concatenate([np.zeros((0, 4), np.float32), *self._likeness[source, channel]])

    def _take(self, pcm: np.ndarray) -> None:
        blocks = pcm.reshape(self.channels, -1, BLOCK).astype(np.float64)
        self._products.append(np.einsum("abt,cbt->bac", blocks, blocks))
        self._sums.append(blocks.sum(axis=-1).T)
        whole = pcm[:, : pcm.shape[1] // FRAME * FRAME].reshape(self.channels, -1, FRAME)
        power = np.abs(np.fft.rfft(whole * self._taper)) ** 2
        bands = np.stack([power[..., band].sum(axis=-1) for band in self._bands], axis=-1)
        # Scaled so that white noise of one step has 0 dB in all bands together.
        bands /= FRAME * float(np.square(self._taper).sum()) / 2
        self._levels.append((10 * np.log10(np.maximum(bands, 1e-3))).astype(np.float16))
        self._correlate(pcm)

    def _correlate(self, pcm: np.ndarray) -> None:
        # Windows follow each other without a gap, so that each has its place.
        pcm = np.concatenate([self._uncorrelated, pcm], axis=1)
        whole = max(0, pcm.shape[1] - SHIFT) // WINDOW * WINDOW
        self._uncorrelated = pcm[:, whole:]
        level, spectrum = _windows(pcm[:, :whole])
        later_level, later = _windows(pcm[:, SHIFT : SHIFT + whole])
        for (one, other), found in self._likeness.items():
            found.append(_highest(spectrum[one], spectrum[other], level[one], level[other]))
        # A whitened cross spectrum is the product of two whitened spectra.
        white = np.conj(self._whitened(spectrum))
        for totals, beside, beside_level in (
            (self.spectra, spectrum, level),
            (self.late_spectra, later, later_level),
        ):
            others = self._whitened(beside)
            for (leading, other), total in totals.items():
                leads = (level[leading] > _SILENT_DB) & (level[leading] >= beside_level[other] + _LEADS_DB)
                total[self._correlated] += (white[leading] * others[other])[leads].sum(axis=0)

    def _whitened(self, spectrum: np.ndarray) -> np.ndarray:
        """Returns the phases of spectra at the frequencies that count, complex numbers of size 1 or 0."""
        counted = spectrum[..., self._correlated]
        return np.asarray(counted / np.maximum(np.abs(counted), 1e-9))


def _windows(pcm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns level (dB) and spectrum of each window, shapes ``(channels, windows)``, ``(channels, windows, bins)``."""
    windows = pcm.reshape(len(pcm), -1, WINDOW)
    windows = windows - windows.mean(axis=-1, keepdims=True)
    level = 10 * np.log10(np.maximum(np.square(windows).mean(axis=-1), 1e-3))
    return level, np.fft.rfft(windows * np.hanning(WINDOW))


def _highest(spectrum: np.ndarray, other: np.ndarray, level: np.ndarray, other_level: np.ndarray) -> np.ndarray:
    """Returns the highest normalised cross-correlation (with its sign), its delay and both levels, per window."""
    correlation = np.fft.irfft(np.conj(spectrum) * other, WINDOW)
    place = np.abs(correlation).argmax(axis=-1)
    peak = np.take_along_axis(correlation, place[:, None], axis=-1)[:, 0]
    energy = [np.square(np.fft.irfft(one, WINDOW)).sum(axis=-1) for one in (spectrum, other)]
    delay = np.where(place > WINDOW // 2, place - WINDOW, place)
    share = peak / np.maximum(np.sqrt(energy[0] * energy[1]), 1e-9)
    return np.stack([share, delay, level, other_level], axis=-1).astype(np.float32)
