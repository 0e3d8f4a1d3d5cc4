"""Decides by sentence what a path from a text to what was heard leaves open: words that agree by chance, numerals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from audiogrid.aligning.cheapest_path import GAP, Step

#: What a pair of words costs that have nothing in common: less than the gaps that would take its place.
UNLIKE = 170
# Words of a pair that costs less are the same one, spelt otherwise or misheard.
_MOST_ALIKE = 120
# Cost of a word that belongs to a numeral beside it, such as "hundred" in "two hundred" for "200".
_OF_NUMERAL = 51
# Of a sentence that is said, at least this share of its letters is in words that were heard alike.
_LEAST_ALIKE = 0.34
_LEAST_WORDS = 3
# A sentence has so many more words than what would stand for it that it stands for nothing.
_SURPLUS = 1.5

_Side = Callable[[Step], int]


def is_alike(step: Step) -> bool:
    """Returns whether a word has its like on the other side."""
    return step.cost == _OF_NUMERAL or (min(step.text, step.heard) >= 0 and step.cost < _MOST_ALIKE)


def is_unlike(step: Step) -> bool:
    """Returns whether two words have nothing in common but their place."""
    return step.cost >= _MOST_ALIKE


def as_sentences(
    steps: Sequence[Step],
    text: Sequence[str],
    heard: Sequence[str],
    text_begins: Sequence[bool],
    heard_begins: Sequence[bool],
) -> list[Step]:
    """Returns steps in which a sentence that one side lacks is a gap, also where some of its words agree by chance.

    ``text_begins`` and ``heard_begins``: whether a sentence begins before each word.
    """

    def of_text(step: Step) -> int:
        return step.text

    def of_heard(step: Step) -> int:
        return step.heard

    found = _with_numerals(list(steps), text, heard, text_begins, of_text, of_heard)
    found = _with_numerals(found, heard, text, heard_begins, of_heard, of_text)
    found = _without_islands(found)
    found = list(_decided(found, text, text_begins, of_text))
    return list(_decided(found, heard, heard_begins, of_heard))


def _with_numerals(
    steps: list[Step],
    words: Sequence[str],
    others: Sequence[str],
    begins: Sequence[bool],
    side: _Side,
    other_side: _Side,
) -> list[Step]:
    """Gives numerals of the other side the words of this side that they may be: two for a digit, of one sentence."""
    found = list(steps)
    for at, step in enumerate(steps):
        if min(step.text, step.heard) < 0 or step.cost == 0:
            continue
        digits = sum(map(str.isdigit, others[other_side(step)]))
        if not digits or any(map(str.isdigit, words[side(step)])):
            continue
        left = 2 * digits
        for direction in (-1, 1):
            place = at + direction
            while left and 0 <= place < len(found) and _is_gap(found[place], side):
                if begins[side(found[place]) + (direction < 0)]:
                    break
                found[place] = replace(found[place], cost=_OF_NUMERAL)
                place, left = place + direction, left - 1
    return found


def _is_gap(step: Step, side: _Side) -> bool:
    return step.cost == GAP and side(step) >= 0 and min(step.text, step.heard) < 0


def _without_islands(steps: Sequence[Step]) -> list[Step]:
    """A word or two of a passage that is otherwise different agree by chance."""
    groups = [list(group) for _, group in groupby(steps, lambda step: step.cost == 0)]
    loose = [_loose(group) for group in groups]
    for at in range(1, len(groups) - 1):
        group = groups[at]
        if group[0].cost:
            continue
        text, heard = (before + after for before, after in zip(loose[at - 1], loose[at + 1], strict=True))
        least = min(max(loose[at - 1]), max(loose[at + 1]))
        is_mixed = min(text, heard) * 2 >= max(text, heard)
        if is_mixed and least >= 2 * len(group) and max(text, heard) >= 6 * len(group):
            groups[at] = [replace(step, cost=UNLIKE) for step in group]
    return [step for group in groups for step in group]


def _loose(group: Sequence[Step]) -> tuple[int, int]:
    """Returns how many words of each side have nothing that is like them on the other side."""
    loose = [step for step in group if step.cost and not is_alike(step)]
    return sum(step.text >= 0 for step in loose), sum(step.heard >= 0 for step in loose)


def _decided(steps: Sequence[Step], words: Sequence[str], begins: Sequence[bool], side: _Side) -> Iterator[Step]:
    """Yields steps, of which those of a sentence of one side that the other side lacks are gaps."""
    at = 0
    while at < len(steps):
        end = at + 1
        while end < len(steps) and not (side(steps[end]) >= 0 and begins[side(steps[end])]):
            end += 1
        yield from _sentence(steps[at:end], words, side)
        at = end


def _sentence(steps: Sequence[Step], words: Sequence[str], side: _Side) -> Sequence[Step]:
    own = [step for step in steps if side(step) >= 0]
    alike = sum(len(words[side(step)]) for step in own if is_alike(step))
    is_said = alike >= _LEAST_ALIKE * sum(len(words[side(step)]) for step in own)
    if is_said or len(own) < _LEAST_WORDS or _longest_same(steps) >= _LEAST_WORDS:
        return steps
    pairs = sum(min(step.text, step.heard) >= 0 for step in own)
    if len(own) - pairs > _SURPLUS * pairs:
        return [
            *(Step(step.text, -1) for step in steps if step.text >= 0),
            *(Step(-1, step.heard) for step in steps if step.heard >= 0),
        ]
    return [replace(step, cost=UNLIKE) if min(step.text, step.heard) >= 0 else step for step in steps]


def _longest_same(steps: Sequence[Step]) -> int:
    return max(
        (sum(1 for _ in group) for is_same, group in groupby(steps, lambda step: step.cost == 0) if is_same), default=0
    )
