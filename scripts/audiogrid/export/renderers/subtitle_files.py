"""Renders subtitle cues as SubRip and WebVTT."""

from __future__ import annotations

import html
import re

from audiogrid.export.cues import speaker_prefix
from audiogrid.export.renderers.plain_files import one_line
from audiogrid.export.rendering import Transcript

_ARROW = re.compile(r"-{2,}>")
_TAG = re.compile(r"<(?=\s*/?\s*[A-Za-z!])")
_STAMP = re.compile(r"(\d{1,2}:\d{1,2}:\d{1,2})[.,](?=\d)")


def stamp(time: int, point: str) -> str:
    """Returns a time in milliseconds as ``hh:mm:ss.mmm``, with ``point`` before the milliseconds."""
    seconds, thousandths = divmod(time, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{thousandths:03d}"


def _srt_text(text: str) -> str:
    """Returns text for SubRip, which has no escapes: arrows, tags and times are replaced by similar characters."""
    text = _TAG.sub("‹", _ARROW.sub("→", text))
    return _STAMP.sub(r"\1 ", text).replace("{\\", "{ \\")


def render_srt(transcript: Transcript) -> str:
    """Returns the cues as SubRip."""
    blocks = []
    offset = transcript.options.offset("srt")
    for number, cue in enumerate(transcript.cues, 1):
        text = _srt_text(speaker_prefix(cue.speaker) + "\n".join(cue.lines))
        blocks.append(f"{number}\n{stamp(cue.start + offset, ',')} --> {stamp(cue.end + offset, ',')}\n{text}\n\n")
    return "".join(blocks)


def render_vtt(transcript: Transcript) -> str:
    """Returns the cues as WebVTT, with speakers as voice tags."""
    blocks = ["WEBVTT\n"]
    offset = transcript.options.offset("vtt")
    for cue in transcript.cues:
        text = html.escape("\n".join(cue.lines), quote=False)
        if cue.speaker is not None:
            name = one_line(html.escape(cue.speaker, quote=False))
            text = f"<v {name}>{text}</v>"
        blocks.append(f"\n{stamp(cue.start + offset, '.')} --> {stamp(cue.end + offset, '.')}\n{text}\n")
    return "".join(blocks)
