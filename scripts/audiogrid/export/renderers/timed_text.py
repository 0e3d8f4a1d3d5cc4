"""Renders subtitle cues as TTML in the IMSC 1.1 text profile, which broadcasters and players read."""

from __future__ import annotations

from xml.etree import ElementTree

from audiogrid.export.cues import speaker_prefix
from audiogrid.export.renderers.plain_files import one_line
from audiogrid.export.renderers.subtitle_files import stamp
from audiogrid.export.rendering import Transcript

_TT = "http://www.w3.org/ns/ttml"
_STYLING = "http://www.w3.org/ns/ttml#styling"
_PARAMETER = "http://www.w3.org/ns/ttml#parameter"
_XML = "http://www.w3.org/XML/1998/namespace"
_PROFILE = "http://www.w3.org/ns/ttml/profile/imsc1.1/text"
_REGION = {"origin": "10% 10%", "extent": "80% 80%", "displayAlign": "after", "textAlign": "center"}


def render_ttml(transcript: Transcript) -> str:
    """Returns the cues as TTML with media times; speakers stand before their text."""
    for prefix, space in (("", _TT), ("tts", _STYLING), ("ttp", _PARAMETER)):
        ElementTree.register_namespace(prefix, space)
    language = str(transcript.document.get("language") or "")
    root = ElementTree.Element(
        f"{{{_TT}}}tt",
        {
            f"{{{_XML}}}lang": language,
            f"{{{_PARAMETER}}}timeBase": "media",
            f"{{{_PARAMETER}}}contentProfiles": _PROFILE,
        },
    )
    layout = ElementTree.SubElement(ElementTree.SubElement(root, f"{{{_TT}}}head"), f"{{{_TT}}}layout")
    styles = {f"{{{_STYLING}}}{name}": value for name, value in _REGION.items()}
    ElementTree.SubElement(layout, f"{{{_TT}}}region", {f"{{{_XML}}}id": "bottom", **styles})
    block = ElementTree.SubElement(
        ElementTree.SubElement(root, f"{{{_TT}}}body"), f"{{{_TT}}}div", {"region": "bottom"}
    )
    offset = transcript.options.offset("ttml")
    for number, cue in enumerate(transcript.cues, 1):
        times = {"begin": stamp(cue.start + offset, "."), "end": stamp(cue.end + offset, ".")}
        shown = ElementTree.SubElement(block, f"{{{_TT}}}p", {f"{{{_XML}}}id": f"c{number}", **times})
        span = ElementTree.SubElement(shown, f"{{{_TT}}}span")
        first, *others = cue.lines
        span.text = one_line(speaker_prefix(cue.speaker)) + (" " if cue.speaker else "") + first
        for line in others:
            ElementTree.SubElement(span, f"{{{_TT}}}br").tail = line
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'
