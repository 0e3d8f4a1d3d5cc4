"""Aligns two token sequences (with jiwer): which tokens agree, and where the others are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Kind = Literal["equal", "substitute", "delete", "insert"]


@dataclass(frozen=True)
class Span:
    """Tokens ``[start, end)`` of the reference against ``[other_start, other_end)`` of the hypothesis.

    Both are of the same length where they are equal or substituted; one is empty otherwise.
    """

    kind: Kind
    start: int
    end: int
    other_start: int
    other_end: int


@dataclass(frozen=True)
class Alignment:
    """A hypothesis aligned with a reference, both as tokens, with the fewest errors."""

    reference: Sequence[str]
    hypothesis: Sequence[str]
    spans: list[Span]

    def count(self, kind: Kind) -> int:
        """Returns the number of tokens of this kind."""
        return sum(max(s.end - s.start, s.other_end - s.other_start) for s in self.spans if s.kind == kind)

    @property
    def errors(self) -> int:
        """Substitutions, deletions and insertions together."""
        return self.count("substitute") + self.count("delete") + self.count("insert")

    @property
    def rate(self) -> float:
        """Errors per reference token. Without a reference 0 for an empty hypothesis, else 1."""
        if not self.reference:
            return float(bool(self.hypothesis))
        return self.errors / len(self.reference)

    def by_position(self) -> NDArray[np.float64]:
        """Returns the errors counted at each reference token, shape ``(max(1, tokens),)``.

        An inserted token counts at the reference token before it (the first one where there is none).
        """
        charged = np.zeros(max(1, len(self.reference)))
        for span in self.spans:
            if span.kind in ("substitute", "delete"):
                charged[span.start : span.end] += 1
            elif span.kind == "insert":
                charged[max(0, span.start - 1)] += span.other_end - span.other_start
        return charged


def align(reference: Sequence[str], hypothesis: Sequence[str]) -> Alignment:
    """Returns the alignment with the fewest errors. Tokens must hold no white space."""
    from jiwer import process_words

    if not reference or not hypothesis:
        # Versions of jiwer differ in how they treat empty texts.
        spans = [Span("delete", 0, len(reference), 0, 0)] if reference else []
        spans += [Span("insert", 0, 0, 0, len(hypothesis))] if hypothesis else []
        return Alignment(reference, hypothesis, spans)
    found = process_words(" ".join(reference), " ".join(hypothesis)).alignments[0]
    spans = [
        Span(cast(Kind, chunk.type), chunk.ref_start_idx, chunk.ref_end_idx, chunk.hyp_start_idx, chunk.hyp_end_idx)
        for chunk in found
    ]
    return Alignment(reference, hypothesis, spans)


def errors_per_block(
    charged: NDArray[np.float64], tokens: int, size: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns errors and tokens of consecutive passages of ``size`` tokens; a short rest joins the last one.

    ``charged``: from ``Alignment.by_position`` for a reference of ``tokens`` tokens.
    """
    starts = np.arange(0, max(1, tokens - size // 2), size)
    ends = np.append(starts[1:], tokens)
    return np.add.reduceat(charged, starts), (ends - starts).astype(float)
