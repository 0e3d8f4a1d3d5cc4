"""Finds the passages in which variants differ most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audiogrid.scoring.alignment import Alignment, Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Reference tokens per passage: about six seconds of speech.
LENGTH = 16
_STEP = 4


@dataclass(frozen=True)
class Piece:
    """Consecutive tokens of one kind. ``wanted``: in the reference; ``given``: in the transcript."""

    kind: Kind
    wanted: str
    given: str


@dataclass(frozen=True)
class Passage:
    """Tokens ``[start, end)`` of a reference, and each variant's reading of them, by its name.

    ``score``: how much the variants differ here.
    """

    start: int
    end: int
    score: float
    readings: dict[str, list[Piece]]


def reading(alignment: Alignment, start: int, end: int) -> list[Piece]:
    """Returns the hypothesis for tokens ``[start, end)`` of the reference.

    Inserted tokens count to the token before them, as in ``Alignment.by_position``.
    """
    pieces = []
    for span in alignment.spans:
        if span.kind == "insert":
            if start <= max(0, span.start - 1) < end:
                pieces.append(Piece("insert", "", " ".join(alignment.hypothesis[span.other_start : span.other_end])))
            continue
        first, last = max(span.start, start), min(span.end, end)
        if first >= last:
            continue
        wanted = " ".join(alignment.reference[first:last])
        shift = span.other_start - span.start
        given = "" if span.kind == "delete" else " ".join(alignment.hypothesis[first + shift : last + shift])
        pieces.append(Piece(span.kind, wanted, given))
    return pieces


def _disagreement(charged: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Returns, per reference token, how much the variants differ, plus a little for errors common to all."""
    table = np.stack(charged)
    return np.asarray(table.max(axis=0) - table.min(axis=0) + 0.1 * table.mean(axis=0))


def most_different(alignments: Mapping[str, Alignment], count: int) -> list[Passage]:
    """Returns at most ``count`` disjoint passages, those in which variants differ most first.

    All alignments are with the same reference.
    """
    if not alignments:
        return []
    tokens = len(next(iter(alignments.values())).reference)
    apart = _disagreement([alignment.by_position() for alignment in alignments.values()])
    sums = np.concatenate([[0.0], np.cumsum(apart)])
    starts = np.arange(0, max(1, len(apart) - LENGTH + _STEP), _STEP)
    ends = np.minimum(starts + LENGTH, len(apart))
    scores = sums[ends] - sums[starts]
    chosen: list[Passage] = []
    for index in np.argsort(-scores, kind="stable"):
        if len(chosen) == count or scores[index] <= 0:
            break
        start, end = int(starts[index]), int(ends[index])
        if all(end <= other.start or start >= other.end for other in chosen):
            end = min(end, max(tokens, 1))
            readings = {name: reading(alignment, start, end) for name, alignment in alignments.items()}
            chosen.append(Passage(start, end, float(scores[index]), readings))
    return chosen
