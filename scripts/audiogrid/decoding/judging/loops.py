"""Loops: a phrase that a text repeats in a row, as a model does that has lost its way, and people do now and then.

A loop spoils what hypotheses are judged by. The model is sure of every repetition, so the log-probability rises; the
letters fill the seconds, so the rate looks right; the words cover the speech, so no hole is seen. All of these are
therefore measured without the repetitions.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.records.results import Word

DENSE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""A character of Chinese, Japanese or Korean."""

# Letters that come eight times in a row inside a word, which no language has, or digits as no number has: one digit
# sixteen times, several eight times.
_STUTTER = re.compile(r"([^\W\d_]{1,8}?)\1{7,}|(\d)\2{15,}|(\d{2,8}?)\3{7,}", re.IGNORECASE)
# Words of the longest phrase whose repetitions are looked for; a window holds fewer than four of any longer one.
_LONGEST_PHRASE = 40
# A loop so short may be stammering, counting or laughter: as much of it stays as is no loop yet.
_SHORT_SECONDS = 5.0
# Repetitions that a speaker makes take about as long each: the longest at most so many times as long as the shortest.
_UNEVEN = 3.0
_SHORTEST_REPETITION = 0.1
REMEMBERED = 1024
"""Texts whose measures are remembered: every rule asks for them, several times for each hypothesis of a window."""


@dataclass(frozen=True)
class Loop:
    """A phrase of ``size`` words from word ``first`` on, said ``count`` times in a row, up to word ``end``.

    ``end`` lies behind the beginning of one more repetition, if there is one.
    """

    first: int
    size: int
    count: int
    end: int


def plain_words(text: str) -> list[str]:
    """Returns lower-case words without punctuation; Chinese, Japanese and Korean are split into characters."""
    return list(_plain_words(text))


@lru_cache(REMEMBERED)
def _plain_words(text: str) -> tuple[str, ...]:
    spaced = DENSE.sub(lambda match: f" {match[0]} ", unicodedata.normalize("NFKC", text).lower())
    return tuple(re.findall(r"[\w']+", spaced))


def find_loops(words: Sequence[str], least: int) -> list[Loop]:
    """Returns phrases that are said at least ``least`` times in a row, in order, none overlapping another."""
    found: list[Loop] = []
    at = 0
    while at < len(words):
        loop = next(
            (one for size in _sizes(words, at, least) if (one := _loop_at(words, at, size)).count >= least), None
        )
        if loop is None:
            at += 1
        else:
            found.append(loop)
            at = loop.end
    return found


@lru_cache(REMEMBERED)
def has_loop(text: str, least: int) -> bool:
    """Returns whether a text says something at least ``least`` times in a row, or stutters within a word."""
    return bool(find_loops(plain_words(text), least)) or bool(_STUTTER.search(text.lower()))


@lru_cache(REMEMBERED)
def without_loops(text: str, least: int) -> str:
    """Returns the plain words of a text; of what is said at least ``least`` times in a row only the first time."""
    words = plain_words(_STUTTER.sub(r"\1\2\3", text.lower()))
    dropped = {index for loop in find_loops(words, least) for index in range(loop.first + loop.size, loop.end)}
    return " ".join(word for index, word in enumerate(words) if index not in dropped)


def loop_words(words: Sequence[Word], least: int) -> list[tuple[Loop, range]]:
    """Returns the loops in ``words``, with the indices of the words whose text belongs to them."""
    owners = [index for index, word in enumerate(words) for _ in plain_words(word.text)]
    loops = find_loops([plain for word in words for plain in plain_words(word.text)], least)
    return [(loop, range(owners[loop.first], owners[loop.end - 1] + 1)) for loop in loops]


def cut_loops(words: Sequence[Word], least: int) -> list[Word]:
    """Returns ``words`` without repetitions of what is said at least ``least`` times in a row.

    Of a loop of at most 5 s and ``2 * least`` repetitions that are evenly spoken, ``least - 1`` stay, of any other the
    first. Of letters that come eight times in a row inside a word, three times stay. What is left may repeat itself
    again (``no no no no yes`` several times), so it is cut until nothing changes.
    """
    cut = _cut_once(words, least, keep_short=True)
    while len(shorter := _cut_once(cut, least, keep_short=False)) < len(cut):
        cut = shorter
    return cut


def _cut_once(words: Sequence[Word], least: int, *, keep_short: bool) -> list[Word]:
    dropped: set[int] = set()
    for loop, indices in loop_words(words, least):
        inside = [words[index] for index in indices]
        length = (inside[-1].end - inside[0].start) / SAMPLE_RATE
        is_short = length <= _SHORT_SECONDS and loop.count <= 2 * least
        keep = least - 1 if keep_short and is_short and is_evenly_spoken(inside, loop) else 1
        room = keep * loop.size
        for index in indices:
            room -= len(plain_words(words[index].text))
            # A word may hold all repetitions (`no–no–no–no`): the first always stays.
            if room < 0 and index != indices[0]:
                dropped.add(index)
    return [
        replace(word, text=_STUTTER.sub(r"\1\1\1\2\2\2\3\3\3", word.text))
        for index, word in enumerate(words)
        if index not in dropped
    ]


def is_short(words: Sequence[Word], least: int) -> bool:
    """Returns whether ``words`` has loops, each said ``least`` times only and within 5 s, as in ``8.8.8.8``."""
    loops = loop_words(words, least)
    return bool(loops) and all(
        loop.count <= least and words[indices[-1]].end - words[indices[0]].start <= _SHORT_SECONDS * SAMPLE_RATE
        for loop, indices in loops
    )


def is_evenly_spoken(words: Sequence[Word], loop: Loop) -> bool:
    """Returns whether the repetitions of a loop, which ``words`` are, take about the same time each.

    Where the sound does not repeat, word times squeeze many repetitions into no time and stretch others.
    """
    starts = [word.start for word in words for _ in plain_words(word.text)]
    ends = [word.end for word in words for _ in plain_words(word.text)]
    lengths = [
        (ends[(number + 1) * loop.size - 1] - starts[number * loop.size]) / SAMPLE_RATE for number in range(loop.count)
    ]
    return min(lengths) >= _SHORTEST_REPETITION and max(lengths) <= _UNEVEN * min(lengths)


def log_probability(words: Sequence[Word]) -> float:
    """Returns the mean logarithm of the words' probabilities; -2 at least, also if there is no word."""
    if not words:
        return -2.0
    return max(-2.0, sum(math.log(max(word.probability, 1e-4)) for word in words) / len(words))


def _sizes(words: Sequence[str], at: int, least: int) -> Iterator[int]:
    """Yields the lengths of phrases at ``at`` that may be said ``least`` times: whose first word comes again."""
    for size in range(1, min(_LONGEST_PHRASE, (len(words) - at) // least) + 1):
        if least < 2 or words[at + size] == words[at]:
            yield size


def _loop_at(words: Sequence[str], at: int, size: int) -> Loop:
    end = at + size
    while end < len(words) and words[end] == words[end - size]:
        end += 1
    return Loop(at, size, (end - at) // size, end)
