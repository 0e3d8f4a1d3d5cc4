"""The cheapest way to turn one sequence of words into another: pairs of words, and gaps that only one side fills.

Affine gaps as in O. Gotoh, "An improved algorithm for matching biological sequences" (1982), with costs of opening and
closing a gap that depend on the place, so that a gap is a sentence rather than as many words of two sentences. All
costs are whole numbers: the path is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Cost of a word that only one side has.
GAP = 100
_INFINITE = 1 << 40
_IS_ROW_GAP, _IS_COLUMN_GAP = 1, 2


@dataclass(frozen=True, slots=True)
class Step:
    """A word of each side, or of one side alone; the other index is then -1. ``cost``: that of the pair."""

    text: int
    heard: int
    cost: int = GAP


def cheapest_path(
    pairs: NDArray[np.int32], text_edges: NDArray[np.int64], heard_edges: NDArray[np.int64]
) -> list[Step]:
    """Returns the steps of the cheapest path, with indices from 0.

    ``pairs``: cost of each word of the text with each word that was heard, shape ``(text, heard)``. ``text_edges``:
    what it costs to begin or end a gap before each word of the text and behind the last, shape ``(text + 1,)``;
    ``heard_edges`` alike. Needs 9 bytes for each pair.
    """
    if pairs.shape[0] > pairs.shape[1]:
        # A turn of the loop handles a row, however long it is.
        return [Step(one.heard, one.text, one.cost) for one in _path(pairs.T, heard_edges, text_edges)]
    return list(_path(pairs, text_edges, heard_edges))


def _path(pairs: NDArray[np.int32], row_edges: NDArray[np.int64], edges: NDArray[np.int64]) -> Iterator[Step]:
    rows, columns = pairs.shape
    choice = np.zeros((rows + 1, columns + 1), np.uint8)
    row_from, column_from = np.zeros((2, rows + 1, columns + 1), np.int32)
    places = np.arange(columns + 1)
    slope = GAP * places
    # The best cost of paths that end here, and of those that end here in an unfinished gap of rows.
    best = np.full(columns + 1, _INFINITE, np.int64)
    best[0] = 0
    gaps = np.full(columns + 1, _INFINITE, np.int64)
    gap_from = np.zeros(columns + 1, np.int32)
    for row in range(rows + 1):
        if row:
            opened = best + row_edges[row - 1]
            gap_from = np.where(opened < gaps, row - 1, gap_from)
            gaps = np.minimum(opened, gaps) + GAP
            diagonal = np.full(columns + 1, _INFINITE, np.int64)
            diagonal[1:] = best[:-1] + pairs[row - 1]
            closed = gaps + row_edges[row]
            choice[row] = np.where(closed < diagonal, _IS_ROW_GAP, 0)
            row_from[row] = gap_from
            best = np.minimum(closed, diagonal)
        # A gap of columns begins where the rest of the row is cheapest to the left.
        begun = best + edges - slope
        least = np.minimum.accumulate(begun)
        begin = np.maximum.accumulate(np.where(begun == least, places, 0))
        across = np.full(columns + 1, _INFINITE, np.int64)
        across[1:] = least[:-1] + slope[1:] + edges[1:]
        column_from[row, 1:] = begin[:-1]
        choice[row] |= np.where(across < best, _IS_COLUMN_GAP, 0).astype(np.uint8)
        best = np.minimum(across, best)
    return reversed(list(_back(pairs, choice, row_from, column_from)))


def _back(
    pairs: NDArray[np.int32],
    choice: NDArray[np.uint8],
    row_from: NDArray[np.int32],
    column_from: NDArray[np.int32],
) -> Iterator[Step]:
    """Yields the steps of the cheapest path from its end."""
    row, column = pairs.shape
    while row or column:
        if choice[row, column] & _IS_COLUMN_GAP:
            first = int(column_from[row, column])
            yield from (Step(-1, index) for index in range(column - 1, first - 1, -1))
            column = first
            # No gap of columns follows another one.
            if not row and not column:
                return
        if choice[row, column] & _IS_ROW_GAP:
            first = int(row_from[row, column])
            yield from (Step(index, -1) for index in range(row - 1, first - 1, -1))
            row = first
        else:
            row, column = row - 1, column - 1
            yield Step(row, column, int(pairs[row, column]))
