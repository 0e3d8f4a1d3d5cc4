"""Packs speech into windows of at most 30 s.

The encoder always processes 30 s, so a window that is not full costs as much as a full one. Spans of speech are joined
in order, with their pads, without the silence between the pads. Where one window ends and the next begins is chosen for
the whole chunk at once (dynamic programming): as few windows as possible, and among those, split at the longest pauses,
which are mostly ends of sentences.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from audiogrid.core.timebase import SAMPLE_RATE, to_samples
from audiogrid.media.vad import FRAME

# A cut in a pause this long costs nothing; in a shorter one, up to _CUT_COST windows.
_GOOD_PAUSE = to_samples(1.2)
_CUT_COST = 0.3
# Splitting a span without a pause is the last resort.
_SPLIT_COST = 0.6


@dataclass(frozen=True)
class Piece:
    """A span ``[start, end)`` of the chunk, in samples."""

    start: int
    end: int


@dataclass(frozen=True)
class Layout:
    """Audio made of pieces of a chunk joined end to end; converts its samples back to samples of the chunk."""

    pieces: tuple[Piece, ...]

    @cached_property
    def offsets(self) -> list[int]:
        """First sample of every piece in the joined audio, and the total length at the end."""
        return [0, *np.cumsum([piece.end - piece.start for piece in self.pieces]).tolist()]

    @property
    def samples(self) -> int:
        """Length of the joined audio."""
        return self.offsets[-1]

    def audio(self, pcm: np.ndarray) -> np.ndarray:
        """Returns the joined samples of a chunk's ``pcm``."""
        if not self.pieces:
            return pcm[:0]
        return np.concatenate([pcm[piece.start : piece.end] for piece in self.pieces])

    def piece_at(self, sample: int) -> int:
        """Returns the index of the piece that holds a sample of the joined audio (the last one beyond its end)."""
        index = int(np.searchsorted(self.offsets, sample, side="right")) - 1
        return min(max(index, 0), len(self.pieces) - 1)

    def back(self, sample: int, piece: int) -> int:
        """Returns the sample of the chunk, clamped to ``piece``, for a sample of the joined audio."""
        span = self.pieces[piece]
        return min(max(span.start + sample - self.offsets[piece], span.start), span.end)

    def part(self, start: int, end: int) -> Layout:
        """Returns the layout of ``[start, end)`` of the joined audio."""
        found = []
        for offset, piece in zip(self.offsets, self.pieces, strict=False):
            low = max(start - offset, 0) + piece.start
            high = min(end - offset + piece.start, piece.end)
            if low < high:
                found.append(Piece(low, high))
        return Layout(tuple(found))


def split_long(span: tuple[int, int], probabilities: np.ndarray, longest: int) -> list[tuple[int, int]]:
    """Returns parts of ``span``, none longer than ``longest`` samples, split where speech is least likely.

    The cut falls in the later half of what fits, at the minimum of the speech probability smoothed
    over 5 frames (after WhisperX, ``Binarize``: lowest score in the second half).
    """
    start, end = span
    parts = []
    while end - start > longest:
        low, high = (start + longest // 2) // FRAME, (start + longest) // FRAME
        near = np.convolve(probabilities, np.full(5, 0.2), mode="same")[low:high]
        cut = (low + int(np.argmin(near))) * FRAME + FRAME // 2 if len(near) else start + longest
        cut = min(max(cut, start + 1), start + longest)
        parts.append((start, cut))
        start = cut
    return [*parts, (start, end)]


def pack(
    spans: list[tuple[int, int]], speech: list[tuple[int, int]], probabilities: np.ndarray, longest: int
) -> list[Layout]:
    """Returns windows of at most ``longest`` samples that hold all ``spans`` (padded speech, in order).

    ``speech``: the same spans without their pads, which say how long the pauses are.
    ``probabilities``: speech probability of every 512-sample frame, used to split spans that are too long.
    """
    units: list[tuple[int, int]] = []
    costs: list[float] = []
    for index, span in enumerate(spans):
        parts = split_long(span, probabilities, longest)
        units += parts
        pause = speech[index][0] - speech[index - 1][1] if index else _GOOD_PAUSE
        costs += [_CUT_COST * max(0.0, 1 - pause / _GOOD_PAUSE), *[_SPLIT_COST] * (len(parts) - 1)]
    # best[i]: cost of packing the first i units; first_unit[i]: where the last window begins.
    best = [0.0, *[float("inf")] * len(units)]
    first_unit = [0] * (len(units) + 1)
    for last in range(1, len(units) + 1):
        length = 0
        for first in range(last - 1, -1, -1):
            length += units[first][1] - units[first][0]
            if length > longest:
                break
            cost = best[first] + 1.0 + costs[first]
            if cost < best[last] - 1e-9:
                best[last], first_unit[last] = cost, first
    windows = []
    last = len(units)
    while last:
        windows.append(Layout(tuple(_joined(units[first_unit[last] : last]))))
        last = first_unit[last]
    return windows[::-1]


def _joined(units: list[tuple[int, int]]) -> list[Piece]:
    """Returns the pieces of the units, with those that touch joined."""
    pieces: list[Piece] = []
    for start, end in units:
        if pieces and pieces[-1].end == start:
            pieces[-1] = Piece(pieces[-1].start, end)
        else:
            pieces.append(Piece(start, end))
    return pieces


def overlap(span: tuple[int, int], others: list[tuple[int, int]]) -> int:
    """Returns the samples of ``span`` that the disjoint spans ``others`` cover."""
    return sum(max(0, min(span[1], end) - max(span[0], start)) for start, end in others)


def speech_inside(layout: Layout, speech: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Returns the spans of ``speech`` (without pads, in samples of the chunk) inside a layout."""
    found = []
    for piece in layout.pieces:
        for start, end in speech:
            low, high = max(start, piece.start), min(end, piece.end)
            if low < high:
                found.append((low, high))
    return found


def seconds(spans: list[tuple[int, int]]) -> float:
    """Returns the total length of spans in seconds."""
    return sum(end - start for start, end in spans) / SAMPLE_RATE
