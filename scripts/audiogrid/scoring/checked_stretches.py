"""The stretches of a transcript that a person has checked, as a reference text for this and for other transcripts.

A person who corrects a transcript reads it, and leaves what is right. Words between two corrections count as checked
if the corrections are not far from each other. Such a reference is kind to the model that it was made from: what the
person overlooked counts as right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

#: Corrections with at most so many seconds between them belong to one stretch.
GAP = 30.0
#: Stretches that are shorter than this, in seconds, say nothing of what lies between corrections.
SHORTEST = 10.0

Stretch = tuple[float, float]


def checked_stretches(document: Mapping[str, Any], gap: float = GAP) -> list[Stretch]:
    """Returns the spans in seconds in which a person corrected or confirmed words at least every ``gap`` seconds."""
    found: list[list[float]] = []
    touched = sorted(
        (word["start"], word["end"])
        for segment in document["segments"]
        for word in segment["words"]
        if "confirmed" in word or "own" in word
    )
    for start, end in touched:
        if found and start - found[-1][1] <= gap:
            found[-1][1] = max(found[-1][1], end)
        else:
            found.append([start, end])
    return [(start, end) for start, end in found if end - start >= SHORTEST]


def _is_in(word: Mapping[str, Any], stretches: Sequence[Stretch]) -> bool:
    middle = (word["start"] + word["end"]) / 2
    return any(start <= middle <= end for start, end in stretches)


def cut_to(document: Mapping[str, Any], stretches: Sequence[Stretch]) -> dict[str, Any]:
    """Returns a document with the words in some stretches only; each segment has those that are left of it."""
    segments = [
        {**segment, "words": words, "text": "".join(word["word"] for word in words).strip()}
        for segment in document["segments"]
        if (words := [word for word in segment["words"] if _is_in(word, stretches)])
    ]
    return {**document, "segments": segments}


def checked_text(document: Mapping[str, Any], stretches: Sequence[Stretch]) -> str:
    """Returns what is said in some stretches, as a person left it."""
    return _text(document, stretches, own=False)


def own_text(document: Mapping[str, Any], stretches: Sequence[Stretch]) -> str:
    """Returns what the model said in some stretches, before a person corrected it."""
    return _text(document, stretches, own=True)


def _text(document: Mapping[str, Any], stretches: Sequence[Stretch], *, own: bool) -> str:
    parts = [
        "".join(word.get("own", word["word"]) if own else word["word"] for word in segment["words"])
        for segment in cut_to(document, stretches)["segments"]
    ]
    return " ".join(" ".join(parts).split())
