"""Combines entries of two files of corrections of one recording, entry by entry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Generic, TypeVar

from audiogrid.corrections.entries import SAME, ParagraphStart, Passage, SpeakerName

T = TypeVar("T")


def _common(one: SpeakerName, other: SpeakerName) -> float:
    return sum(
        max(0.0, min(end, other_end) - max(start, other_start))
        for start, end in one.at
        for other_start, other_end in other.at
    )


def is_same_voice(one: SpeakerName, other: SpeakerName) -> bool:
    """Returns whether two entries name the same voice: they share at least half of the shorter one's time."""
    shorter = min(sum(end - start for start, end in entry.at) for entry in (one, other))
    return 2 * _common(one, other) >= shorter


def combined_names(present: Iterable[SpeakerName], new: Iterable[SpeakerName]) -> tuple[SpeakerName, ...]:
    """Returns the names of both; of two on one voice the later one, ``new`` in doubt."""
    speakers = list(present)
    for entry in new:
        alike = [one for one in speakers if is_same_voice(one, entry)]
        if any(one.when > entry.when for one in alike):
            continue
        speakers = [one for one in speakers if one not in alike]
        speakers.append(replace(entry, more={**(alike[0].more if alike else {}), **entry.more}))
    return tuple(speakers)


def combined_passages(present: Iterable[Passage], new: Sequence[Passage]) -> tuple[Passage, ...]:
    """Returns the passages of both, those that belong together as one.

    A passage goes on from an earlier one if it changes, at the same place, what that one made. Of two of one person
    that change the same words the later one counts. Nothing else is left out.
    """
    found = list(present)
    index = PlaceIndex[int]()
    for place, one in enumerate(found):
        index.add(one, place)
    for entry in sorted(new, key=lambda one: one.when):
        for place in sorted(index.near(entry)):
            one = found[place]
            if not one.is_same_place(entry):
                continue
            if (one.was, one.text, one.by) == (entry.was, entry.text, entry.by):
                found[place] = one if one.when >= entry.when else entry
                break
            # Whoever says that the words are right contradicts one who changes them.
            is_other = one.is_confirmation and one.by != entry.by
            if one.text == entry.was and one.when <= entry.when and not is_other:
                more = {**one.more, **entry.more}
                found[place] = replace(entry, was=one.was, before=one.before, after=one.after, more=more)
                break
            if one.was == entry.was and one.by == entry.by:
                found[place] = one if one.when > entry.when else entry
                break
        else:
            index.add(entry, len(found))
            found.append(entry)
    return tuple(found)


class PlaceIndex(Generic[T]):
    """What belongs to passages, by channel and time, so that those at the same place are found among many."""

    def __init__(self) -> None:
        self._found: dict[tuple[int, int], list[T]] = {}

    def add(self, passage: Passage, value: T) -> None:
        """Add what belongs to a passage."""
        self._found.setdefault((passage.channel, int(passage.start / SAME)), []).append(value)

    def remove(self, passage: Passage, value: T) -> None:
        """Remove what was added."""
        self._found[passage.channel, int(passage.start / SAME)].remove(value)

    def near(self, passage: Passage) -> list[T]:
        """Returns what belongs to passages that may be at the same place."""
        at = int(passage.start / SAME)
        return [value for step in range(at - 1, at + 2) for value in self._found.get((passage.channel, step), ())]


def combined_starts(present: Iterable[ParagraphStart], new: Iterable[ParagraphStart]) -> tuple[ParagraphStart, ...]:
    """Returns the beginnings of paragraphs of both; of two at one word the later one, ``new`` in doubt."""
    found = list(present)
    for entry in new:
        alike = [one for one in found if one.channel == entry.channel and abs(one.at - entry.at) <= SAME]
        if any(one.when > entry.when for one in alike):
            continue
        found = [one for one in found if one not in alike]
        found.append(entry)
    return tuple(found)
