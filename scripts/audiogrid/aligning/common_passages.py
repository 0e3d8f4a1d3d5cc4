"""Passages that two sequences of words have in common: words in a row that each side has once, in one order."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
# So many words are left to a closer look at each end of a passage, where a sentence that only one side has may begin
# or end with the same words.
_MARGIN = 5
# The sequences with most words of each other that are compared word by word: this takes some seconds.
_MOST_PAIRS = 2e10


@dataclass(frozen=True, slots=True)
class Passage:
    """``[first, first + words)`` of one side is ``[other, other + words)`` of the other side."""

    first: int
    other: int
    words: int


def numbered(one: Sequence[str], other: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns both sequences with a number in place of each word, the same for the same word."""
    numbers: dict[str, int] = {}
    first, second = ([numbers.setdefault(word, len(numbers)) for word in words] for words in (one, other))
    return np.asarray(first, np.int64), np.asarray(second, np.int64)


def common_passages(one: NDArray[np.int64], other: NDArray[np.int64], size: int) -> list[Passage]:
    """Returns the inner part of passages of at least ``size`` words that each side has once, in order."""
    firsts, seconds = _unique(one, size), _unique(other, size)
    if firsts is None or seconds is None:
        return []
    _, left, right = np.intersect1d(firsts[0], seconds[0], assume_unique=True, return_indices=True)
    starts, others = firsts[1][left], seconds[1][right]
    order = np.argsort(starts)
    starts, others = starts[order], others[order]
    is_equal = np.ones(len(starts), bool)
    for step in range(size):
        is_equal &= one[starts + step] == other[others + step]
    chosen = _longest_rise(others[is_equal].tolist())
    pairs = list(zip(starts[is_equal][chosen].tolist(), others[is_equal][chosen].tolist(), strict=True))
    return _inner(_rows(pairs, size))


def matching_passages(one: NDArray[np.int64], other: NDArray[np.int64], size: int) -> list[Passage]:
    """Returns the same for sequences in which nothing is unique, at the cost of the product of their lengths.

    None where that would take longer than some seconds.
    """
    from rapidfuzz.distance import Levenshtein

    if len(one) * len(other) > _MOST_PAIRS:
        return []
    blocks = Levenshtein.opcodes(one.tolist(), other.tolist()).as_matching_blocks()
    return _inner([Passage(block.a, block.b, block.size) for block in blocks if block.size >= size])


def _unique(words: NDArray[np.int64], size: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]] | None:
    """Returns hashes of ``size`` words in a row that occur once, and where they begin."""
    if len(words) < size:
        return None
    count = len(words) - size + 1
    hashes = np.zeros(count, np.uint64)
    for step in range(size):
        hashes = (hashes + words[step : step + count].astype(np.uint64) + np.uint64(1)) * _FACTOR
        hashes ^= hashes >> np.uint64(29)
    found, places, counts = np.unique(hashes, return_index=True, return_counts=True)
    return found[counts == 1], places[counts == 1]


def _longest_rise(values: Sequence[int]) -> list[int]:
    """Returns the places of the longest rising subsequence."""
    ends: list[int] = []
    places: list[int] = []
    before: list[int] = []
    for place, value in enumerate(values):
        at = bisect_left(ends, value)
        before.append(places[at - 1] if at else -1)
        if at == len(ends):
            ends.append(value)
            places.append(place)
        else:
            ends[at], places[at] = value, place
    found = []
    place = places[-1] if places else -1
    while place >= 0:
        found.append(place)
        place = before[place]
    return found[::-1]


def _rows(pairs: Sequence[tuple[int, int]], size: int) -> list[Passage]:
    """Joins pairs of places that follow each other on both sides."""
    found: list[Passage] = []
    for first, other in pairs:
        last = found[-1] if found else None
        if last and first - last.first == other - last.other and first <= last.first + last.words:
            found[-1] = Passage(last.first, last.other, first + size - last.first)
        else:
            found.append(Passage(first, other, size))
    return found


def _inner(passages: Sequence[Passage]) -> list[Passage]:
    """Returns passages without their ends; of two that overlap on one side, the longer one."""
    found: list[Passage] = []
    for one in passages:
        margin = min(_MARGIN, (one.words - 1) // 2)
        inner = Passage(one.first + margin, one.other + margin, one.words - 2 * margin)
        last = found[-1] if found else None
        if last and (last.first + last.words > inner.first or last.other + last.words > inner.other):
            if last.words >= inner.words:
                continue
            found.pop()
            # It overlaps its neighbour, which may overlap the one before that no more than this one does.
            if found and (
                found[-1].first + found[-1].words > inner.first or found[-1].other + found[-1].words > inner.other
            ):
                continue
        found.append(inner)
    return found
