"""Combines entries of two files of corrections of one recording, entry by entry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from audiogrid.corrections.entries import SAME, ParagraphStart, Passage, SpeakerName


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
    for entry in sorted(new, key=lambda one: one.when):
        for place, one in enumerate(found):
            if not one.is_same_place(entry):
                continue
            if (one.was, one.text, one.by) == (entry.was, entry.text, entry.by):
                found[place] = one if one.when >= entry.when else entry
                break
            if one.text == entry.was and one.when <= entry.when:
                more = {**one.more, **entry.more}
                found[place] = replace(entry, was=one.was, before=one.before, after=one.after, more=more)
                break
            if one.was == entry.was and one.by == entry.by:
                found[place] = one if one.when > entry.when else entry
                break
        else:
            found.append(entry)
    return tuple(found)


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
