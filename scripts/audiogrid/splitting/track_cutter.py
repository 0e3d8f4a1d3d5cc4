"""Cuts a track while it arrives: nothing is held but the minute or so around the next cut."""

from __future__ import annotations

import hashlib

import numpy as np

from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.media.vad import FRAME, speech_probabilities
from audiogrid.records.chunks import Chunk, Seam
from audiogrid.splitting.cut_points import (
    AMPLE_MARGIN,
    Search,
    choose_cut,
    context_bounds,
    frame_energy,
    hard_overlap,
    make_chunks,
    search_radius,
    targets,
)

OVERLAP = 3 * SAMPLE_RATE
"""Samples on each side of a hard seam that both chunks decode."""

# What is listened to first: this many frames (1.3 s) that are the quietest, with some on either side.
_QUIET = 40
_BESIDE = 10
# What a quiet stretch at the edge of the search loses against one at the target, in dB.
_DISTANCE_DB = 6.0
# Frames that the voice detector hears before the first one that counts: its state needs some context.
_WARM_UP = 31


class TrackCutter:
    """Cuts one track while it arrives, in pieces of any length; the cuts do not depend on them."""

    def __init__(self, recording: str, channel: int | None, duration: int, count: int) -> None:
        self.recording = recording
        self.channel = channel
        self._count = count
        self._radius = search_radius(duration, count)
        self._overlap = hard_overlap(duration, count, OVERLAP)
        self._waiting = targets(duration, count)[::-1]
        self._cuts: list[Seam] = []
        self._hashes: list[str] = []
        self._hash = hashlib.sha256()
        self._hashed = 0
        self._held: np.ndarray = np.zeros(0, dtype="<i2")
        self._held_from = 0

    @property
    def samples(self) -> int:
        """How much has arrived."""
        return self._held_from + len(self._held)

    def feed(self, pcm: np.ndarray) -> None:
        """Take the next samples (int16, 1-D)."""
        self._held = np.concatenate([self._held, pcm.astype("<i2", copy=False)])
        while self._waiting and self.samples > self._waiting[-1] + self._radius + self._overlap:
            self._cut()
        self._hash_until(min(self.samples, self._window_start()))
        self._forget_before(min(self._hashed, self._window_start() - max((_WARM_UP + 1) * FRAME, self._overlap)))

    def finish(self) -> list[Chunk]:
        """All chunks, once the last sample has been fed.

        A cut whose surroundings are not all there is not made: what would be left of the last
        chunk is no longer than the search, and belongs to the chunk before.
        """
        while self._waiting and self.samples > self._waiting[-1] + self._radius:
            self._cut()
        self._hash_until(self.samples)
        self._hashes.append(self._hash.hexdigest())
        nothing = hashlib.sha256().hexdigest()
        self._hashes += [nothing] * (self._count - len(self._hashes))
        return make_chunks(self.recording, self.channel, self.samples, self._cuts, self._count, self._hashes)

    def _window_start(self) -> int:
        return self._waiting[-1] - self._radius if self._waiting else self.samples

    def _cut(self) -> None:
        seam = self._search(self._waiting.pop())
        left = self._cuts[-1] if self._cuts else Seam("edge", 0, 0)
        start, end = context_bounds(left.at, seam.at, left, seam, self.samples)
        self._hash_until(max(start, end))
        self._hashes.append(self._hash.hexdigest())
        self._cuts.append(seam)
        # The next chunk begins a little before this one ends.
        self._hash = hashlib.sha256()
        self._hashed, _ = context_bounds(seam.at, self.samples, seam, Seam("edge", self.samples, 0), self.samples)

    def _search(self, target: int) -> Seam:
        """The cut near ``target``: an ample pause where it is quietest if there is one, else the best of all.

        Listening to the quietest place first takes a twentieth of the time of listening to everything.
        """
        first, last = -(-(target - self._radius) // FRAME), (target + self._radius) // FRAME
        energy = frame_energy(self._slice(first * FRAME, last * FRAME))
        if len(energy) > _QUIET + 2 * _BESIDE:
            start = _quietest(energy) - _BESIDE
            end = start + _QUIET + 2 * _BESIDE
            begin, stop = (first + start) * FRAME, (first + end) * FRAME
            nearby = Search((begin + stop) // 2, (stop - begin) // 2, self._overlap)
            seam = choose_cut(self._probabilities(first + start, first + end), energy[start:end], begin, nearby)
            if seam.kind == "pause" and seam.margin >= AMPLE_MARGIN:
                return seam
        search = Search(target, self._radius, self._overlap)
        return choose_cut(self._probabilities(first, last), energy, first * FRAME, search)

    def _probabilities(self, first: int, last: int) -> np.ndarray:
        """Speech probabilities of the 512-sample frames ``[first, last)`` of the track."""
        if last <= first:
            return np.zeros(0, dtype=np.float32)
        warm_up = min(first, _WARM_UP)
        return speech_probabilities(self._slice((first - warm_up) * FRAME, last * FRAME))[warm_up:]

    def _slice(self, start: int, end: int) -> np.ndarray:
        return self._held[start - self._held_from : end - self._held_from]

    def _hash_until(self, end: int) -> None:
        if end > self._hashed:
            self._hash.update(np.ascontiguousarray(self._slice(self._hashed, end)).data)
            self._hashed = end

    def _forget_before(self, position: int) -> None:
        if position > self._held_from:
            self._held = self._held[position - self._held_from :].copy()
            self._held_from = position


def _quietest(energy: np.ndarray) -> int:
    """First of the 40 consecutive frames with the lowest maximum, ten frames or more from either end.

    ``energy`` (dB), shape ``(frames,)`` with more than 60 frames; places near the middle are preferred.
    """
    inner = energy[_BESIDE : len(energy) - _BESIDE]
    loudest = np.lib.stride_tricks.sliding_window_view(inner, _QUIET).max(axis=1)
    distance = np.abs(np.linspace(-1, 1, len(loudest)))
    return _BESIDE + int(np.argmin(loudest + _DISTANCE_DB * distance))
