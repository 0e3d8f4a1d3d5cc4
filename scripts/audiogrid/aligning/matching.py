"""Finds which words of a given text were heard where, although some were heard otherwise and sentences are missing.

Passages that both sides have once divide the two; between them lies the cheapest path of pairs of words and gaps. A
pair costs the less the more alike its words are, and a gap the least where it begins and ends with a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, takewhile

import numpy as np
from numpy.typing import NDArray

from audiogrid.aligning.cheapest_path import GAP, Step, cheapest_path
from audiogrid.aligning.common_passages import Passage, common_passages, matching_passages, numbered
from audiogrid.aligning.matched_sentences import UNLIKE, as_sentences, is_alike, is_unlike

#: Runs of fewer words are part of the run beside them.
LEAST_RUN = 3
# A numeral may be any word that has no digit: what it is called depends on the language.
_NUMERAL = 50
# Beginning or ending a gap within a sentence.
_WITHIN_SENTENCE = 60
# So many pairs of words are compared at once: 9 bytes each, and 8 more for a while.
_MOST_PAIRS = 4_000_000
# With fewer pairs there is nothing to gain by looking for passages first.
_FEW_PAIRS = 10_000
_DEEPEST = 12


@dataclass(frozen=True)
class Run:
    """Words ``[first, last)`` of the text against words ``[heard_first, heard_last)`` that were heard.

    ``is_same``: both are the same words; else one of the two may be empty. ``alike``: share of the letters of both
    sides that belong to words which are alike, such as other spellings and numerals.
    """

    first: int
    last: int
    heard_first: int
    heard_last: int
    is_same: bool = False
    alike: float = 0.0

    @property
    def words(self) -> int:
        """Words on the longer side."""
        return max(self.last - self.first, self.heard_last - self.heard_first)


@dataclass(frozen=True)
class _Sides:
    """Both sequences, and where their sentences begin: before each word, and behind the last."""

    text: Sequence[str]
    heard: Sequence[str]
    text_begins: Sequence[bool]
    heard_begins: Sequence[bool]


def match_words(
    text: Sequence[str],
    heard: Sequence[str],
    begins_text: Callable[[int], bool] = lambda index: False,
    begins_heard: Callable[[int], bool] = lambda index: False,
) -> list[Run]:
    """Returns runs that cover both sequences in order.

    ``begins_text`` and ``begins_heard``: whether a sentence begins at a word.
    """
    if not text or not heard:
        return [Run(0, len(text), 0, len(heard))] if text or heard else []

    def begins(words: Sequence[str], is_begin: Callable[[int], bool]) -> list[bool]:
        return [True, *(is_begin(index) for index in range(1, len(words))), True]

    sides = _Sides(text, heard, begins(text, begins_text), begins(heard, begins_heard))
    steps = _Matcher(sides).steps()
    return list(_runs(as_sentences(steps, text, heard, sides.text_begins, sides.heard_begins), sides))


class _Matcher:
    """Finds the steps from one sequence to the other."""

    def __init__(self, sides: _Sides) -> None:
        self._sides = sides
        self._text, self._heard = numbered(sides.text, sides.heard)
        self._text_edges, self._heard_edges = (
            np.where(begins, 0, _WITHIN_SENTENCE).astype(np.int64) for begins in (sides.text_begins, sides.heard_begins)
        )

    def steps(self) -> list[Step]:
        return list(self._between(0, len(self._text), 0, len(self._heard)))

    def _between(self, first: int, last: int, heard_first: int, heard_last: int, depth: int = 0) -> Iterator[Step]:
        size = (last - first) * (heard_last - heard_first)
        passages: list[Passage] = []
        if size > _FEW_PAIRS and depth < _DEEPEST:
            one, other = self._text[first:last], self._heard[heard_first:heard_last]
            passages = common_passages(one, other, 4)
            if size > _MOST_PAIRS:
                passages = passages or common_passages(one, other, 3) or matching_passages(one, other, 4)
        if not passages:
            yield from self._path(first, last, heard_first, heard_last)
            return
        at, heard_at = first, heard_first
        for one_passage in passages:
            begin, heard_begin = first + one_passage.first, heard_first + one_passage.other
            yield from self._between(at, begin, heard_at, heard_begin, depth + 1)
            yield from (Step(begin + word, heard_begin + word, 0) for word in range(one_passage.words))
            at, heard_at = begin + one_passage.words, heard_begin + one_passage.words
        yield from self._between(at, last, heard_at, heard_last, depth + 1)

    def _path(self, first: int, last: int, heard_first: int, heard_last: int) -> Iterator[Step]:
        size = (last - first) * (heard_last - heard_first)
        if not size or size > _MOST_PAIRS:
            # With so many pairs and no passage in common nothing of one side is the other's.
            yield from (Step(index, -1) for index in range(first, last))
            yield from (Step(-1, index) for index in range(heard_first, heard_last))
            return
        pairs = pair_costs(self._sides.text[first:last], self._sides.heard[heard_first:heard_last])
        edges, heard_edges = self._text_edges[first : last + 1], self._heard_edges[heard_first : heard_last + 1]
        for step in cheapest_path(pairs, edges, heard_edges):
            text, heard = step.text, step.heard
            yield Step(text + first if text >= 0 else -1, heard + heard_first if heard >= 0 else -1, step.cost)


def pair_costs(text: Sequence[str], heard: Sequence[str]) -> NDArray[np.int32]:
    """Returns what it costs to take each word of the text for each word that was heard, shape ``(text, heard)``.

    0 for the same word, ``UNLIKE`` for words with fewer than half of their letters in common.
    """
    from rapidfuzz import fuzz, process

    likeness = process.cdist(text, heard, scorer=fuzz.ratio, score_cutoff=50, dtype=np.uint8).astype(np.int32)
    costs = np.minimum(UNLIKE, UNLIKE * 2 * (100 - likeness) // 100)
    # A likeness of 100 may be a rounded one.
    costs = np.maximum(costs, 1)
    numbers, heard_numbers = numbered(text, heard)
    costs[numbers[:, None] == heard_numbers[None, :]] = 0
    numerals, heard_numerals = (
        np.array([any(map(str.isdigit, word)) for word in words], bool) for words in (text, heard)
    )
    costs[numerals[:, None] != heard_numerals[None, :]] = _NUMERAL
    return costs.astype(np.int32)


def _runs(steps: Sequence[Step], sides: _Sides) -> Iterator[Run]:
    """Yields runs: of the same words, of words that one side has alone, and of what else lies between them."""
    text = heard = 0
    for group in _groups(steps, sides):
        last = text + sum(step.text >= 0 for step in group)
        heard_last = heard + sum(step.heard >= 0 for step in group)
        yield Run(text, last, heard, heard_last, group[0].cost == 0, _alike(group, sides))
        text, heard = last, heard_last


def _groups(steps: Sequence[Step], sides: _Sides) -> Iterator[list[Step]]:
    parts = [(kind, list(group)) for kind, group in groupby(steps, _kind)]
    mixed: list[Step] = []
    text = heard = 0
    for at, (kind, group) in enumerate(parts):
        is_run = kind == "same" or (kind != "pairs" and _stands_alone(parts, at, sides))
        if mixed and is_run:
            yield mixed
            mixed = []
        for step in group:
            # What is said otherwise ends where a sentence ends on both sides.
            if mixed and not is_run and sides.text_begins[text] and sides.heard_begins[heard]:
                yield mixed
                mixed = []
            text, heard = text + (step.text >= 0), heard + (step.heard >= 0)
            if not is_run:
                mixed.append(step)
        if is_run:
            yield group
    if mixed:
        yield mixed


def _kind(step: Step) -> str:
    if step.cost == 0:
        return "same"
    if step.cost != GAP:
        return "pairs"
    return "text" if step.heard < 0 else "heard"


def _stands_alone(parts: Sequence[tuple[str, list[Step]]], at: int, sides: _Sides) -> bool:
    """Returns whether words of one side are more than the rest of a passage that is said otherwise."""
    kind, group = parts[at]
    if len(group) < LEAST_RUN:
        return False
    begins = sides.text_begins if kind == "text" else sides.heard_begins

    def index(step: Step) -> int:
        return step.text if kind == "text" else step.heard

    beside = 0
    if at and parts[at - 1][0] == "pairs" and not begins[index(group[0])]:
        beside += sum(1 for _ in takewhile(is_unlike, reversed(parts[at - 1][1])))
    if at + 1 < len(parts) and parts[at + 1][0] == "pairs" and not begins[index(group[-1]) + 1]:
        beside += sum(1 for _ in takewhile(is_unlike, parts[at + 1][1]))
    return len(group) > 1.5 * beside


def _alike(group: Sequence[Step], sides: _Sides) -> float:
    """Returns the share of the letters that belong to words which are alike."""
    alike = total = 0
    for step in group:
        letters = len(sides.text[step.text]) if step.text >= 0 else 0
        letters += len(sides.heard[step.heard]) if step.heard >= 0 else 0
        total += letters
        alike += letters * is_alike(step)
    return alike / total if total else 0.0
