"""Raises quiet speakers to the level of the louder ones around them, before the model hears them.

In a window with one loud and one quiet voice Whisper writes the loud one only. So each span of speech that is 6 dB or
more below the loudest one near it is brought to 4 dB below it. Nothing else changes: a recording with one level stays
as it is, to the bit, and so does noise. (Levelling everything to one absolute level was measured, too: with hiss and
noise it made text worse.)

All sums are of integers and all gains are whole tenths of a decibel, so that every machine computes the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from audiogrid.core.timebase import to_samples
from audiogrid.media.vad import FRAME

# In tenths of a decibel: how far below the loudest span a raised one stays, the highest and the lowest gain, and how
# far above the noise around it a span must be.
_BELOW_LOUDEST = 40
_MAX_GAIN = 400
_LEAST_RAISE = 20
_ABOVE_NOISE = 60
REACH = to_samples(30.0)
_NOISE_REACH = to_samples(10.0) // FRAME
# A shorter burst of voice activity is mostly a click or a cough: it is no measure for others.
_SHORTEST_REFERENCE = to_samples(0.2)
_LOUDER_SHARE = 0.4
_SMOOTHING_FRAMES = 8
"""A quarter of a second."""


def frame_energies(pcm: np.ndarray) -> np.ndarray:
    """Returns the sum of squares of every 512 samples of int16 ``pcm`` (the last frame filled up with silence)."""
    frames = -(-len(pcm) // FRAME)
    padded = np.zeros(frames * FRAME, np.int32)
    padded[: len(pcm)] = pcm
    rows = padded.reshape(frames, FRAME)
    # 2 ** 30 per square at most: the sum needs more than 32 bits.
    return np.asarray(np.einsum("ij,ij->i", rows, rows, dtype=np.int64, casting="unsafe"))


def level(energies: np.ndarray) -> int:
    """Returns the level of frames in tenths of a decibel: the median of the louder 40 % of them; 0: silence.

    The mean would follow the few loud frames that a neighbour leaves at the edge of a quiet span.
    """
    count = max(1, math.ceil(_LOUDER_SHARE / 2 * len(energies)))
    return tenths(int(np.sort(energies)[-count]) / FRAME)


def tenths(power: float) -> int:
    """Returns a mean square as a level in tenths of a decibel; 0 for less than one step of 16 bits."""
    return max(0, round(100 * math.log10(power))) if power > 1 else 0


def span_gains(energies: np.ndarray, speech: Sequence[tuple[int, int]]) -> list[int]:
    """Returns the gain of every span of ``speech`` in tenths of a decibel, 0 or from 20 to 400.

    ``energies``: from ``frame_energies``. ``speech``: voice activity without pads, in samples.
    """
    frames = [(start // FRAME, max(start // FRAME + 1, -(-end // FRAME))) for start, end in speech]
    levels = [level(energies[first:last]) for first, last in frames]
    pauses = np.ones(len(energies), bool)
    for first, last in frames:
        pauses[max(0, first - 1) : last + 1] = False
    gains = []
    for index, (start, end) in enumerate(speech):
        near = [
            levels[other]
            for other, (begin, finish) in enumerate(speech)
            if begin - end <= REACH and start - finish <= REACH and finish - begin >= _SHORTEST_REFERENCE
        ]
        gain = min(_MAX_GAIN, max([0, *near]) - _BELOW_LOUDEST - levels[index])
        if gain < _LEAST_RAISE:
            gains.append(0)
            continue
        first, last = frames[index]
        around = slice(max(0, first - _NOISE_REACH), last + _NOISE_REACH)
        floor = tenths(_noise_energy(energies[around], pauses[around]) / FRAME)
        gains.append(gain if levels[index] >= floor + _ABOVE_NOISE else 0)
    return gains


def _noise_energy(energies: np.ndarray, pauses: np.ndarray) -> float:
    """Returns the median energy of the frames that are ``pauses``; without any, that of the quietest tenth of all.

    Noise that is taken for speech leaves no pause to be measured in. Speech has quieter moments, steady noise has none.
    """
    noise = energies[pauses]
    if not len(noise):
        noise = np.sort(energies)[: max(1, len(energies) // 10)]
    return float(np.median(noise))


@lru_cache(maxsize=1)
def _factors() -> np.ndarray:
    return np.array([10 ** (gain / 200) for gain in range(_MAX_GAIN + 1)], np.float32)


def gain_curve(gains: Sequence[int], speech: Sequence[tuple[int, int]], frames: int) -> np.ndarray:
    """Returns the gain of every frame in tenths of a decibel, smoothed over a quarter of a second.

    The gain of a span goes on for a quarter of a second on both sides, but at most to the middle of the pause.
    """
    curve = np.zeros(frames + 2 * _SMOOTHING_FRAMES, np.int64)
    for index, (start, end) in enumerate(speech):
        before = speech[index - 1][1] if index else 0
        after = speech[index + 1][0] if index + 1 < len(speech) else frames * FRAME
        first = max(start // FRAME - _SMOOTHING_FRAMES, (before + start) // (2 * FRAME))
        last = min(-(-end // FRAME) + _SMOOTHING_FRAMES, (end + after) // (2 * FRAME) + 1)
        curve[first + _SMOOTHING_FRAMES : last + _SMOOTHING_FRAMES] = gains[index]
    total = np.concatenate([[0], np.cumsum(curve)])
    half = _SMOOTHING_FRAMES // 2
    at = np.arange(frames) + _SMOOTHING_FRAMES
    return np.asarray((total[at + half] - total[at - half]) // _SMOOTHING_FRAMES)


def apply_gains(pcm: np.ndarray, curve: np.ndarray) -> np.ndarray:
    """Returns ``pcm`` with the gains of ``gain_curve``, as float32 that may exceed the range of int16."""
    factors = _factors()[curve]
    following = np.append(factors[1:], factors[-1:])
    result = pcm.astype(np.float32)
    ramp = np.arange(FRAME, dtype=np.float32) / FRAME
    for index in np.flatnonzero((factors != 1) | (following != 1)).tolist():
        start = index * FRAME
        part = result[start : start + FRAME]
        part *= (factors[index] + (following[index] - factors[index]) * ramp)[: len(part)]
    return result


def level_speech(pcm: np.ndarray, energies: np.ndarray, speech: Sequence[tuple[int, int]]) -> np.ndarray:
    """Returns a chunk's audio with quiet speakers raised; ``pcm`` itself (int16) where there is nothing to raise.

    Arguments as in ``span_gains``.
    """
    if len(speech) < 2:
        return pcm
    gains = span_gains(energies, speech)
    if not any(gains):
        return pcm
    return apply_gains(pcm, gain_curve(gains, speech, -(-len(pcm) // FRAME)))
