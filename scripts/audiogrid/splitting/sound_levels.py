"""Tells silence, music and noise apart in a track while it is decoded.

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
from audiogrid.splitting.music import STEP, MusicDetector

# Below -50 dBFS a frame is silent: the full scale of 16 bits is 90.3 dB above one step.
_SILENT_DB = 90.3 - 50.0
# A silence lasts this many frames (0.3 s) at least; a click of at most three frames (0.1 s) does not end it.
_SHORTEST_SILENCE = 10
_LONGEST_CLICK = 3
# Frames in half a second, of which the music detector wants to know whether it is louder than silence.
_HALF_FRAMES = 16


class SoundLevels:
    """The levels of one track. Feed it pieces of any length; ``sounds`` tells when the last one has arrived."""

    def __init__(self) -> None:
        self._silent: list[np.ndarray] = []
        self._music = MusicDetector()
        self._held: list[np.ndarray] = []
        self._waiting = 0
        self.samples = 0

    def feed(self, pcm: np.ndarray) -> None:
        """Take the next samples (int16, 1-D)."""
        self.samples += len(pcm)
        self._held.append(pcm.copy())
        self._waiting += len(pcm)
        if self._waiting < STEP:
            return
        held = np.concatenate(self._held)
        whole = len(held) // STEP * STEP
        # Always a step at once, so that rounding does not depend on the pieces in which a track arrives.
        for start in range(0, whole, STEP):
            self._note(held[start : start + STEP])
        self._held, self._waiting = [held[whole:].copy()], len(held) - whole

    def _note(self, pcm: np.ndarray) -> None:
        silent = frame_energy(pcm) < _SILENT_DB
        self._silent.append(silent)
        halves = len(silent) // _HALF_FRAMES
        share = silent[: halves * _HALF_FRAMES].reshape(halves, _HALF_FRAMES).mean(axis=1)
        self._music.feed(pcm, share < 0.5)

    def sounds(self) -> list[Sound]:
        """Returns spans of silence, music, noise and other sound that tile the track, in order."""
        rest = np.concatenate(self._held) if self._held else np.zeros(0, dtype="<i2")
        self._held, self._waiting = [], 0
        if len(rest):
            self._note(rest)
        if not self._silent:
            return []
        silent = np.concatenate(self._silent)
        silent = _without_short_runs(silent, False, _LONGEST_CLICK)
        silent = _without_short_runs(silent, True, _SHORTEST_SILENCE - 1)
        kinds = np.repeat(np.array(self._music.kinds(), dtype="<U8"), STEP // FRAME)[: len(silent)]
        kinds[silent] = "silence"
        edges = [0, *(np.flatnonzero(kinds[1:] != kinds[:-1]) + 1).tolist(), len(kinds)]
        return [
            Sound(first * FRAME, min(last * FRAME, self.samples), str(kinds[first])) for first, last in pairwise(edges)
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
