"""Renders a transcript as JSON, running text and a table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from audiogrid.core.text import clean_text
from audiogrid.export.cue_lines import milliseconds
from audiogrid.export.cues import gap_text, speaker_prefix
from audiogrid.export.rendering import Transcript
from audiogrid.export.spoken_words import text_of

_BY_ELEMENT = ("segments", "speakers", "turns", "gaps", "seams", "windows", "unapplied", "ledger")


def one_line(text: str) -> str:
    """Returns a text on one line, with single spaces and without control characters."""
    return " ".join(clean_text(text).split())


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _elements(values: Sequence[Any]) -> str:
    if not values:
        return "[]"
    return "[\n    " + ",\n    ".join(map(_compact, values)) + "\n  ]"


def render_json(transcript: Transcript) -> str:
    """Returns the document as JSON, one segment to a line (indenting every number would triple its size)."""
    fields = (
        f"  {_compact(key)}: {_elements(value) if key in _BY_ELEMENT else _compact(value)}"
        for key, value in transcript.document.items()
    )
    return "{\n" + ",\n".join(fields) + "\n}\n"


def render_txt(transcript: Transcript) -> str:
    """Returns running text, with an empty line between paragraphs."""
    texts = [
        speaker_prefix(one.speaker) + (gap_text(one.gap) if one.gap else one.line) for one in transcript.paragraphs
    ]
    return "\n\n".join(texts) + "\n" if texts else ""


def render_tsv(transcript: Transcript) -> str:
    """Returns a table of start, end (milliseconds), speaker (where there are any) and text, as whisper does."""
    speakers = transcript.document["channels_mode"] == "split" or "turns" in transcript.document
    rows = ["start\tend\tspeaker\ttext" if speakers else "start\tend\ttext"]
    for _, is_gap, entry in transcript.entries:
        cells = [str(milliseconds(entry["start"])), str(milliseconds(entry["end"]))]
        cells += [one_line(entry.get("speaker") or "")] if speakers else []
        cells.append(one_line(gap_text(entry) if is_gap else text_of(entry["words"])))
        rows.append("\t".join(cells))
    return "\n".join(rows) + "\n"
