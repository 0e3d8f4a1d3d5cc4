"""Tells silence from other sound in a track while it is decoded.

Nothing of it changes what is transcribed: the ledger of a recording says with it what the seconds without speech hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.media.vad import FRAME
from audiogrid.records.chunks import Chunk
from audiogrid.records.ledger import CUT_OFF, Sound
from audiogrid.splitting.cut_points import frame_energy

# Below -50 dBFS a frame is silent: the full scale of 16 bits is 90.3 dB above one step.
_SILENT_DB = 90.3 - 50.0
# A silence lasts this many frames (0.3 s) at least; a click of at most three frames (0.1 s) does not end it.
_SHORTEST_SILENCE = 10
_LONGEST_CLICK = 3


class SoundLevels:
    """The levels of one track. Feed it pieces of any length; ``sounds`` tells when the last one has arrived."""

    def __init__(self) -> None:
        self._silent: list[np.ndarray] = []
        self._rest: np.ndarray = np.zeros(0, dtype="<i2")
        self.samples = 0

    def feed(self, pcm: np.ndarray) -> None:
        """Take the next samples (int16, 1-D)."""
        self.samples += len(pcm)
        pcm = np.concatenate([self._rest, pcm])
        whole = len(pcm) // FRAME * FRAME
        self._rest = pcm[whole:].copy()
        self._note(pcm[:whole])

    def _note(self, pcm: np.ndarray) -> None:
        if len(pcm):
            self._silent.append(frame_energy(pcm) < _SILENT_DB)

    def sounds(self) -> list[Sound]:
        """Returns spans of silence and of other sound that tile the track, in order."""
        self._note(self._rest)
        self._rest = self._rest[:0]
        if not self._silent:
            return []
        silent = np.concatenate(self._silent)
        silent = _without_short_runs(silent, False, _LONGEST_CLICK)
        silent = _without_short_runs(silent, True, _SHORTEST_SILENCE - 1)
        edges = [0, *(np.flatnonzero(np.diff(silent)) + 1).tolist(), len(silent)]
        return [
            Sound(first * FRAME, min(last * FRAME, self.samples), "silence" if silent[first] else "sound")
            for first, last in pairwise(edges)
        ]


def _without_short_runs(mask: np.ndarray, value: bool, longest: int) -> np.ndarray:
    """Returns ``mask`` with inner runs of ``value`` of at most ``longest`` frames turned into their surroundings."""
    edges = np.concatenate([[0], np.flatnonzero(np.diff(mask)) + 1, [len(mask)]])
    lengths = np.diff(edges)
    values = mask[edges[:-1]]
    short = (values == value) & (lengths <= longest)
    # A run at either end has one neighbour only, and silence there is silence however short.
    short[[0, -1]] = False
    return np.repeat(np.where(short, not value, values), lengths)


def with_sounds(
    chunks: Sequence[Chunk], sounds: Sequence[Sound], missing: Sequence[Sound], claimed: int
) -> list[Chunk]:
    """Returns the chunks of a track with what their spans hold apart from speech.

    ``sounds`` and ``missing``: of the track, ordered; ``missing`` replaces ``sounds``. ``claimed``: samples that the
    recording should have.
    """
    laid = _laid_over(sounds, missing)
    found, at = [], 0
    for chunk in chunks:
        while at < len(laid) and laid[at].end <= chunk.start:
            at += 1
        mine = []
        index = at
        while index < len(laid) and laid[index].start < chunk.end:
            one = laid[index]
            mine.append(Sound(max(one.start, chunk.start), min(one.end, chunk.end), one.kind))
            index += 1
        found.append(replace(chunk, sounds=tuple(mine)))
    if found and claimed > found[-1].end:
        last = found[-1]
        found[-1] = replace(last, sounds=(*last.sounds, Sound(last.end, claimed, CUT_OFF)))
    return found


def _laid_over(sounds: Sequence[Sound], missing: Sequence[Sound]) -> list[Sound]:
    """Returns ``sounds`` with ``missing`` in their place where both are; overlapping ones of ``missing`` are joined."""
    over: list[Sound] = []
    for one in missing:
        start = max(one.start, over[-1].end if over else 0)
        if start < one.end:
            over.append(Sound(start, one.end, one.kind))
    found: list[Sound] = []
    at = 0
    for one in sounds:
        start = one.start
        while at < len(over) and over[at].start < one.end:
            if over[at].end > start:
                if over[at].start > start:
                    found.append(Sound(start, over[at].start, one.kind))
                found.append(Sound(max(start, over[at].start), min(over[at].end, one.end), over[at].kind))
                start = min(over[at].end, one.end)
            if over[at].end > one.end:
                break
            at += 1
        if start < one.end:
            found.append(Sound(start, one.end, one.kind))
    return found


def promised_samples(planned: int, claimed: int, samples: int) -> int:
    """Returns how long a recording should be by its packets or its header; 0 where no second of it is missing."""
    promised = max(planned, claimed)
    return promised if promised > samples + SAMPLE_RATE else 0
