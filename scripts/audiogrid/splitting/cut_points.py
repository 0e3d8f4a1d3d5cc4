"""Where chunks begin and end: how many there are, where a cut falls, what each chunk decodes.

Pure functions on numbers; all positions are samples at 16 kHz. The ladder of a cut (long pause,
short pause of least energy, overlap at the least speech-like point) follows common practice, for
its last rung WhisperX's cut at the minimum of the voice activity score (arXiv 2303.00747).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.media.vad import FRAME
from audiogrid.records.chunks import Chunk, Seam, chunk_id

LONG_PAUSE = 16
"""Frames (0.512 s) from which a run without speech is a pause."""

AMPLE_PAUSE = SAMPLE_RATE
"""A pause of 1 s is as good as any longer one: both sides get all the context they carry."""

AMPLE_MARGIN = (LONG_PAUSE - 1) * FRAME
"""Margin of every cut in such a pause."""

SHORT_PAUSE = 4
"""Frames (0.128 s) from which a run without speech is a short pause."""

PAUSE_CONTEXT = SAMPLE_RATE // 2
"""Most samples of a pause that a chunk decodes beyond what it owns."""

# Below this a frame is no speech: the detector's own threshold for leaving speech.
_NO_SPEECH = 0.35
# What a cut at the very edge of the search loses against one at the target:
_DISTANCE_PAUSE = SAMPLE_RATE // 4  # ... as much as a pause 0.25 s shorter
_DISTANCE_DB = 3.0  # ... as much as a pause 3 dB louder
_DISTANCE_HARD = 0.1  # ... as much as 0.1 more probability of speech
# A short pause longer by one frame is worth as much as one quieter by this: in noise all are equally loud.
_LENGTH_DB = 0.5
# Energy counts half as much as the probability of speech in continuous speech.
_ENERGY_HARD = 0.5
_SMOOTHING = 5

_LARGEST_CHUNK = 1.25
LARGEST_RADIUS = 30 * SAMPLE_RATE
"""No cut lies further from its target than 30 s."""


def chunk_count(duration: int, chunk_minutes: float) -> int:
    """How many chunks a recording of ``duration`` samples has: known before anything is decoded.

    The nearest whole number of chunks, unless that makes a chunk longer than 1.25 times
    ``chunk_minutes``; never none. Chunks are thus planned between 0.625 and 1.25 times the wish
    (a recording below that is one chunk); a cut moves each end by at most ``search_radius``.
    """
    wish = chunk_minutes * 60 * SAMPLE_RATE
    nearest = int(duration / wish + 0.5)
    least = -int(-duration // (_LARGEST_CHUNK * wish))
    return max(1, nearest, least)


def targets(duration: int, count: int) -> list[int]:
    """The ``count - 1`` places where cuts would make ``count`` equal chunks."""
    return [duration * index // count for index in range(1, count)]


def search_radius(duration: int, count: int) -> int:
    """How far from its target a cut may lie: 30 s, at most a quarter of a chunk (windows never meet)."""
    return min(LARGEST_RADIUS, duration // count // 4)


def hard_overlap(duration: int, count: int, wish: int) -> int:
    """Overlap on each side of a hard seam: ``wish``, at most a quarter of a chunk."""
    return min(wish, duration // count // 4)


def frame_energy(pcm: np.ndarray) -> np.ndarray:
    """Energy of every whole or partial 512-sample frame in dB (0 dB: one quantisation step), float32.

    ``pcm``: int16, shape ``(samples,)``; the result has the shape of ``speech_probabilities(pcm)``.
    """
    frames = np.zeros((-(-len(pcm) // FRAME), FRAME), dtype=np.float32)
    frames.reshape(-1)[: len(pcm)] = pcm
    power = np.einsum("ij,ij->i", frames, frames) / FRAME
    return np.asarray(10 * np.log10(np.maximum(power, 1)), dtype=np.float32)


@dataclass(frozen=True)
class Search:
    """Where a cut may fall: at most ``radius`` samples from ``target``; ``overlap`` if it must be hard."""

    target: int
    radius: int
    overlap: int

    def clamp(self, position: int) -> int:
        """The allowed position nearest to ``position``."""
        return max(self.target - self.radius, min(self.target + self.radius, position))

    def distance(self, position: float) -> float:
        """0 at the target, 1 at the edge of the search."""
        return abs(position - self.target) / max(1, self.radius)


def choose_cut(probabilities: np.ndarray, energy: np.ndarray, window_start: int, search: Search) -> Seam:
    """The seam near a target, by the ladder of the design.

    ``probabilities`` and ``energy`` (dB), both shape ``(frames,)``, describe the 512-sample frames
    from sample ``window_start`` on.

    1. ``pause``: among runs of at least 0.5 s without speech, the one with the best score
       ``min(length, 1 s) - 0.25 s * distance``, distance being 1 at the edge of the search: a longer pause
       wins, of nearly equal ones the nearer. The cut lies in its middle; in a pause above 1 s at its
       quietest point at least 0.5 s from both ends, where even speech that the detector missed is unlikely.
    2. ``short_pause``: among runs of at least 0.1 s, the one whose quietest frame is lowest (3 dB of
       handicap at the edge of the search, 0.5 dB of bonus per frame of length); the cut lies there, but never
       in the first or last quarter of the run, where the detector may be late.
    3. ``hard``: the frame with the least smoothed probability of speech plus half its relative energy.
    """
    runs = _runs(probabilities < _NO_SPEECH)
    long_runs = [run for run in runs if run[1] - run[0] >= LONG_PAUSE]
    seams = [_cut_pause(run, energy, window_start, search) for run in long_runs]
    if seams:
        scores = [
            min((end - start) * FRAME, AMPLE_PAUSE) - _DISTANCE_PAUSE * search.distance(seam.at)
            for (start, end), seam in zip(long_runs, seams, strict=True)
        ]
        return seams[int(np.argmax(scores))]
    short_runs = [run for run in runs if run[1] - run[0] >= SHORT_PAUSE]
    if short_runs:
        return _cut_short_pause(short_runs, energy, window_start, search)
    return _cut_speech(probabilities, energy, window_start, search)


def _runs(silent: np.ndarray) -> list[tuple[int, int]]:
    """Spans ``[first, last)`` of consecutive true frames."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], silent, [False]]).astype(np.int8)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def _middle(frames: np.ndarray, window_start: int) -> np.ndarray:
    return np.asarray(window_start + frames * FRAME + FRAME // 2)


def _cut_pause(run: tuple[int, int], energy: np.ndarray, window_start: int, search: Search) -> Seam:
    start, end = (window_start + edge * FRAME for edge in run)
    at = (start + end) // 2
    if end - start > AMPLE_PAUSE:
        # Frames whose middle is half an ample pause from both ends; of equally quiet ones the nearest.
        frames = np.arange(run[0] + LONG_PAUSE - 1, run[1] - LONG_PAUSE + 1)
        loudness = _smoothed(energy)[frames].round()
        places = _middle(frames, window_start)
        at = int(places[np.lexsort((np.abs(places - search.target), loudness))[0]])
    at = search.clamp(at)
    return Seam("pause", at, max(0, min(at - start, end - at)))


def _cut_short_pause(runs: list[tuple[int, int]], energy: np.ndarray, window_start: int, search: Search) -> Seam:
    best: tuple[float, Seam] | None = None
    for first, last in runs:
        quarter = max(1, (last - first) // 4)
        frames = np.arange(first + quarter, last - quarter)
        places = _middle(frames, window_start)
        handicap = _DISTANCE_DB * np.abs(places - search.target) / max(1, search.radius)
        scores = energy[frames] + handicap - _LENGTH_DB * (last - first)
        index = int(np.argmin(scores))
        at = search.clamp(int(places[index]))
        margin = max(0, min(at - window_start - first * FRAME, window_start + last * FRAME - at))
        if best is None or scores[index] < best[0]:
            best = float(scores[index]), Seam("short_pause", at, margin)
    assert best is not None
    return best[1]


def _cut_speech(probabilities: np.ndarray, energy: np.ndarray, window_start: int, search: Search) -> Seam:
    if not len(probabilities):
        return Seam("hard", search.target, search.overlap)
    low, high = float(energy.min()), float(energy.max())
    relative = (_smoothed(energy) - low) / max(1.0, high - low)
    places = _middle(np.arange(len(probabilities)), window_start)
    distance = np.abs(places - search.target) / max(1, search.radius)
    scores = _smoothed(probabilities) + _ENERGY_HARD * relative + _DISTANCE_HARD * distance
    return Seam("hard", search.clamp(int(places[np.argmin(scores)])), search.overlap)


def _smoothed(values: np.ndarray) -> np.ndarray:
    """Moving average over five frames (0.16 s); the ends repeat their last value."""
    padded = np.pad(values, _SMOOTHING // 2, mode="edge")
    return np.convolve(padded, np.full(_SMOOTHING, 1 / _SMOOTHING), mode="valid")


def context_bounds(start: int, end: int, left: Seam, right: Seam, samples: int) -> tuple[int, int]:
    """What a chunk that owns ``[start, end)`` decodes: ``[context_start, context_end)``.

    Over a pause as much of it as is free of speech, at most 0.5 s; over a hard seam its overlap;
    nothing beyond the recording's ends. An empty chunk decodes nothing.
    """
    if end <= start:
        return start, start
    return max(0, start - _reach(left)), min(samples, end + _reach(right))


def _reach(seam: Seam) -> int:
    return seam.margin if seam.kind == "hard" else min(seam.margin, PAUSE_CONTEXT)


def make_chunks(
    recording: str, channel: int | None, samples: int, cuts: list[Seam], count: int, hashes: list[str]
) -> list[Chunk]:
    """Exactly ``count`` chunks whose owned spans tile ``[0, samples)``, in order.

    ``cuts``: at most ``count - 1`` seams, increasing. Chunks without a cut of their own (the file is
    shorter than planned) are empty and lie at the end; a last chunk owns all that is left. ``hashes``:
    SHA-256 of what each chunk decodes (``chunks.pcm_hash``), in order.
    """
    end = Seam("edge", samples, 0)
    seams = [Seam("edge", 0, 0), *cuts]
    seams += [end] * (count + 1 - len(seams))
    chunks = []
    for index, (left, right, digest) in enumerate(zip(seams[:-1], seams[1:], hashes, strict=True)):
        context = context_bounds(left.at, right.at, left, right, samples)
        name = chunk_id(recording, channel, index)
        chunks.append(Chunk(name, recording, channel, index, left.at, right.at, *context, left, right, digest))
    return chunks
