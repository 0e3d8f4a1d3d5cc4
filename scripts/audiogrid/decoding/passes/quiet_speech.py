"""Finds speech that voice activity detection misses because it is quiet.

The detector carries a state from frame to frame. Beside a loud speaker it no longer reacts to one who is 30 dB
quieter, it joins a far voice to the near one before it, and it does not react to recordings at -60 dBFS at all. Given
a quiet stretch alone, and louder, it finds the speech in it. So stretches well below the level of the speech around
them are brought to an ordinary level and examined again. Hiss, room noise, mains hum, music and ringing stay silent at
any level.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from audiogrid.core.timebase import to_samples
from audiogrid.decoding.passes.levelling import REACH, level, tenths
from audiogrid.media.vad import FRAME, VoiceOptions, speech_probabilities, speech_spans

# Tenths of a decibel below the loudest speech near it: from here on a stretch is quiet.
_QUIET = 100
# Pauses between words of the loud speaker: quiet for less than twice this many frames (0.4 s), they are no stretch.
_BRIDGED = 6
_SHORTEST_STRETCH = 16
# What is accepted as speech in a stretch. Breath is shorter or less probable. What begins or ends within 0.1 s of the
# stretch's edge is the end or the beginning of a loud word, unless it lasts.
_LEAST_PROBABILITY = 0.6
_SHORTEST_SPEECH = to_samples(0.25)
_EDGE = to_samples(0.1)
_SHORTEST_AT_EDGE = to_samples(0.6)
# Root mean square of ordinary speech in 16-bit steps, and the smallest gain that is worth another look.
_USUAL_LEVEL = 2000.0
_LEAST_GAIN = 3.0
_MAX_GAIN = 1000.0
# Stretches of this many frames (2 s) get a gain each, and a frame one in between.
_BLOCK = 63


def add_quiet_speech(
    pcm: np.ndarray, energies: np.ndarray, probabilities: np.ndarray, voice: VoiceOptions
) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Examines quiet stretches again.

    ``pcm``: int16 at 16 kHz; ``energies`` and ``probabilities``: sum of squares and speech probability of every 512
    samples of it; ``voice``: without pads. Returns the speech probabilities with those of quiet speech, and the spans
    of quiet speech, in samples. Costs what detection does, for the quiet stretches only.
    """
    speech = speech_spans(probabilities, len(pcm), voice)
    result = probabilities
    spoken = []
    for first, last in quiet_stretches(energies, speech):
        gains = block_gains(energies[first:last])
        if gains.max() < _LEAST_GAIN:
            continue
        part = pcm[first * FRAME : last * FRAME].astype(np.float32)
        louder = np.clip(np.rint(part * np.repeat(gains, FRAME)[: len(part)]), -32768, 32767).astype(np.int16)
        found = speech_probabilities(louder)
        for start, end in speech_spans(found, len(louder), voice):
            frames = slice(start // FRAME, -(-end // FRAME))
            at_edge = start < _EDGE or end > len(louder) - _EDGE
            shortest = _SHORTEST_AT_EDGE if at_edge else _SHORTEST_SPEECH
            if end - start < shortest or found[frames].mean() < _LEAST_PROBABILITY:
                continue
            if result is probabilities:
                result = probabilities.copy()
            there = result[first:last]
            there[frames] = np.maximum(there[frames], found[frames])
            spoken.append((first * FRAME + start, first * FRAME + end))
    return result, spoken


def quiet_stretches(energies: np.ndarray, speech: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Returns stretches ``[first, last)`` of frames that lie 10 dB or more below the loudest speech within 30 s.

    A stretch lasts half a second or longer. Where no speech is near, everything is one.
    """
    if len(energies) < _SHORTEST_STRETCH:
        return []
    reference = np.full(len(energies), np.iinfo(np.int64).max)
    loudest = np.zeros(len(energies), np.int64)
    for start, end in speech:
        first, last = start // FRAME, max(start // FRAME + 1, -(-end // FRAME))
        near = slice(max(0, (start - REACH) // FRAME), (end + REACH) // FRAME + 1)
        np.maximum(loudest[near], level(energies[first:last]), out=loudest[near])
    known = loudest > 0
    reference[known] = loudest[known]
    levels = np.array([tenths(energy / FRAME) for energy in energies.tolist()], np.int64)
    quiet = levels < reference - _QUIET
    # A stretch may have louder frames neither in it nor within 0.2 s of its core.
    clear = np.convolve(~quiet, np.ones(2 * _BRIDGED + 1, np.int64), mode="same") == 0
    stretches: list[tuple[int, int]] = []
    for first, last in _runs(clear):
        while first > 0 and quiet[first - 1]:
            first -= 1
        while last < len(quiet) and quiet[last]:
            last += 1
        if stretches and first <= stretches[-1][1]:
            first = stretches.pop()[0]
        stretches.append((first, last))
    return [(first, last) for first, last in stretches if last - first >= _SHORTEST_STRETCH]


def _runs(mask: np.ndarray) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def block_gains(energies: np.ndarray) -> np.ndarray:
    """Returns the gain of every frame that brings blocks of 2 s to the level of ordinary speech, float32.

    From 1 to 1000; 1 for digital silence. ``energies``: sums of squares of frames.
    """
    blocks = [energies[at : at + _BLOCK] for at in range(0, len(energies), _BLOCK)]
    if len(blocks) > 1 and len(blocks[-1]) < _BLOCK // 2:
        blocks[-2:] = [np.concatenate(blocks[-2:])]
    found = []
    for block in blocks:
        louder = int(np.sort(block)[-max(1, len(block) // 10)])
        gain = _USUAL_LEVEL / math.sqrt(louder / FRAME) if louder else 1.0
        found.append(min(_MAX_GAIN, max(1.0, gain)))
    middles = np.cumsum([0, *map(len, blocks)])[:-1] + np.array([len(block) / 2 for block in blocks])
    return np.interp(np.arange(len(energies)), middles, found).astype(np.float32)


def split_at(spans: Sequence[tuple[int, int]], quiet: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Returns ``spans`` split where quiet speech begins or ends inside of them."""
    cuts = sorted({edge for span in quiet for edge in span})
    parts = []
    for start, end in spans:
        inner = [cut for cut in cuts if start < cut < end]
        parts += list(zip([start, *inner], [*inner, end], strict=True))
    return parts
