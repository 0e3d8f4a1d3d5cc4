"""Applies the passages of a file of corrections to a document, and notes in it what was applied and what was not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audiogrid.corrections.apply_passages import AppliedPassages, apply_passages
from audiogrid.corrections.corrections_file import Corrections
from audiogrid.corrections.entries import ParagraphStart
from audiogrid.corrections.taken_back import mark_taken_back

# So many of the corrections that do not fit are named in the notes; all of them are in the document.
_NAMED = 3


def correct_words(document: Mapping[str, Any], corrections: Corrections | None) -> tuple[dict[str, Any], list[str]]:
    """Returns the document with corrected words, and sentences on the corrections that do not fit.

    ``provenance.corrections`` counts what was applied; ``unapplied`` lists what was not; ``glossary`` says which terms
    were taken back. Without corrections of words the document stays as it is.
    """
    if corrections is None or not (corrections.passages or corrections.paragraphs):
        return dict(document), []
    found = apply_passages(document, corrections.passages, corrections.paragraphs)
    words = [word for segment in found.document["segments"] for word in segment["words"]]
    people = sorted({entry.by for entry in found.applied if entry.by})
    counts = {
        "applied": len(found.applied),
        "unapplied": len(found.unfit),
        "confirmed_words": sum("confirmed" in word for word in words),
        **({"people": people} if people else {}),
    }
    provenance = {**document["provenance"], "corrections": counts}
    unapplied = {"unapplied": _unapplied(found)} if found.unfit else {}
    made = mark_taken_back({**found.document, **unapplied, "provenance": provenance}, document)
    return made, _sentences(found)


def _unapplied(found: AppliedPassages) -> list[dict[str, Any]]:
    return [
        {"start": entry.at, "end": entry.at, "was": entry.word, "text": entry.word, "why": why}
        if isinstance(entry, ParagraphStart)
        else {"start": entry.start, "end": entry.end, "was": entry.was, "text": entry.text, "why": why}
        for entry, why in found.unfit
    ]


def _sentences(found: AppliedPassages) -> list[str]:
    sentences = found.sentences
    if len(sentences) <= _NAMED:
        return sentences
    more = f"{len(sentences) - _NAMED} more corrections do not fit: audiogrid corrections check lists them"
    return [*sentences[:_NAMED], more]
