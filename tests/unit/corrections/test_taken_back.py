"""Terms of a glossary that a person took back are marked as such."""

from __future__ import annotations

from typing import Any

import pytest

from audiogrid.corrections.corrected_document import correct_words
from audiogrid.corrections.corrections_file import Corrections
from audiogrid.corrections.entries import Passage


def document(text: str, term: str, heard: str) -> dict[str, Any]:
    """A word a second; ``term`` stands where ``heard`` was."""
    said = text.split()
    words = [
        {"start": float(at), "end": at + 0.9, "word": f" {one}", "probability": 0.9} for at, one in enumerate(said)
    ]
    segment = {"id": 0, "chunk": "talk.0000", "start": 0.0, "end": float(len(said)), "text": text}
    segment |= {"language": "en", "words": words}
    first, count = said.index(term.split()[0]), len(term.split())
    change = {"start": float(first), "end": first + count - 0.1, "heard": heard, "term": term, "reason": "audio"}
    about = {"recording": "talk", "duration": 10.0, "provenance": {}}
    return {**about, "segments": [segment], "gaps": [], "glossary": [change]}


@pytest.mark.parametrize(
    ("at", "was", "text", "corrected"),
    [
        ((2.0, 3.9), "Tavrin Ostalow", "the ring oslo", "the ring oslo"),
        ((3.0, 3.9), "Ostalow", "Ostrava", "Tavrin Ostrava"),
        ((2.0, 3.9), "Tavrin Ostalow", "", ""),
        ((1.0, 4.9), "met Tavrin Ostalow there", "saw Tavrin Ostalow here", None),
        ((2.0, 3.9), "Tavrin Ostalow", "Tavrin Ostalow", None),
        ((0.0, 0.9), "She", "He", None),
        ((30.0, 30.9), "elsewhere", "nowhere", None),
    ],
)
def test_what_stands_in_the_place_of_a_term(
    at: tuple[float, float], was: str, text: str, corrected: str | None
) -> None:
    spoken = document("She met Tavrin Ostalow there once.", "Tavrin Ostalow", "the ring oslo")
    entry = Passage(*at, was, text, "", "", when="2026-05-01T12:00:00Z")
    found, _ = correct_words(spoken, Corrections("talk", "ab", passages=(entry,)))
    assert found["glossary"][0].get("corrected") == corrected
    assert "corrected" not in spoken["glossary"][0]


def test_a_term_of_one_channel_is_not_sought_in_the_other() -> None:
    spoken = document("She met Tavrin Ostalow there once.", "Tavrin Ostalow", "the ring oslo")
    (segment,) = spoken["segments"]
    other = {**segment, "words": [{**word, "word": " um"} for word in segment["words"]], "chunk": "talk.c0.0000"}
    segments = [other, {**segment, "chunk": "talk.c1.0000"}]
    (change,) = spoken["glossary"]
    spoken = {**spoken, "channels_mode": "split", "segments": segments, "glossary": [{**change, "channel": 1}]}
    entries = [
        Passage(2.0, 2.9, "um", "er", "", "", channel=1),
        Passage(3.0, 3.9, "Ostalow", "Ostrava", "", "", channel=2),
    ]
    found, _ = correct_words(spoken, Corrections("talk", "ab", passages=tuple(entries[:1])))
    assert "corrected" not in found["glossary"][0]
    found, _ = correct_words(spoken, Corrections("talk", "ab", passages=tuple(entries)))
    assert found["glossary"][0]["corrected"] == "Tavrin Ostrava"
