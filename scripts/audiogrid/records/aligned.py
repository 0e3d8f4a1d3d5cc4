"""What aligning a chunk yields: where the words of a given text lie, and how probable other readings of a word are.

Times are samples at 16 kHz counted from the first sample that was decoded (``Chunk.context_start``).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

#: Of results of aligning; it has nothing to do with that of decoded chunks.
ALIGNED_SCHEMA = 1


class TimedWord(msgspec.Struct, frozen=True, array_like=True):
    """``[start, end)`` in samples, and the mean probability of the word's tokens. A list of values in JSON."""

    start: int
    end: int
    probability: float


@dataclass(frozen=True)
class AlignedChunk:
    """``windows``: the words of every window, in the order in which they were asked for.

    ``scores``: per question, the log-probability of the whole window with each of its readings.
    """

    samples: int
    windows: list[list[TimedWord]]
    scores: list[list[float]] = field(default_factory=list)
