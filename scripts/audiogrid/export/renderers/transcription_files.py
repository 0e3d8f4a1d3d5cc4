"""Renders a transcript for programs in which people correct and code it: oTranscribe, Label Studio, OHMS."""

from __future__ import annotations

import hashlib
import html
import json
from typing import Any

from audiogrid.export.cues import gap_text
from audiogrid.export.paragraphs import texts_of
from audiogrid.export.provenance import model_names
from audiogrid.export.renderers.plain_files import one_line
from audiogrid.export.rendering import Transcript, speaker_of


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def _short_clock(seconds: float) -> str:
    whole = int(seconds)
    minutes = f"{whole // 60 % 60}:{whole % 60:02d}"
    return f"{whole // 3600}:{minutes.rjust(5, '0')}" if whole >= 3600 else minutes


def render_ohms(transcript: Transcript) -> str:
    """Returns plain text for OHMS: speakers at the beginning of paragraphs, a time mark in each step with words."""
    blocks = []
    passed = 0.0
    step = 60 * float(transcript.options.value("ohms", "minutes"))
    for paragraph in transcript.paragraphs:
        parts = [f"{one_line(paragraph.speaker).upper()}: "] if paragraph.speaker else []
        words = [(word["start"], text) for word, text in zip(paragraph.words, texts_of(paragraph.words), strict=True)]
        for start, text in [(paragraph.start, gap_text(paragraph.gap))] if paragraph.gap else words:
            if start >= passed + step:
                passed = start // step * step
                parts.append(f" [{_clock(passed)}] ")
            parts.append(text)
        blocks.append(one_line("".join(parts)))
    return "\n\n".join(blocks) + "\n" if blocks else ""


def render_otr(transcript: Transcript) -> str:
    """Returns a file of oTranscribe: paragraphs as HTML, each after a mark that plays from there."""
    blocks = []
    for paragraph in transcript.paragraphs:
        text = one_line(gap_text(paragraph.gap) if paragraph.gap else paragraph.line)
        speaker = f"<b>{html.escape(one_line(paragraph.speaker))}:</b> " if paragraph.speaker else ""
        mark = (
            f'<span class="timestamp" contenteditable="false" data-timestamp="{paragraph.start:.3f}">'
            f"{_short_clock(paragraph.start)}</span>"
        )
        blocks.append(f"<p>{mark} {speaker}{html.escape(text)}</p>")
    name = str(transcript.document.get("path", "")).replace("\\", "/").rsplit("/", 1)[-1]
    value = {"text": "".join(blocks), "media": one_line(name), "media-source": "", "media-time": 0}
    return json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n"


def render_labelstudio(transcript: Transcript) -> str:
    """Returns a Label Studio task with a prediction: a region per segment with its speaker, its text and a score.

    It fits the template for transcribing by segments: ``Labels name="labels"``, ``TextArea name="transcription"`` with
    ``perRegion="true"``, both with ``toName="audio"``.
    """
    regions: list[dict[str, Any]] = []
    duration = transcript.duration
    for number, (_, is_gap, entry) in enumerate(transcript.entries, 1):
        text = one_line(gap_text(entry) if is_gap else "".join(word["word"] for word in entry["words"]))
        speaker = speaker_of(entry.get("speaker"))
        channel = transcript.channel_of(speaker) - 1
        identity = hashlib.sha256(f"{number} {entry['start']} {speaker}".encode()).hexdigest()[:10]
        span = {"start": entry["start"], "end": entry["end"], "channel": channel}
        common = {"id": identity, "to_name": "audio", "origin": "prediction", "original_length": duration}
        scores = [word.get("probability", 1.0) for word in entry.get("words", [])]
        if scores:
            common["score"] = round(sum(scores) / len(scores), 4)
        regions.append(
            {**common, "from_name": "labels", "type": "labels", "value": {**span, "labels": [one_line(speaker)]}}
        )
        regions.append({**common, "from_name": "transcription", "type": "textarea", "value": {**span, "text": [text]}})
    version = f"audiogrid {model_names(transcript.document)}".strip()
    data = {"audio": transcript.media, "recording": transcript.name, "language": transcript.language or None}
    task = {"data": data, "predictions": [{"model_version": version, "result": regions}]}
    return json.dumps([task], ensure_ascii=False, allow_nan=False) + "\n"
