"""Arithmetic with the levels of a channel: dB per frame of 512 samples and band, as ``ChannelStatistics`` has them."""

from __future__ import annotations

import numpy as np

from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.media.vad import FRAME

# A room's echo decays by this much per frame: 60 dB in 0.5 s.
_DECAY_DB = 60 * FRAME / (0.5 * SAMPLE_RATE)


def total_level(levels: np.ndarray) -> np.ndarray:
    """Returns the level of all bands together in dB, shape ``(frames,)``."""
    return np.asarray(10 * np.log10((10 ** (levels / 10)).sum(axis=-1)))


def noise_floor(levels: np.ndarray) -> np.ndarray:
    """Returns the noise of a channel in dB, shape ``(bands,)``."""
    return np.asarray(np.quantile(levels, 0.1, axis=0)) if len(levels) else np.zeros(levels.shape[1])


def delayed(levels: np.ndarray, delay: int) -> np.ndarray:
    """Returns levels as they are ``delay`` samples later; unchanged for a negative delay."""
    frames = round(delay / FRAME)
    return levels[np.clip(np.arange(len(levels)) - frames, 0, None)] if frames > 0 else levels


def decaying(levels: np.ndarray) -> np.ndarray:
    """Returns levels as an echo has them: rising at once, falling no faster than a room lets them."""
    ramp = _DECAY_DB * np.arange(len(levels), dtype=np.float64)[:, None]
    return np.asarray(np.maximum.accumulate(levels + ramp, axis=0) - ramp, dtype=np.float32)
