"""Mel filter bank features as Kaldi computes them, which is what the embedding network was trained on.

80 bins between 20 Hz and 8 kHz, windows of 25 ms ("povey") every 10 ms, pre-emphasis 0.97, no dither, from samples
in ±1: the floor of the logarithm is the step of float32 at 1, so the scale of the samples matters.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from audiogrid.core.timebase import SAMPLE_RATE

if TYPE_CHECKING:
    import numpy as np

#: Samples between two frames (10 ms).
STEP = 160
#: Samples that a frame looks at (25 ms).
WIDTH = 400
#: Features per frame.
BINS = 80

_FFT = 512
_LOW_HZ = 20.0
_PRE_EMPHASIS = 0.97
# Frames per call of the FFT: keeps the memory at a few MB whatever the length of the signal.
_BLOCK = 2000

# Bins whose energies tell a telephone (nothing above 3.4 kHz) from wide band.
_MIDDLE_BINS = slice(10, 45)
_HIGH_BINS = slice(64, 80)
_LOUD_SHARE = 0.4


def frame_count(samples: int) -> int:
    """Number of whole frames in a signal."""
    return max(0, 1 + (samples - WIDTH) // STEP)


@lru_cache(maxsize=1)
def _window() -> np.ndarray:
    import numpy as np

    angle = 2 * np.pi * np.arange(WIDTH) / (WIDTH - 1)
    return ((0.5 - 0.5 * np.cos(angle)) ** 0.85).astype(np.float32)


@lru_cache(maxsize=1)
def _mel_filters() -> np.ndarray:
    """Triangles in mel, shape ``(257, 80)``; the bin at half the sample rate is left out, as in Kaldi."""
    import numpy as np

    def mel(hz: np.ndarray | float) -> np.ndarray:
        return np.asarray(1127.0 * np.log(1.0 + np.asarray(hz) / 700.0))

    low, high = mel(_LOW_HZ), mel(SAMPLE_RATE / 2)
    width = (high - low) / (BINS + 1)
    left = low + np.arange(BINS) * width
    frequencies = mel(np.arange(_FFT // 2) * SAMPLE_RATE / _FFT)[:, None]
    rising = (frequencies - left) / width
    falling = (left + 2 * width - frequencies) / width
    filters = np.zeros((_FFT // 2 + 1, BINS), dtype=np.float32)
    filters[:-1] = np.maximum(0.0, np.minimum(rising, falling))
    return filters


def filterbank(samples: np.ndarray) -> np.ndarray:
    """Log energies of a signal (float32 in ±1, 16 kHz, 1-D): float32, shape ``(frame_count(len(samples)), 80)``."""
    import numpy as np

    count = frame_count(len(samples))
    found = np.empty((count, BINS), dtype=np.float32)
    floor = np.finfo(np.float32).eps
    for start in range(0, count, _BLOCK):
        stop = min(start + _BLOCK, count)
        part = samples[start * STEP : (stop - 1) * STEP + WIDTH]
        frames = np.lib.stride_tricks.sliding_window_view(part, WIDTH)[::STEP]
        frames = frames - frames.mean(axis=1, keepdims=True, dtype=np.float32)
        before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
        spectrum = np.fft.rfft((frames - np.float32(_PRE_EMPHASIS) * before) * _window(), _FFT)
        power = spectrum.real**2 + spectrum.imag**2
        found[start:stop] = np.log(np.maximum(power.astype(np.float32) @ _mel_filters(), floor))
    return found


def high_band_level(features: np.ndarray) -> float:
    """How much weaker the highest frequencies are than the middle ones in the louder frames (natural logarithm).

    Between -6 and 0 in wide band, between -12 and -9 over the telephone. ``features``: ``(frames, 80)``, at least one
    frame, mean not subtracted.
    """
    import numpy as np

    loudness = features[:, _MIDDLE_BINS].mean(axis=1)
    count = max(1, round(len(features) * _LOUD_SHARE))
    loud = np.sort(np.argsort(-loudness, kind="stable")[:count])
    return float(features[loud, _HIGH_BINS].mean() - features[loud, _MIDDLE_BINS].mean())
