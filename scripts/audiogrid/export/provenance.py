"""Describes how a transcript document was made, as text for a person and as fields for an archive."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from audiogrid.core.language_codes import three_letters
from audiogrid.core.secrets import masked
from audiogrid.core.text import clean_text

_ARROW = re.compile(r"-+>")


def model_names(document: Mapping[str, Any]) -> str:
    """Returns the names of the models of a document: one, or several if its channels differ; empty if not recorded."""
    made = document.get("provenance", {})
    return ", ".join(dict.fromkeys(one["model"]["name"] for one in made.get("channels", [made]) if "model" in one))


def _models(document: Mapping[str, Any]) -> str:
    """Returns the models with the beginnings of their hashes."""
    made = document.get("provenance", {})
    found = [one["model"] for one in made.get("channels", [made]) if "model" in one]
    return ", ".join(dict.fromkeys(f"{one['name']} ({str(one['hash'])[:16]})" for one in found))


def _versions(document: Mapping[str, Any]) -> list[str]:
    made = document.get("provenance", {})
    names = {"faster_whisper": "faster-whisper", "ctranslate2": "CTranslate2"}
    return [f"{name} {made[key]}" for key, name in names.items() if made.get(key)]


def creator(document: Mapping[str, Any]) -> str:
    """Returns what made the text: program, models and libraries, with versions."""
    version = document.get("provenance", {}).get("audiogrid", "")
    models = _models(document)
    parts = [f"audiogrid {version}".strip(), *([f"Whisper {models}"] if models else []), *_versions(document)]
    return ", ".join(parts)


def _review(document: Mapping[str, Any]) -> tuple[int, int]:
    """Returns how many words a person wrote or confirmed, and how many there are."""
    counts = document.get("provenance", {}).get("corrections") or {}
    return counts.get("confirmed_words", 0), sum(len(segment["words"]) for segment in document.get("segments", []))


def _checked(document: Mapping[str, Any]) -> str:
    """Returns a sentence that says what a person has checked."""
    confirmed, words = _review(document)
    named = "A person has named speakers" if document.get("names") else ""
    if not confirmed:
        return f"{named}; nobody has checked the words." if named else "Nobody has checked it."
    share = f"A person has checked {confirmed} of {words} words"
    return f"{share} and named speakers." if named else f"{share}."


def machine_made(document: Mapping[str, Any]) -> str:
    """Returns plain words for readers: the text is machine-made, and what that means."""
    models = model_names(document)
    by = f"Whisper {models}" if models else "a speech recogniser"
    checked = _checked(document)
    return (
        f"This text was made by a machine ({by}, run by audiogrid). {checked} "
        "Words may be wrong or missing, and some may never have been said."
    )


def is_translation(document: Mapping[str, Any]) -> bool:
    """Whether the text is an English translation of what is said."""
    made = document.get("provenance", {})
    return any(one.get("options", {}).get("task") == "translate" for one in made.get("channels", [made]))


def text_language(document: Mapping[str, Any]) -> str:
    """Returns the code of the language in which the text is written; empty where it is not known."""
    return "en" if is_translation(document) else str(document.get("language") or "")


def _local_usage(document: Mapping[str, Any]) -> Iterator[str]:
    quality = document.get("quality")
    if quality and quality.get("words"):
        yield f"[doubtful words] {100 * quality['low_confidence_share']:.1f} % of {quality['words']}"
    gaps = document.get("gaps", [])
    if gaps:
        yield f"[not transcribed] {sum(gap['end'] - gap['start'] for gap in gaps):.1f} s"
    confirmed, words = _review(document)
    reviewed = ["names of speakers"] if document.get("names") else []
    reviewed += [f"{confirmed} of {words} words"] if confirmed else []
    yield "[review] " + (", ".join(reviewed) or "none")


def header_value(text: str) -> str:
    """Returns a text as the value of a header line: one line, no arrow of a cue, no secrets of an address."""
    return _ARROW.sub("→", " ".join(clean_text(masked(text)).split()))


def fadgi_fields(document: Mapping[str, Any], party: str, date: str, identifier: str) -> Sequence[tuple[str, str]]:
    """Returns the fields that describe a subtitle file to an archive, in their order.

    They are those of the "Guidelines for Embedding Metadata in WebVTT Files" (Federal Agencies Digital Guidelines
    Initiative, version 1.0, 7 June 2024). ``party``: who answers for the file; ``date``: when it was published;
    ``identifier``: of the recording. Without one of them, what the document says stands in its place. The moment of
    writing is in none of them.
    """
    path = str(document.get("path", "")).split("?")[0].replace("\\", "/")
    of_recording = f"{document['date']} (of the recording)" if document.get("date") else ""
    fields = [
        ("Type", "subtitle" if is_translation(document) else "caption"),
        ("Language", three_letters(text_language(document))),
        ("Responsible Party", party or "not stated"),
        ("Media Identifier", identifier or f"{document.get('recording', '')}, audiogrid recording"),
        ("Originating File", path.rsplit("/", 1)[-1]),
        ("File Creator", creator(document)),
        ("File Creation Date", date or of_recording or "not stated"),
        ("Title", str(document.get("recording", ""))),
        ("Origin History", machine_made(document)),
        *(("Local Usage Element", text) for text in _local_usage(document)),
    ]
    return [(name, header_value(value)) for name, value in fields]
