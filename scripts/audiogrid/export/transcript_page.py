"""Renders the page of one recording: a player, and a transcript that follows it word by word.

The text itself is in the markup, so that it can be read, searched and printed without scripts. Times and
probabilities are a separate list of small whole numbers; the script creates elements for words only in the
paragraphs in view. A page of ten hours (96,000 words) therefore has 2 MB and opens at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from audiogrid.core.text import clean_text
from audiogrid.export.ledger_chart import ledger_bar
from audiogrid.export.media_links import may_have_picture
from audiogrid.export.paragraphs import Paragraph, make_paragraphs, texts_of
from audiogrid.export.provenance import model_names, text_language
from audiogrid.export.template import render
from audiogrid.export.voice_lanes import STEPS, lanes_of
from audiogrid.records.chunks import channel_of_chunk


def _milliseconds(seconds: float) -> int:
    return round(1000 * seconds)


def _utf16(text: str) -> int:
    """Returns the length of a text as JavaScript counts it."""
    return len(text) + sum(char > "\uffff" for char in text)


def word_numbers(words: Sequence[Mapping[str, Any]]) -> list[int]:
    """Returns four numbers per word: ms since the previous word's start, duration in ms, probability in %, length."""
    numbers: list[int] = []
    before = 0
    for word, text in zip(words, texts_of(words), strict=True):
        start = _milliseconds(word["start"])
        probability = int(100 * word.get("probability", 1.0))
        numbers += [start - before, _milliseconds(word["end"]) - start, probability, _utf16(text)]
        before = start
    return numbers


def _passage(window: Mapping[str, Any], recording: str) -> dict[str, Any]:
    """Returns a flagged window of a recording as the page shows it."""
    others = [reading["text"] for reading in window["readings"] if reading["path"] != window["kept"]]
    return {
        "start": _milliseconds(window["start"]),
        "end": _milliseconds(window["end"]),
        "speaker": window.get("speaker"),
        "channel": channel_of_chunk(recording, window.get("chunk", "")),
        "flags": [flag.replace("_", " ") for flag in window["flags"]],
        "replaced": bool(window["readings"]) and window["kept"] != window["readings"][0]["path"],
        "read": len(window["readings"]),
        "other": others[0] if others else "",
    }


def _having(field: str, paragraphs: Sequence[Paragraph]) -> list[int]:
    """Returns the places, among all words of a page, of those that have a field of a person's corrections."""
    words = (word for paragraph in paragraphs for word in paragraph.words)
    return [place for place, word in enumerate(words) if field in word]


def _difference(one: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a place where a given text and the audio differ as the page shows it."""
    return {
        "start": _milliseconds(one["start"]),
        "end": _milliseconds(one["end"]),
        "kind": one["kind"],
        "heard": one["heard"][:300],
        "speaker": None,
        "channel": one.get("channel"),
    }


def _named(one: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a place where a term of the glossary stands as the page shows it."""
    return {
        "start": _milliseconds(one["start"]),
        "end": _milliseconds(one["end"]),
        "term": one["term"],
        "heard": one["heard"],
        "speaker": None,
        "channel": one.get("channel"),
    }


def _seam(seam: Mapping[str, Any]) -> dict[str, Any]:
    kinds = {"hard": "cut where somebody may be speaking", "short_pause": "cut in a short pause"}
    return {
        "at": _milliseconds(seam["at"]),
        "speaker": seam.get("speaker"),
        "channel": seam.get("channel"),
        "hard": seam["kind"] == "hard",
        "about": kinds.get(seam["kind"], "cut in a pause"),
    }


def render_page(
    document: Mapping[str, Any], files: Mapping[str, str], media: str, paragraphs: Sequence[Paragraph] | None = None
) -> str:
    """Returns the page.

    ``files``: of the other formats, by name, to link to; ``media``: address of the recording; ``paragraphs``: of the
    document, for callers that have them.
    """
    found = make_paragraphs(document) if paragraphs is None else paragraphs
    lanes = lanes_of(document)
    provenance = document.get("provenance", {})
    data = {
        "recording": document.get("recording", ""),
        "audio": provenance.get("audio", ""),
        "duration": document["duration"],
        "speakers": [{"name": lane.name, "labels": lane.labels, "at": lane.at} for lane in lanes],
        "words": [word_numbers(paragraph.words) for paragraph in found],
        "channels": [paragraph.channel for paragraph in found],
        "passages": [_passage(window, str(document.get("recording", ""))) for window in document.get("windows", [])],
        "checked": _having("confirmed", found),
        "own": _having("own", found),
        "decided": _having("paragraph", found),
        "differences": [_difference(one) for one in document.get("differences", [])],
        "glossary": [_named(one) for one in document.get("glossary", [])],
        "tracks": document.get("tracks", []),
        "seams": [_seam(seam) for seam in document.get("seams", [])],
    }
    path = str(document.get("path", ""))
    return render(
        "transcript.html",
        document={
            "recording": "",
            "language": None,
            "quality": None,
            "notes": [],
            "tracks": [],
            "unapplied": [],
            "differences": [],
            "glossary": [],
            **document,
        },
        name=clean_text(path.replace("\\", "/").rsplit("/", 1)[-1]),
        paragraphs=found,
        lanes=lanes,
        steps=STEPS,
        speakers={lane.name: lane for lane in lanes},
        ledger=ledger_bar(document.get("ledger", [])),
        files=files,
        media=media,
        picture=may_have_picture(path),
        data=data,
        model=model_names(document),
        language=text_language(document),
        version=provenance.get("audiogrid"),
        text=provenance.get("text"),
    )
