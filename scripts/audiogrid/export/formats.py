"""The one list of output formats, and ``render_all``, which renders a transcript document in several of them.

A recording without speech gives a valid, empty file in each format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from audiogrid.core.errors import InputError
from audiogrid.export.cues import CueOptions
from audiogrid.export.format_options import FormatOptions
from audiogrid.export.renderers import (
    annotation_files,
    plain_files,
    reading_files,
    scoring_files,
    subtitle_files,
    timed_text,
    transcription_files,
)
from audiogrid.export.rendering import Transcript

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Format:
    """An output format. ``purpose``: what it is and for whom; ``loses``: what of the document it does not hold.

    ``ending``: how the names of its files end; ``by_default``: whether it is written unless others are asked for.
    """

    purpose: str
    loses: str
    ending: str
    render: Callable[[Transcript], str | bytes]
    by_default: bool = False


def _render_html(transcript: Transcript) -> str:
    from audiogrid.export.transcript_page import render_page

    return render_page(transcript.document, transcript.others, transcript.media, transcript.paragraphs)


_ALWAYS = True
# What most formats do not hold.
_WORDS = "words' times, probabilities"
#: Every output format by name. docs/formats.md lists them (``make docs``).
FORMATS: dict[str, Format] = {
    "json": Format(
        "everything known: words, times, probabilities, quality, provenance",
        "nothing",
        ".json",
        plain_files.render_json,
        _ALWAYS,
    ),
    "txt": Format("running text in paragraphs", "times, probabilities", ".txt", plain_files.render_txt, _ALWAYS),
    "srt": Format(
        "subtitles (SubRip)",
        _WORDS,
        ".srt",
        subtitle_files.render_srt,
        _ALWAYS,
    ),
    "vtt": Format(
        "subtitles (WebVTT), speakers as voices",
        _WORDS,
        ".vtt",
        subtitle_files.render_vtt,
        _ALWAYS,
    ),
    "tsv": Format(
        "segments as a table, times in milliseconds",
        _WORDS,
        ".tsv",
        plain_files.render_tsv,
        _ALWAYS,
    ),
    "html": Format(
        "a page with a player: the text follows the recording", "provenance", ".html", _render_html, _ALWAYS
    ),
    "eaf": Format(
        "ELAN: per speaker a tier of segments, below it words and their probabilities",
        "seams, other hypotheses",
        ".eaf",
        annotation_files.render_eaf,
    ),
    "textgrid": Format(
        "Praat: per speaker a tier of segments and one of words",
        "probabilities",
        ".TextGrid",
        annotation_files.render_textgrid,
    ),
    "ctm": Format(
        "a line per word with its probability, for evaluation (sclite, NIST)",
        "gaps, segments, speakers other than channels",
        ".ctm",
        scoring_files.render_ctm,
    ),
    "stm": Format(
        "a line per segment with its speaker, for evaluation",
        _WORDS,
        ".stm",
        scoring_files.render_stm,
    ),
    "rttm": Format(
        "who speaks when: turns of speakers or channels, without text", "text", ".rttm", scoring_files.render_rttm
    ),
    "audacity": Format("a label track for Audacity", _WORDS, ".audacity.txt", annotation_files.render_audacity),
    "docx": Format(
        "Word, MAXQDA, ATLAS.ti: paragraphs with speakers and times, doubtful words highlighted",
        _WORDS,
        ".docx",
        reading_files.render_docx,
    ),
    "md": Format(
        "Markdown: paragraphs with speakers and times, doubtful words in italics",
        _WORDS,
        ".md",
        reading_files.render_md,
    ),
    "ttml": Format(
        "subtitles (TTML, IMSC 1.1 text profile), for broadcasters",
        _WORDS,
        ".ttml",
        timed_text.render_ttml,
    ),
    "ohms": Format(
        "text for the OHMS viewer: speakers at paragraphs, a time mark in each minute",
        _WORDS,
        ".ohms.txt",
        transcription_files.render_ohms,
    ),
    "labelstudio": Format(
        "a Label Studio task with predictions: a region per segment with speaker and text",
        "words' times and probabilities",
        ".labelstudio.json",
        transcription_files.render_labelstudio,
    ),
    "otr": Format(
        "oTranscribe: paragraphs with marks that play from there", _WORDS, ".otr", transcription_files.render_otr
    ),
}
#: The formats that are written unless others are asked for.
DEFAULT_FORMATS = tuple(name for name, one in FORMATS.items() if one.by_default)


def file_name(recording: str, name: str) -> str:
    """Returns the name of a recording's file of a format."""
    return f"{recording}{FORMATS[name].ending}"


def render_all(
    document: Document,
    formats: Iterable[str],
    subtitles: CueOptions | None = None,
    media: str = "",
    options: FormatOptions | None = None,
) -> dict[str, str | bytes]:
    """Returns the content of the file of each format, by name; bytes where a format is no text.

    ``media``: address of the recording, for its page. ``options``: of single formats.
    Raises ``InputError`` for an unknown format.
    """
    wanted = list(dict.fromkeys(formats))
    unknown = [name for name in wanted if name not in FORMATS]
    if unknown:
        raise InputError(f"formats: {', '.join(unknown)} is not known; choose from {', '.join(FORMATS)}")
    recording = str(document.get("recording", ""))
    others = {name: file_name(recording, name) for name in wanted if name != "html"}
    transcript = Transcript(document, subtitles or CueOptions(), others, media, options or FormatOptions())
    return {name: FORMATS[name].render(transcript) for name in wanted}


def render(document: Document, name: str, subtitles: CueOptions | None = None) -> str | bytes:
    """Returns the content of the file of one format. Raises ``InputError`` for an unknown format."""
    return render_all(document, [name], subtitles)[name]
