"""Puts the names of speakers into the document of a recording.

A name belongs to spans of audio, not to a number: a later run may find the same voices in another order, or more of
them. The voice that talks in most of those spans gets the name. A name that fits no voice is told, never forced.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from audiogrid.core.errors import InputError
from audiogrid.core.text import clean_name
from audiogrid.corrections.combining import is_same_voice
from audiogrid.corrections.corrections_file import Corrections
from audiogrid.corrections.entries import SpeakerName
from audiogrid.export.voice_lanes import Span, identifying_spans, voices_of

# A voice must talk in this share of a name's spans.
_LEAST_SHARE = 0.5


def label_of(document: Mapping[str, Any], name: str) -> str:
    """Returns what a speaker was called before it was given a name."""
    labels = document.get("names", {}).get(name, [])
    return str(labels[0]) if labels else name


def name_speaker(document: Mapping[str, Any], speaker: str, name: str, by: str = "") -> SpeakerName:
    """Returns the entry that gives a speaker of a document a name. Raises ``InputError`` if there is no such one."""
    voices = voices_of(document)
    if speaker not in voices:
        known = ", ".join(map(repr, voices)) or "no speakers at all"
        raise InputError(f"{document['recording']} has no speaker {speaker!r}; it has {known}")
    spans = identifying_spans(voices[speaker])
    if not spans:
        raise InputError(f"{speaker!r} does not speak in {document['recording']}")
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return SpeakerName(clean_name(name), label_of(document, speaker), spans, now, clean_name(by))


@dataclass(frozen=True)
class MatchedNames:
    """``names``: what each speaker of a document is to be called. ``unfit``: sentences on names that were not given."""

    names: dict[str, str]
    unfit: list[str]


def _best(entry: SpeakerName, voices: Mapping[str, Sequence[Span]]) -> str | None:
    """Returns the speaker that talks in most of an entry's spans; ``None`` where none talks in half of them."""
    shares = {
        label: sum(max(0.0, min(end, to) - max(start, at)) for at, to in spans for start, end in entry.at)
        for label, spans in voices.items()
    }
    if not shares:
        return None
    best = max(shares, key=lambda label: (shares[label], label))
    # People of different channels may talk at the same time: then the name decides that the speaker had before.
    if entry.was in shares and shares[entry.was] >= 0.95 * shares[best]:
        best = entry.was
    return best if shares[best] >= _LEAST_SHARE * sum(end - start for start, end in entry.at) else None


def match_names(entries: Iterable[SpeakerName], voices: Mapping[str, Sequence[Span]]) -> MatchedNames:
    """Returns which speaker each name belongs to. ``voices``: when each speaker talks, in seconds."""
    claims: dict[str, list[SpeakerName]] = {}
    unfit = []
    for entry in entries:
        label = _best(entry, voices)
        if label is None:
            unfit.append(f"the name {entry.name!r} (of {entry.was}) fits no speaker of this transcript")
        else:
            claims.setdefault(label, []).append(entry)
    names = {}
    for label, claimed in claims.items():
        newest = max(claimed, key=lambda entry: (entry.when, entry.name))
        others = [entry for entry in claimed if entry.name != newest.name]
        if not all(is_same_voice(newest, other) for other in others):
            # Several people are one voice now: none of their names would be right.
            both = " and ".join(sorted({repr(entry.name) for entry in claimed}))
            unfit.append(f"{label} has the voices of {both} and keeps its number")
            continue
        names[label] = newest.name
        unfit += [f"the name {other.name!r} of {label} was replaced by {newest.name!r} later" for other in others]
    return MatchedNames({label: name for label, name in names.items() if name and name != label}, unfit)


def apply_names(document: Mapping[str, Any], corrections: Corrections | None) -> tuple[dict[str, Any], list[str]]:
    """Returns the document with the names of its speakers, and sentences on names that fit none.

    Speakers with the same name become one.
    """
    if corrections is None or not corrections.speakers:
        return dict(document), []
    matched = match_names(corrections.speakers, voices_of(document))
    return (renamed(document, matched.names) if matched.names else dict(document)), matched.unfit


def renamed(document: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Returns the document with other names: speaker -> name.

    Windows and seams belong to channels and keep what those are called.
    """

    def entry(value: Mapping[str, Any]) -> dict[str, Any]:
        return {**value, "speaker": names[value["speaker"]]} if value.get("speaker") in names else dict(value)

    changed: dict[str, Any] = {
        "segments": [
            {**entry(segment), "words": [entry(word) for word in segment["words"]]} for segment in document["segments"]
        ],
        "gaps": [entry(gap) for gap in document["gaps"]],
    }
    if "turns" in document:
        changed["turns"] = _joined([entry(turn) for turn in document["turns"]])
        changed["speakers"] = _joined_voices([entry(voice) for voice in document["speakers"]], changed["turns"])
    labels: dict[str, list[str]] = {}
    for label in voices_of(document):
        if label in names or label in names.values():
            labels.setdefault(names.get(label, label), []).append(label)
    return {**document, **changed, "names": labels}


def _joined(turns: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns turns in which those of one speaker do not overlap."""
    found: list[dict[str, Any]] = []
    latest: dict[str, dict[str, Any]] = {}
    for turn in turns:
        before = latest.get(turn["speaker"])
        if before is not None and turn["start"] < before["end"]:
            before["end"] = max(before["end"], turn["end"])
        else:
            latest[turn["speaker"]] = turn
            found.append(turn)
    return found


def _joined_voices(voices: Sequence[dict[str, Any]], turns: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Returns one entry per speaker, where several voices have the same name."""
    found: dict[str, dict[str, Any]] = {}
    for voice in voices:
        name = voice["speaker"]
        if name not in found:
            found[name] = voice
            continue
        own = [turn for turn in turns if turn["speaker"] == name]
        together = {key: value for key, value in found[name].items() if key != "nearest"}
        found[name] = together | {
            "seconds": round(sum(turn["end"] - turn["start"] for turn in own), 3),
            "turns": len(own),
            "words": together["words"] + voice["words"],
        }
    return list(found.values())
