"""Renders a transcript document in each output format. ``FORMATS`` is the list of them.

Every function takes the transcript document and returns the content of the file. A recording without speech
gives a valid, empty file in each format.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from audiogrid.core.errors import InputError
from audiogrid.core.text import clean_text
from audiogrid.export.cues import Cue, CueOptions, gap_text, make_cues, speaker_prefix
from audiogrid.export.line_breaking import milliseconds
from audiogrid.export.paragraphs import make_paragraphs
from audiogrid.export.spoken_words import spoken_segments, text_of

Document = Mapping[str, Any]

_ARROW = re.compile(r"-{2,}>")
_TAG = re.compile(r"<(?=\s*/?\s*[A-Za-z!])")
_STAMP = re.compile(r"(\d{1,2}:\d{1,2}:\d{1,2})[.,](?=\d)")
_BY_ELEMENT = ("segments", "gaps", "seams", "windows")


def _one_line(text: str) -> str:
    return " ".join(clean_text(text).split())


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _elements(values: Sequence[Any]) -> str:
    if not values:
        return "[]"
    return "[\n    " + ",\n    ".join(map(_compact, values)) + "\n  ]"


def render_json(document: Document) -> str:
    """Returns the document as JSON, one segment to a line (indenting every number would triple its size)."""
    fields = (
        f"  {_compact(key)}: {_elements(value) if key in _BY_ELEMENT else _compact(value)}"
        for key, value in document.items()
    )
    return "{\n" + ",\n".join(fields) + "\n}\n"


def _entries(document: Document) -> list[tuple[float, bool, Mapping[str, Any]]]:
    """Returns segments and gaps in the order of time: start, whether it is a gap, the element."""
    entries = [(segment["start"], False, segment) for segment in spoken_segments(document["segments"])]
    entries += [(gap["start"], True, gap) for gap in document["gaps"]]
    return sorted(entries, key=lambda entry: entry[0])


def render_txt(document: Document) -> str:
    """Returns running text, with an empty line between paragraphs."""
    paragraphs = make_paragraphs(document)
    texts = [speaker_prefix(one.speaker) + (gap_text(one.gap) if one.gap else one.line) for one in paragraphs]
    return "\n\n".join(texts) + "\n" if texts else ""


def _stamp(time: int, point: str) -> str:
    seconds, thousandths = divmod(time, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{thousandths:03d}"


def _srt_text(text: str) -> str:
    """Returns text for SubRip, which has no escapes: arrows, tags and times are replaced by similar characters."""
    text = _TAG.sub("‹", _ARROW.sub("→", text))
    return _STAMP.sub(r"\1 ", text).replace("{\\", "{ \\")


def render_srt(cues: Sequence[Cue]) -> str:
    """Returns the cues as SubRip."""
    blocks = []
    for number, cue in enumerate(cues, 1):
        text = _srt_text(speaker_prefix(cue.speaker) + "\n".join(cue.lines))
        blocks.append(f"{number}\n{_stamp(cue.start, ',')} --> {_stamp(cue.end, ',')}\n{text}\n\n")
    return "".join(blocks)


def render_vtt(cues: Sequence[Cue]) -> str:
    """Returns the cues as WebVTT, with speakers as voice tags."""
    blocks = ["WEBVTT\n"]
    for cue in cues:
        text = html.escape("\n".join(cue.lines), quote=False)
        if cue.speaker is not None:
            name = _one_line(html.escape(cue.speaker, quote=False))
            text = f"<v {name}>{text}</v>"
        blocks.append(f"\n{_stamp(cue.start, '.')} --> {_stamp(cue.end, '.')}\n{text}\n")
    return "".join(blocks)


def render_tsv(document: Document) -> str:
    """Returns a table of start and end (milliseconds), speaker (``channels: split`` only) and text, as whisper does."""
    speakers = document["channels_mode"] == "split"
    rows = ["start\tend\tspeaker\ttext" if speakers else "start\tend\ttext"]
    for _, is_gap, entry in _entries(document):
        cells = [str(milliseconds(entry["start"])), str(milliseconds(entry["end"]))]
        cells += [_one_line(entry.get("speaker") or "")] if speakers else []
        cells.append(_one_line(gap_text(entry) if is_gap else text_of(entry["words"])))
        rows.append("\t".join(cells))
    return "\n".join(rows) + "\n"


_OF_DOCUMENT: dict[str, Callable[[Document], str]] = {"json": render_json, "txt": render_txt, "tsv": render_tsv}
_OF_CUES: dict[str, Callable[[Sequence[Cue]], str]] = {"srt": render_srt, "vtt": render_vtt}

#: Every output format: name (also the suffix of the file) and its purpose.
FORMATS: dict[str, str] = {
    "json": "everything known: words, times, probabilities, quality, provenance",
    "txt": "running text",
    "srt": "subtitles (SubRip)",
    "vtt": "subtitles (WebVTT)",
    "tsv": "segments as a table, times in milliseconds",
    "html": "a page with a player: the text follows the recording",
}


def render_all(
    document: Document, formats: Iterable[str], subtitles: CueOptions | None = None, media: str = ""
) -> dict[str, str]:
    """Returns the content of the file of each format, by name. Cues are laid out once.

    ``media``: address of the recording, for its page. Raises ``InputError`` for an unknown format.
    """
    wanted = list(dict.fromkeys(formats))
    unknown = [name for name in wanted if name not in FORMATS]
    if unknown:
        raise InputError(f"formats: {', '.join(unknown)} is not known; choose from {', '.join(FORMATS)}")
    cues = make_cues(document, subtitles) if any(name in _OF_CUES for name in wanted) else []

    def content(name: str) -> str:
        if name == "html":
            from audiogrid.export.transcript_page import render_page

            return render_page(document, [other for other in wanted if other != "html"], media)
        return _OF_CUES[name](cues) if name in _OF_CUES else _OF_DOCUMENT[name](document)

    return {name: content(name) for name in wanted}


def render(document: Document, name: str, subtitles: CueOptions | None = None) -> str:
    """Returns the content of the file of one format. Raises ``InputError`` for an unknown format."""
    return render_all(document, [name], subtitles)[name]
