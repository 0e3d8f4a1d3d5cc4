"""Marks in a document which terms of the glossary a person has taken back."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from audiogrid.core.text import comparison_form
from audiogrid.records.chunks import channel_of_chunk


def mark_taken_back(corrected: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Returns ``corrected``; in its ``glossary``, a term that a person took back has ``corrected``: what stands there.

    ``before``: the document without what people changed in it.
    """
    changes = corrected.get("glossary")
    if not changes:
        return dict(corrected)
    found = []
    for one, was, now in zip(changes, _said_in(changes, before), _said_in(changes, corrected), strict=True):
        is_gone = was != now and comparison_form(one["term"]) not in comparison_form(now)
        found.append({**one, **({"corrected": now} if is_gone else {})})
    return {**corrected, "glossary": found}


def _said_in(places: Sequence[Mapping[str, Any]], document: Mapping[str, Any]) -> list[str]:
    """Returns the words of a document whose middles lie in each of some places."""
    words: dict[int | None, list[tuple[float, str]]] = {}
    for segment in document["segments"]:
        found = words.setdefault(channel_of_chunk(document["recording"], segment["chunk"]), [])
        found += [((word["start"] + word["end"]) / 2, word["word"]) for word in segment["words"]]
    for own in words.values():
        own.sort(key=itemgetter(0))
    said = []
    for place in places:
        own = words.get(place.get("channel"), [])
        first = bisect_left(own, place["start"], key=itemgetter(0))
        last = bisect_right(own, place["end"], key=itemgetter(0))
        said.append("".join(text for _, text in own[first:last]).strip())
    return said
