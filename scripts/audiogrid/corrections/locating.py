"""Finds where a corrected passage stands in a transcript that another run made: by time, by content, by its neighbours.

A word's identity is its audio: a place far from the span of a passage is never considered, however well its text
fits. A place is accepted only if time, text and the words around it agree well enough, and no other place does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Any

from audiogrid.core.text import comparison_form
from audiogrid.corrections.entries import Passage

# Another transcript may place a word this much earlier or later, in seconds.
_REACH = 2.0
# What is taken for the same word: from 0 (nothing in common) to 1 (the same letters).
_ALIKE = 0.8
_SIMILAR = 0.5
# So many letters of the words beside a passage are compared.
_CONTEXT = 24
# A context counts in full if so many of its letters are the same.
_ENOUGH = 4
# Only so many places, the nearest in time, are compared letter by letter.
_MOST_PLACES = 48
# A word belongs to a span if its middle is more than this inside, and is foreign to it if it is more than that outside.
_EDGE, _OUTSIDE = 0.1, 0.35
# With so similar a text the time matters less.
_SURE = 0.95
# Two places that differ by less than this cannot be told apart.
_TOO_CLOSE = 0.12


@dataclass
class PlacedWord:
    """A word of a document. ``segment``: number of its segment; ``by``: the passage that put it there.

    ``fields``: of the word in the document.
    """

    start: float
    end: float
    text: str
    segment: int
    by: Passage | None = None
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def middle(self) -> float:
        """Returns the middle of the word in seconds."""
        return (self.start + self.end) / 2


@dataclass(frozen=True)
class Place:
    """Words ``[first, last)`` of a track. ``inner``: likeness to the passage, 0 to 1; ``around``: of the neighbours.

    ``apart``: seconds between its ends and those of the passage, the larger one. ``is_tidy``: no word of the span is
    left beside it, and none that lies outside of it is taken.
    """

    first: int
    last: int
    inner: float
    around: float
    apart: float
    is_overlapping: bool
    is_tidy: bool = True

    @property
    def score(self) -> float:
        """Returns how well the place fits."""
        return 2 * self.inner + self.around - 0.8 * min(self.apart, _REACH)

    @property
    def fits(self) -> bool:
        """Whether time, text and neighbours agree well enough."""
        if not self.is_tidy:
            return False
        if self.inner >= _ALIKE:
            return (self.is_overlapping and self.apart <= 1.0) or (self.around >= 0.5 and self.apart <= _REACH)
        if self.inner >= _SIMILAR and self.around >= 0.5:
            # A short word between the same neighbours may be later by more than its length.
            return self.apart <= 1.0 and (self.is_overlapping or self.around >= 1.0)
        # Another reading of the same audio: only its place tells.
        if self.around >= 1.0:
            return self.apart <= 0.8 and self.is_overlapping
        return self.around >= 0.5 and self.apart <= 0.25 and self.is_overlapping


@lru_cache(maxsize=1 << 14)
def _likeness(one: str, other: str) -> float:
    if one == other:
        return 1.0
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def form(text: str) -> str:
    """Returns the letters that are compared, or the whole text if it has none."""
    return comparison_form(text) or text.strip()


def _common_end(one: str, other: str) -> float:
    """Returns how well the ends of two texts agree: 1 where ``_ENOUGH`` letters do, or both are empty."""
    if not one or not other:
        return float(one == other)
    count = 0
    while count < min(len(one), len(other)) and one[-1 - count] == other[-1 - count]:
        count += 1
    return min(1.0, count / min(_ENOUGH, len(one), len(other)))


class Track:
    """The words of a channel in the order of time."""

    def __init__(self, words: Sequence[PlacedWord]) -> None:
        self.words = list(words)

    def text(self, first: int, last: int) -> str:
        """Returns the words ``[first, last)`` joined."""
        return "".join(word.text for word in self.words[max(0, first) : last])

    def near(self, start: float, end: float) -> tuple[int, int]:
        """Returns the first word that ends after ``start``, and the first one that begins after ``end``."""
        words = self.words
        # Words do not overlap, so both ends are in order.
        first = _first(len(words), lambda n: words[n].end > start)
        return first, max(first, _first(len(words), lambda n: words[n].start >= end))


def _first(count: int, is_after: Any) -> int:
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if is_after(middle):
            high = middle
        else:
            low = middle + 1
    return low


def places(track: Track, passage: Passage) -> list[Place]:
    """Returns the places near the span of a passage that might be meant, the best first."""
    low, high = track.near(passage.start - _REACH, passage.end + _REACH)
    words = track.words
    was, text = form(passage.was), form(passage.text)
    before, after = form(passage.before), form(passage.after)
    spans: list[tuple[float, bool, int, int]] = []
    for first in range(low, high):
        if abs(words[first].start - passage.start) > _REACH:
            continue
        for last in range(first + 1, high + 1):
            end = words[last - 1].end
            if abs(end - passage.end) > _REACH:
                continue
            apart = max(abs(words[first].start - passage.start), abs(end - passage.end))
            spans.append((apart, words[first].start < passage.end and end > passage.start, first, last))
    spans.sort()
    found = []
    for apart, is_overlapping, first, last in spans[:_MOST_PLACES]:
        inside = form(track.text(first, last))
        sides = _sides(track, first, last, before, after)
        inner = max(_likeness(inside, was) if was else 0.0, _likeness(inside, text) if text else 0.0)
        is_tidy = _is_tidy(track, passage, first, last, inner, sides)
        found.append(Place(first, last, inner, sum(sides) / 2, apart, is_overlapping, is_tidy))
    if not passage.was or not passage.text:
        found += _empty_place(track, passage, before, after)
    return sorted(found, key=lambda place: -place.score)


def _sides(track: Track, first: int, last: int, before: str, after: str) -> tuple[float, float]:
    """Returns how well the words before and after a place agree with those of a passage, 0 to 1 each."""
    left = form(track.text(first - 8, first))[-_CONTEXT:]
    right = form(track.text(last, last + 8))[:_CONTEXT]
    return _common_end(left, before), _common_end(right[::-1], after[::-1])


def _is_tidy(track: Track, passage: Passage, first: int, last: int, inner: float, sides: tuple[float, float]) -> bool:
    """Whether a place leaves no word of the span beside it, and takes none from outside of it.

    Times of two transcripts differ: a word in the span may be known as the one before or after the passage, and one
    outside may belong to it if text or neighbours agree.
    """
    low, high = track.near(passage.start, passage.end)
    inside = [n for n in range(low, high) if passage.start + _EDGE < track.words[n].middle < passage.end - _EDGE]
    if any((n < first and sides[0] < 1.0) or (n >= last and sides[1] < 1.0) for n in inside):
        return False
    if inner >= _SURE or (inner >= _SIMILAR and sum(sides) >= 2.0):
        return True
    return all(passage.start - _OUTSIDE <= word.middle <= passage.end + _OUTSIDE for word in track.words[first:last])


def _empty_place(track: Track, passage: Passage, before: str, after: str) -> list[Place]:
    """Returns the place between two words, where no word lies in the span of a passage."""
    if any(
        passage.start < word.middle < passage.end
        for word in track.words[slice(*track.near(passage.start, passage.end))]
    ):
        return []
    place = _first(len(track.words), lambda n: track.words[n].middle >= passage.end)
    around = sum(_sides(track, place, place, before, after)) / 2
    return [Place(place, place, 1.0, around, 0.0, is_overlapping=True)]


def locate(track: Track, passage: Passage) -> Place | str:
    """Returns the place of a passage, or a sentence that says why it has none."""
    found = places(track, passage)
    fitting = [place for place in found if place.fits]
    if not fitting:
        return _why_not(track, passage)
    best = fitting[0]
    for other in fitting[1:]:
        is_elsewhere = other.first >= best.last or other.last <= best.first
        if is_elsewhere and best.score - other.score < _TOO_CLOSE:
            return "fits two places equally well"
    return best


def _why_not(track: Track, passage: Passage) -> str:
    now = " ".join(track.text(*track.near(passage.start, passage.end)).split())
    return f"does not fit what stands there now: {now[:60]!r}" if now else "does not fit: nothing stands there now"
