"""Decides from scores where a term stands in a recording, and that what sounds alike becomes one term."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from audiogrid.aligning.names import NamePassage
from audiogrid.core.text import comparison_form

# By so much the log-probability with a term must exceed that with what was heard; more where it sounds less like it.
_LEAST_GAIN = 1.5
_SURELY_ALIKE = 87.0
_GAIN_PER_POINT = 0.6
# Where the recording has the term at another place, the audio may be undecided. Of 60 mentions of 20 names, with 1.5,
# 0, -1, -3 and -9 as the bound 43, 46, 47, 48 and 48 come out right, and no more wrong (benchmarks/names.py --again).
_LEAST_GAIN_AGAIN = -1.0
# Among terms, a point of likeness counts as much as this log-probability.
_POINT = 2.0


@dataclass(frozen=True)
class Verdict:
    """A term in the place of what was heard. ``heard``, ``score``: log-probabilities of the words around with either.

    ``reason``: the audio says so, the recording has the term elsewhere, or what was heard must never be written.
    """

    term: str
    heard: float
    score: float
    likeness: float
    reason: Literal["audio", "one spelling", "never"] = "audio"

    @property
    def gain(self) -> float:
        """By how much the term is more probable than what was heard."""
        return self.score - self.heard


def verdicts(passages: Sequence[NamePassage], scores: Sequence[Sequence[float]]) -> list[Verdict | None]:
    """Returns, for each passage of a recording, the term that stands there, or ``None`` where what was heard stays.

    ``scores``: the log-probability of each reading of each passage, given the audio.
    """
    best = [_best(passage, own) for passage, own in zip(passages, scores, strict=True)]
    decided = [one if _is_certain(passage, one) else None for passage, one in zip(passages, best, strict=True)]
    terms = {one.term for one in decided if one is not None}
    for index, one in enumerate(best):
        if decided[index] is None and one is not None and one.term in terms and one.gain >= _needed(one, again=True):
            decided[index] = replace(one, reason="one spelling")
    return _one_term_per_form(passages, scores, decided)


def _best(passage: NamePassage, scores: Sequence[float]) -> Verdict | None:
    heard, *others = scores
    found = [
        Verdict(term, heard, score, likeness)
        for (term, likeness), score in zip(passage.candidate.scored_terms, others, strict=True)
    ]
    best = max(found, key=lambda one: (one.score + _POINT * one.likeness, one.term), default=None)
    return replace(best, reason="never") if best is not None and passage.candidate.never else best


def _is_certain(passage: NamePassage, one: Verdict | None) -> bool:
    return one is not None and (passage.candidate.never or one.gain >= _needed(one))


def _needed(one: Verdict, *, again: bool = False) -> float:
    if again:
        return _LEAST_GAIN_AGAIN
    return _LEAST_GAIN + _GAIN_PER_POINT * max(0.0, _SURELY_ALIKE - one.likeness)


def _one_term_per_form(
    passages: Sequence[NamePassage], scores: Sequence[Sequence[float]], decided: Sequence[Verdict | None]
) -> list[Verdict | None]:
    """Returns verdicts in which the same heard words are one term: that with the greatest gain in all of the places."""
    forms = [comparison_form(passage.heard) for passage in passages]
    sums: dict[str, dict[str, float]] = {}
    rivals: dict[str, set[str]] = {}
    for form, passage, own, one in zip(forms, passages, scores, decided, strict=True):
        gains = sums.setdefault(form, {})
        for term, score in zip(passage.candidate.terms, own[1:], strict=True):
            gains[term] = gains.get(term, 0.0) + score - own[0]
        if one is not None:
            rivals.setdefault(form, set()).add(one.term)
    found: list[Verdict | None] = []
    for form, passage, own, one in zip(forms, passages, scores, decided, strict=True):
        if one is not None and len(rivals[form]) > 1:
            gains = sums[form]
            term = max(rivals[form], key=lambda name: (gains[name], name))
            if term != one.term and term in passage.candidate.terms:
                score = own[1 + passage.candidate.terms.index(term)]
                one = replace(one, term=term, score=score, reason="one spelling")
        found.append(one)
    return found
