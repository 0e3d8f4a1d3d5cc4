"""Finds the least certain passages of a transcript: those a person should listen to first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audiogrid.records.chunks import channel_of_chunk

KEPT = 3
#: Passages with a higher mean word probability are not listed.
CERTAIN = 0.7
_FEWEST_WORDS = 3
_LONGEST_TEXT = 200


def worst_passages(document: Mapping[str, Any], count: int = KEPT) -> list[dict[str, Any]]:
    """Returns the ``count`` segments with the lowest mean word probability, lowest first.

    Each has ``start`` and ``end`` in seconds, ``probability``, ``text``, ``flags`` (the quality rules that fired there
    on the first reading), the ``speaker`` where there are several, and the ``channel`` (from 0) where channels were
    transcribed apart.
    """
    found = []
    for segment in document["segments"]:
        words = segment["words"]
        # What a person wrote or confirmed is certain.
        probability = sum(1.0 if "confirmed" in word else word["probability"] for word in words) / len(words)
        if len(words) >= _FEWEST_WORDS and probability < CERTAIN:
            found.append((probability, segment["start"], segment))
    return [
        _passage(document, segment, probability)
        for probability, _, segment in sorted(found, key=lambda entry: entry[:2])[:count]
    ]


def _passage(document: Mapping[str, Any], segment: Mapping[str, Any], probability: float) -> dict[str, Any]:
    channel = channel_of_chunk(document["recording"], segment["chunk"])
    return {
        "start": segment["start"],
        "end": segment["end"],
        "probability": round(probability, 3),
        "text": segment["text"][:_LONGEST_TEXT],
        "flags": _flags(document, segment, channel),
        **({"speaker": segment["speaker"]} if segment.get("speaker") else {}),
        **({} if channel is None else {"channel": channel}),
    }


def _flags(document: Mapping[str, Any], segment: Mapping[str, Any], channel: int | None) -> list[str]:
    middle = (segment["start"] + segment["end"]) / 2
    return sorted(
        {
            flag
            for window in document["windows"]
            # A window has the name of its channel, a segment that of its speaker, so only their channels compare.
            if window["start"] <= middle < window["end"]
            and channel_of_chunk(document["recording"], window["chunk"]) == channel
            for flag in window["flags"]
        }
    )
