"""Renders subtitle cues as SubRip and WebVTT."""

from __future__ import annotations

import html
import re

from audiogrid.export.cues import speaker_prefix
from audiogrid.export.line_breaking import is_right_to_left
from audiogrid.export.provenance import fadgi_fields, header_value, machine_made
from audiogrid.export.renderers.plain_files import one_line
from audiogrid.export.rendering import Transcript

_RLM = "\u200f"
_ARROW = re.compile(r"-{2,}>")
_TAG = re.compile(r"<(?=\s*/?\s*[A-Za-z!])")
_STAMP = re.compile(r"(\d{1,2}:\d{1,2}:\d{1,2})[.,](?=\d)")


def stamp(time: int, point: str) -> str:
    """Returns a time in milliseconds as ``hh:mm:ss.mmm``, with ``point`` before the milliseconds."""
    seconds, thousandths = divmod(time, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{thousandths:03d}"


def directed(line: str, text: str) -> str:
    """Returns a line of a cue; with right-to-left marks around it where ``text``, what is said, is written so.

    The first mark makes the whole line run from the right, the last keeps punctuation at its left end. Players that
    know no direction of a cue need both.
    """
    return f"{_RLM}{line}{_RLM}" if is_right_to_left(text) else line


def _srt_text(text: str) -> str:
    """Returns text for SubRip, which has no escapes: arrows, tags and times are replaced by similar characters."""
    text = _TAG.sub("‹", _ARROW.sub("→", text))
    return _STAMP.sub(r"\1 ", text).replace("{\\", "{ \\")


def _speaker_mark(speaker: str | None, before: str | None, style: str) -> str:
    """Returns what stands before the text of a cue. ``before``: the speaker of the cue before it."""
    if style == "name":
        return speaker_prefix(speaker)
    return "- " if style == "dash" and speaker not in (None, before) else ""


def render_srt(transcript: Transcript) -> str:
    """Returns the cues as SubRip."""
    blocks = []
    offset = transcript.options.offset("srt")
    style = transcript.options.value("srt", "speakers")
    before: str | None = None
    for number, cue in enumerate(transcript.cues, 1):
        prefixes = [_speaker_mark(cue.speaker, before, style), *([""] * len(cue.lines))]
        lines = [directed(prefix + line, line) for prefix, line in zip(prefixes, cue.lines, strict=False)]
        text = _srt_text("\n".join(lines))
        before = cue.speaker
        blocks.append(f"{number}\n{stamp(cue.start + offset, ',')} --> {stamp(cue.end + offset, ',')}\n{text}\n\n")
    return "".join(blocks)


def _vtt_header(transcript: Transcript) -> str:
    """Returns the first lines of a WebVTT file, and a comment for readers.

    The fields follow the first line at once: after an empty line FFmpeg would take them for a broken cue and read no
    further.
    """
    options = transcript.options
    party, date, identifier = (
        str(options.value("vtt", name)) for name in ("responsible_party", "date", "media_identifier")
    )
    identifier = identifier.replace("{recording}", transcript.name)
    fields = fadgi_fields(transcript.document, party, date, identifier)
    lines = "".join(f"{name}: {value}\n" for name, value in fields)
    return f"WEBVTT\n{lines}\nNOTE {header_value(machine_made(transcript.document))}\n"


def render_vtt(transcript: Transcript) -> str:
    """Returns the cues as WebVTT, with speakers as voice tags, after a header that says where the text comes from."""
    blocks = [_vtt_header(transcript) if transcript.options.value("vtt", "provenance") else "WEBVTT\n"]
    offset = transcript.options.offset("vtt")
    for cue in transcript.cues:
        text = html.escape("\n".join(directed(line, line) for line in cue.lines), quote=False)
        if cue.speaker is not None:
            name = one_line(html.escape(cue.speaker, quote=False))
            text = f"<v {name}>{text}</v>"
        blocks.append(f"\n{stamp(cue.start + offset, '.')} --> {stamp(cue.end + offset, '.')}\n{text}\n")
    return "".join(blocks)
