"""Word errors of a transcript whose words have speakers: the concatenated minimum-permutation error rate (cpWER).

All words of a speaker are taken together, in order, and the speakers of the transcript are matched with those of the
reference so that there are as few errors as possible. Speakers that have no partner count with all their words.
Defined by Watanabe et al., "CHiME-6 Challenge" (2020).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audiogrid.scoring.alignment import align

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class SpeakerErrors:
    """``errors`` against ``tokens`` of the reference; ``partners``: reference speaker -> that of the transcript."""

    errors: int
    tokens: int
    partners: dict[Hashable, Hashable | None]

    @property
    def rate(self) -> float:
        """Returns errors per token of the reference; infinite where there are errors but no tokens."""
        if not self.tokens:
            return float("inf") if self.errors else 0.0
        return self.errors / self.tokens


def best_assignment(cost: np.ndarray) -> list[int]:
    """Returns the column for each row of a square matrix that makes the sum least (the Hungarian algorithm)."""
    import numpy as np

    size = len(cost)
    padded = np.zeros((size + 1, size + 1))
    padded[1:, 1:] = cost
    rows, columns, row_of = np.zeros(size + 1), np.zeros(size + 1), [0] * (size + 1)
    for row in range(1, size + 1):
        row_of[0], column = row, 0
        least, done = np.full(size + 1, np.inf), np.zeros(size + 1, dtype=bool)
        way = [0] * (size + 1)
        while row_of[column]:
            done[column] = True
            current = padded[row_of[column]] - rows[row_of[column]] - columns
            better = ~done & (current < least)
            better[0] = False
            least[better] = current[better]
            for index in np.flatnonzero(better):
                way[index] = column
            following = int(np.where(done, np.inf, least)[1:].argmin()) + 1
            step = least[following]
            for index in np.flatnonzero(done):
                rows[row_of[index]] += step
                columns[index] -= step
            least[~done] -= step
            column = following
        while column:
            row_of[column] = row_of[way[column]]
            column = way[column]
    found = [0] * size
    for column in range(1, size + 1):
        found[row_of[column] - 1] = column - 1
    return found


def speaker_errors(
    reference: Mapping[Hashable, Sequence[str]], hypothesis: Mapping[Hashable, Sequence[str]]
) -> SpeakerErrors:
    """Returns the errors of tokens by speaker against those of the reference. Tokens must hold no white space."""
    import numpy as np

    wanted: list[Hashable | None] = [*reference, *[None] * max(0, len(hypothesis) - len(reference))]
    found: list[Hashable | None] = [*hypothesis, *[None] * max(0, len(reference) - len(hypothesis))]
    cost = np.array(
        [
            [
                align(reference[one] if one is not None else [], hypothesis[other] if other is not None else []).errors
                for other in found
            ]
            for one in wanted
        ],
        dtype=float,
    ).reshape(len(wanted), len(found))
    columns = best_assignment(cost)
    partners = {one: found[column] for one, column in zip(wanted, columns, strict=True) if one is not None}
    total = sum(cost[row, column] for row, column in enumerate(columns))
    return SpeakerErrors(round(float(total)), sum(len(tokens) for tokens in reference.values()), partners)
