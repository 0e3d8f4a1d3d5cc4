"""Speech packed into windows of at most 30 s.

The encoder always sees 30 s, so an unfilled window is paid for in full. Spans of speech are joined,
in order, as voice activity left them: with their pads, without the silence between the pads.
Where the windows part is chosen for the whole chunk at once (dynamic programming): as few windows
as possible, and among those, parted at the longest pauses, which are mostly ends of sentences.
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
# Parting a span in which no pause was found is a last resort.
_SPLIT_COST = 0.6


@dataclass(frozen=True)
class Piece:
    """A span ``[start, end)`` of the chunk, in samples."""

    start: int
    end: int


@dataclass(frozen=True)
class Layout:
    """Audio made of pieces of a chunk laid end to end, and how to find the way back."""

    pieces: tuple[Piece, ...]

    @cached_property
    def offsets(self) -> list[int]:
        """First sample of every piece in the laid-out audio, and its length at the end."""
        return [0, *np.cumsum([piece.end - piece.start for piece in self.pieces]).tolist()]

    @property
    def samples(self) -> int:
        """Length of the laid-out audio."""
        return self.offsets[-1]

    def audio(self, pcm: np.ndarray) -> np.ndarray:
        """The laid-out samples of a chunk's ``pcm``."""
        if not self.pieces:
            return pcm[:0]
        return np.concatenate([pcm[piece.start : piece.end] for piece in self.pieces])

    def piece_at(self, sample: int) -> int:
        """Index of the piece that holds a sample of the laid-out audio (the last one beyond its end)."""
        index = int(np.searchsorted(self.offsets, sample, side="right")) - 1
        return min(max(index, 0), len(self.pieces) - 1)

    def back(self, sample: int, piece: int) -> int:
        """Sample of the chunk, clamped to ``piece``, for a sample of the laid-out audio."""
        span = self.pieces[piece]
        return min(max(span.start + sample - self.offsets[piece], span.start), span.end)

    def part(self, start: int, end: int) -> Layout:
        """The layout of ``[start, end)`` of the laid-out audio."""
        found = []
        for offset, piece in zip(self.offsets, self.pieces, strict=False):
            low = max(start - offset, 0) + piece.start
            high = min(end - offset + piece.start, piece.end)
            if low < high:
                found.append(Piece(low, high))
        return Layout(tuple(found))


def split_long(span: tuple[int, int], probabilities: np.ndarray, longest: int) -> list[tuple[int, int]]:
    """Parts of ``span``, none longer than ``longest`` samples, parted where speech is least likely.

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
    """Windows of at most ``longest`` samples that hold all ``spans`` (padded speech, in order).

    ``speech``: the same spans without their pads, which say how long the pauses are.
    ``probabilities``: of every 512-sample frame of the chunk, to part spans that are too long.
    """
    units: list[tuple[int, int]] = []
    costs: list[float] = []
    for index, span in enumerate(spans):
        parts = split_long(span, probabilities, longest)
        units += parts
        pause = speech[index][0] - speech[index - 1][1] if index else _GOOD_PAUSE
        costs += [_CUT_COST * max(0.0, 1 - pause / _GOOD_PAUSE), *[_SPLIT_COST] * (len(parts) - 1)]
    # best[i]: cost of packing the first i units; came[i]: where the last window begins.
    best = [0.0, *[float("inf")] * len(units)]
    came = [0] * (len(units) + 1)
    for last in range(1, len(units) + 1):
        length = 0
        for first in range(last - 1, -1, -1):
            length += units[first][1] - units[first][0]
            if length > longest:
                break
            cost = best[first] + 1.0 + costs[first]
            if cost < best[last] - 1e-9:
                best[last], came[last] = cost, first
    windows = []
    last = len(units)
    while last:
        windows.append(Layout(tuple(_joined(units[came[last] : last]))))
        last = came[last]
    return windows[::-1]


def _joined(units: list[tuple[int, int]]) -> list[Piece]:
    """Pieces of the units, those that touch made into one."""
    pieces: list[Piece] = []
    for start, end in units:
        if pieces and pieces[-1].end == start:
            pieces[-1] = Piece(pieces[-1].start, end)
        else:
            pieces.append(Piece(start, end))
    return pieces


def overlap(span: tuple[int, int], others: list[tuple[int, int]]) -> int:
    """Samples of ``span`` that the disjoint spans ``others`` cover."""
    return sum(max(0, min(span[1], end) - max(span[0], start)) for start, end in others)


def heard(layout: Layout, speech: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans of ``speech`` (without pads, in samples of the chunk) inside a layout."""
    found = []
    for piece in layout.pieces:
        for start, end in speech:
            low, high = max(start, piece.start), min(end, piece.end)
            if low < high:
                found.append((low, high))
    return found


def seconds(spans: list[tuple[int, int]]) -> float:
    """Total length of spans in seconds."""
    return sum(end - start for start, end in spans) / SAMPLE_RATE
