"""Tells music from noise in a track while it is decoded, by the tones in its spectrum.

Music is made of tones that last for a moment and then give way to others. Noise has no tones; a hum or a ringing
telephone has always the same ones; those of speech glide, so that few are where they were half a second before.
Which limits part them was measured on music, speech in four languages, several voices at once, and noises.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import NamedTuple

import numpy as np

_FFT = 4096
# Spectra are averaged in pairs: over half a second (0.512 s), a HALF.
_HALF = 2 * _FFT
_HALVES = 4
STEP = _HALVES * _HALF
"""Samples that get one answer: 2.048 s."""

# Each answer comes from the 8.2 s around: windows of four steps, of which one begins with every step. A window is
# judged only if half of it is louder than silence.
_STEPS = 4
_FEWEST_HALVES = _STEPS * _HALVES // 2
# Spectra are looked at from 62 Hz to 5 kHz, in 32 bands; a tone stands a factor of nine (2.2, natural logarithm) above
# the median around it. Below a noise of five quantisation steps nothing is heard, so leaks of a pure tone into its
# surroundings are none.
_LOWEST, _BANDS, _WIDTH = 16, 32, 40
_BINS = _BANDS * _WIDTH
_PROMINENCE = 2.2
_INAUDIBLE = 5.0**2
# Music: half of the halves have five tones or more that were there in the half before, as were a third of all tones,
# and two and a half of them on average, and one in twelve, are not there all the time.
_LASTING, _LASTING_SHARE, _MOVING, _MOVING_SHARE = 5, 0.32, 2.5, 0.08
# All the time: in three quarters of the halves with tones.
_STEADY = 0.75
# Noise: a quarter of the halves have fewer lasting tones than this (pauses of speech are judged by it), or fewer
# than this, or one in twenty of them, come and go.
_FEW_LASTING, _FEW_MOVING, _FEW_MOVING_SHARE = 3, 1.5, 0.05

_TAPER = np.hanning(_FFT + 1)[:-1].astype(np.float32)
_FLOOR = np.float32(_INAUDIBLE * float(np.square(_TAPER.astype(np.float64)).sum()))

_Kind = str
MUSIC, NOISE, UNCLEAR = "music", "noise", "sound"
#: When two answers have as many votes, the first of them is given.
_KINDS = (MUSIC, NOISE, UNCLEAR)


class _Step(NamedTuple):
    """Tones by half second: those that there are, a bin to either side included, and those that lasted.

    Both of shape ``(halves, bins)``. ``counts``: how many lasted, shape ``(halves,)``; ``all``: tones of all halves.
    """

    near: np.ndarray
    lasting: np.ndarray
    counts: np.ndarray
    all: int


def _interpolation() -> tuple[np.ndarray, np.ndarray]:
    """Returns for each bin the band below it and the weight of the band above, between the middles of bands."""
    place = (np.arange(_BINS) - (_WIDTH - 1) / 2) / _WIDTH
    below = np.clip(np.floor(place), 0, _BANDS - 2).astype(np.int64)
    return below, np.clip(place - below, 0, 1).astype(np.float32)


_BELOW, _ABOVE_WEIGHT = _interpolation()


def _tones(pcm: np.ndarray) -> np.ndarray:
    """Returns whether there is a tone, shape ``(halves, bins)``. ``pcm``: int16, shape ``(halves * 8192,)``."""
    spectra = np.fft.rfft(pcm.astype(np.float32).reshape(-1, _FFT) * _TAPER)[:, _LOWEST : _LOWEST + _BINS]
    power = np.square(spectra.real) + np.square(spectra.imag)
    level = np.log(power.reshape(-1, 2, _BINS).mean(axis=1) + _FLOOR)
    # The upper median; numpy's own median takes several times as long.
    median = np.partition(level.reshape(-1, _BANDS, _WIDTH), _WIDTH // 2, axis=2)[:, :, _WIDTH // 2]
    around = median[:, _BELOW] * (1 - _ABOVE_WEIGHT) + median[:, _BELOW + 1] * _ABOVE_WEIGHT
    found = level > around + _PROMINENCE
    found[:, [0, -1]] = False
    found[:, 1:-1] &= (level[:, 1:-1] > level[:, :-2]) & (level[:, 1:-1] >= level[:, 2:])
    return np.asarray(found)


def _widened(tones: np.ndarray) -> np.ndarray:
    near = tones.copy()
    near[:, 1:] |= tones[:, :-1]
    near[:, :-1] |= tones[:, 1:]
    return near


def _verdict(steps: list[_Step]) -> _Kind | None:
    """Returns what a window of steps holds, of which only halves that are louder than silence are given."""
    counts = np.concatenate([step.counts for step in steps])
    if len(counts) < _FEWEST_HALVES:
        return None
    ordered = np.sort(counts)
    median, quarter = int(ordered[len(counts) // 2]), int(ordered[len(counts) // 4])
    if quarter < _FEW_LASTING and median < _LASTING:
        return NOISE
    moving, mean = _moving(steps, counts, median), float(counts.mean())
    share = float(counts.sum()) / max(1, sum(step.all for step in steps))
    if median >= _LASTING and share >= _LASTING_SHARE and moving >= max(_MOVING, _MOVING_SHARE * mean):
        return MUSIC
    if quarter < _FEW_LASTING or moving < max(_FEW_MOVING, _FEW_MOVING_SHARE * mean):
        return NOISE
    return UNCLEAR


def _moving(steps: list[_Step], counts: np.ndarray, median: int) -> float:
    """Returns how many lasting tones, on average over the halves of a window, are not there all the time."""
    near = np.concatenate([step.near for step in steps])
    lasting = np.concatenate([step.lasting for step in steps])
    # A hum that begins or a telephone that rings: what is not there in between does not make its tones come and go.
    active = near[counts >= max(1, median // 2)]
    steady = active.sum(axis=0, dtype=np.uint8) >= max(1.0, _STEADY * len(active))
    return int(np.count_nonzero(lasting & ~steady)) / len(counts)


class MusicDetector:
    """Takes a track step by step and tells of each whether it holds music. Holds 8 s of tones and the answers.

    Cost: about half a second of one core per hour of audio that is louder than silence.
    """

    def __init__(self) -> None:
        self._window: deque[_Step] = deque(maxlen=_STEPS)
        self._before: np.ndarray = np.zeros(_BINS, dtype=bool)
        self._verdicts: list[_Kind | None] = []
        self._count = 0

    def feed(self, pcm: np.ndarray, loud: np.ndarray) -> None:
        """Take the next step: int16, shape ``(STEP,)``; only the last one may be shorter.

        ``loud``: whether each of its halves (8192 samples) is louder than silence for the most part.
        """
        halves = len(pcm) // _HALF
        loud = loud[:halves]
        if loud.any():
            tones = _tones(pcm[: halves * _HALF]) & loud[:, np.newaxis]
            near = _widened(tones)
            lasting = tones & np.concatenate([self._before[np.newaxis], near[:-1]])
            self._before = near[-1]
            kept = lasting[loud]
            step = _Step(near[loud], kept, np.count_nonzero(kept, axis=1), int(np.count_nonzero(tones)))
        else:
            nothing = np.zeros((0, _BINS), dtype=bool)
            self._before = np.zeros(_BINS, dtype=bool)
            step = _Step(nothing, nothing, np.zeros(0, dtype=np.intp), 0)
        self._window.append(step)
        self._verdicts.append(_verdict(list(self._window)))
        self._count += 1

    def kinds(self) -> list[_Kind]:
        """Returns ``music``, ``noise`` or ``sound`` (it cannot be told) for each step, once the last one is there."""
        window = list(self._window)
        # At the end of a track windows become shorter, as at its beginning.
        verdicts = [*self._verdicts, *(_verdict(window[first:]) for first in range(1, len(window)))]
        return [_most_common(verdicts[at : at + _STEPS]) for at in range(self._count)]


def _most_common(verdicts: list[_Kind | None]) -> _Kind:
    votes = Counter(verdict for verdict in verdicts if verdict is not None)
    return max(_KINDS, key=lambda kind: votes[kind]) if votes else UNCLEAR
