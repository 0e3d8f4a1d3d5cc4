"""Joins two readings of the same seconds into one: each word once, none lost.

Around a seam two chunks have decoded the same audio. Ownership by midpoint alone is not enough:
a word whose two readings lie on opposite sides of the seam would be taken twice, or not at all.
So the readings are first aligned (by time, text only confirms), then the seam is one cut
through the alignment: what lies before it comes from the left chunk, what lies after it from
the right one. A pair is on one side of the cut or on the other, hence exactly once.

Text alone would not do: a longest common subsequence goes wrong as soon as words repeat.
All times are samples of the track.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher

from audiogrid.core.text import comparison_form
from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.records.results import Word

#: Two readings of one word differ by less than this.
SAME_WORD = SAMPLE_RATE // 2
#: A word that only one side has read is rescued no further than this from the seam.
RESCUE_REACH = SAMPLE_RATE // 2
#: Where both sides agree the cut may move this far to a wider gap between words.
GAP_REACH = SAMPLE_RATE


@dataclass(frozen=True)
class AlignedWords:
    """A step of the alignment: indices into the left and the right reading, ``None`` where that side has nothing."""

    left: int | None
    right: int | None
    same: bool


@dataclass(frozen=True)
class KeptWord:
    """A word of the joined reading: side 0 is left, 1 is right; ``index`` counts in that side's reading."""

    side: int
    index: int


@dataclass(frozen=True)
class JoinedOverlap:
    """The joined reading.

    ``kept``: the words in order; the first ``cut`` of them lie before the seam. ``agreement``: share of
    the words that both sides read alike, 0 to 1. ``dropped``: words only one side has read and that
    belong to the other. ``rescued``: such words that were kept, because the other side has a hole there.
    """

    kept: list[KeptWord]
    cut: int
    agreement: float
    dropped: list[str]
    rescued: list[str]


def middle(word: Word) -> int:
    """Returns the midpoint of a word in samples; it decides which chunk owns the word."""
    return (word.start + word.end) // 2


def _covered(word: Word, other: Word) -> int:
    return min(word.end, other.end) - max(word.start, other.start)


def _alike(left: Word, right: Word, by_time: bool) -> tuple[float, bool]:
    """Returns the score of pairing two words (0: they cannot be one word) and whether their texts are equal."""
    apart = abs(middle(left) - middle(right))
    if apart >= SAME_WORD:
        return 0.0, False
    ours, theirs = comparison_form(left.text), comparison_form(right.text)
    if ours == theirs and (ours or left.text == right.text):
        # Among repeated words the nearest ones pair up: distance must weigh, but less than a match.
        return 2.0 - 1.5 * (apart / SAME_WORD) ** 2, True
    if not by_time:
        return 0.0, False
    shorter = max(1, min(left.end - left.start, right.end - right.start))
    share = min(1.0, max(0.0, _covered(left, right) / shorter))
    if share >= 0.5 or apart < SAMPLE_RATE // 10:
        near = SequenceMatcher(None, ours, theirs, autojunk=False).ratio()
        return 0.1 + 0.2 * share + 0.2 * near, False
    return 0.0, False


def align_words(left: list[Word], right: list[Word], by_time: bool) -> list[AlignedWords]:
    """Returns the best monotone pairing of two readings (dynamic programming over ``len(left) * len(right)``).

    Words pair when their text is the same and their middles are less than 0.5 s apart; with
    ``by_time`` also when they fill the same time with different text (one of them is a mishearing).
    """
    rows, columns = len(left), len(right)
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    pair: dict[tuple[int, int], tuple[float, bool]] = {}
    for i in range(rows - 1, -1, -1):
        for j in range(columns - 1, -1, -1):
            value = max(best[i + 1][j], best[i][j + 1])
            score, same = _alike(left[i], right[j], by_time)
            if score > 0:
                pair[i, j] = score, same
                value = max(value, score + best[i + 1][j + 1])
            best[i][j] = value
    items = []
    i = j = 0
    while i < rows or j < columns:
        if (i, j) in pair and best[i][j] == pair[i, j][0] + best[i + 1][j + 1]:
            items.append(AlignedWords(i, j, pair[i, j][1]))
            i, j = i + 1, j + 1
            continue
        skip_left = i < rows and (j == columns or best[i][j] == best[i + 1][j])
        skip_right = j < columns and (i == rows or best[i][j] == best[i][j + 1])
        # Both may be skipped: the earlier one first, so that the items stay in the order of time.
        if skip_left and (not skip_right or middle(left[i]) <= middle(right[j])):
            items.append(AlignedWords(i, None, False))
            i += 1
        else:
            items.append(AlignedWords(None, j, False))
            j += 1
    return items


def _words(item: AlignedWords, left: list[Word], right: list[Word]) -> list[Word]:
    ours = [] if item.left is None else [left[item.left]]
    return ours if item.right is None else [*ours, right[item.right]]


def _time(item: AlignedWords, left: list[Word], right: list[Word]) -> float:
    middles = [middle(word) for word in _words(item, left, right)]
    return sum(middles) / len(middles)


def _midpoint_cut(times: list[float], seam: int) -> int:
    """Returns the number of items before the cut that puts the fewest words on the wrong side of the seam."""
    wrong = sum(max(0.0, seam - time) for time in times)
    least, cut = wrong, 0
    for index, time in enumerate(times):
        wrong += (time - seam) if time >= seam else -(seam - time)
        if wrong < least:
            least, cut = wrong, index + 1
    return cut


def _widest_gap(
    items: list[AlignedWords], times: list[float], cut: int, seam: int, left: list[Word], right: list[Word]
) -> int:
    """Move the cut, across words read alike only, to the widest gap within ``GAP_REACH`` of the seam."""

    def passable(index: int) -> bool:
        return items[index].same and abs(times[index] - seam) <= GAP_REACH

    first = last = cut
    while first > 0 and passable(first - 1):
        first -= 1
    while last < len(items) and passable(last):
        last += 1

    def gap(position: int) -> float:
        if position in (0, len(items)):
            return -1.0
        before = max(word.end for word in _words(items[position - 1], left, right))
        after = min(word.start for word in _words(items[position], left, right))
        return float(max(-1, after - before))

    return max(range(first, last + 1), key=lambda position: (gap(position), -abs(position - cut)))


def _is_hole(word: Word, kept: list[Word]) -> bool:
    """Whether no kept word covers the time of ``word`` (or most of it) or has the same text nearby."""
    for other in kept:
        covered = _covered(word, other)
        if covered > 0.3 * (word.end - word.start) or (word.start == word.end and covered >= 0):
            return False
        if comparison_form(other.text) == comparison_form(word.text) and abs(middle(other) - middle(word)) < SAME_WORD:
            return False
    return True


def join_overlap(left: list[Word], right: list[Word], seam: int, hard: bool) -> JoinedOverlap:
    """Returns one reading made of two readings of the same zone around ``seam``.

    ``left``, ``right``: the words of each side whose middles lie in the zone that both have decoded, in order.
    ``hard``: there may be speech at the seam, so that words that fill the same time are one word even when
    their texts differ. In a pause only the same text is a double: two words there are mistimed, not misheard.
    """
    items = align_words(left, right, by_time=hard)
    times = [_time(item, left, right) for item in items]
    cut = _midpoint_cut(times, seam)
    if hard:
        cut = _widest_gap(items, times, cut, seam, left, right)
    chosen: list[KeptWord | None] = []
    for position, item in enumerate(items):
        side, index = (0, item.left) if position < cut else (1, item.right)
        chosen.append(None if index is None else KeptWord(side, index))
    words = [(left, right)[one.side][one.index] for one in chosen if one is not None]
    dropped, rescued = [], []
    for position, item in enumerate(items):
        if chosen[position] is not None:
            continue
        side = 0 if item.left is not None else 1
        index = item.left if item.left is not None else item.right
        assert index is not None
        word = (left, right)[side][index]
        if abs(middle(word) - seam) <= RESCUE_REACH and _is_hole(word, words):
            chosen[position] = KeptWord(side, index)
            words.append(word)
            rescued.append(word.text.strip())
        else:
            dropped.append(word.text.strip())
    total = len(left) + len(right)
    return JoinedOverlap(
        kept=[one for one in chosen if one is not None],
        cut=sum(one is not None for one in chosen[:cut]),
        agreement=round(2 * sum(item.same for item in items) / total, 3) if total else 1.0,
        dropped=dropped,
        rescued=rescued,
    )
