"""Renders subtitle cues as TTML: in the IMSC 1.1 text profile, which players read, or as EBU-TT-D.

IMSC 1.1 is a recommendation of the W3C, EBU-TT-D is EBU Tech 3380 (version 1.0.1): media times with hours, cells of a
grid, styles by reference, a region, and a statement of conformance in the metadata.
"""

from __future__ import annotations

from xml.etree import ElementTree

from audiogrid.core.language_codes import language_tag
from audiogrid.export.cues import Cue, speaker_prefix
from audiogrid.export.line_breaking import is_right_to_left
from audiogrid.export.provenance import machine_made
from audiogrid.export.renderers.plain_files import one_line
from audiogrid.export.renderers.subtitle_files import stamp
from audiogrid.export.rendering import Transcript

_TT = "http://www.w3.org/ns/ttml"
_STYLING = "http://www.w3.org/ns/ttml#styling"
_PARAMETER = "http://www.w3.org/ns/ttml#parameter"
_METADATA = "http://www.w3.org/ns/ttml#metadata"
_EBU_METADATA = "urn:ebu:tt:metadata"
_XML = "http://www.w3.org/XML/1998/namespace"
_PREFIXES = {"": _TT, "tts": _STYLING, "ttp": _PARAMETER, "ttm": _METADATA, "ebuttm": _EBU_METADATA}
_IMSC = "http://www.w3.org/ns/ttml/profile/imsc1.1/text"
_EBU_TT_D = "urn:ebu:tt:distribution:2014-01"
_REGION = {"origin": "10% 10%", "extent": "80% 80%", "displayAlign": "after"}
_TEXT = {
    "fontFamily": "proportionalSansSerif",
    "fontSize": "100%",
    "lineHeight": "normal",
    "textAlign": "center",
    "color": "#FFFFFF",
    "backgroundColor": "#00000000",
}
_BOX = {"backgroundColor": "#000000"}
_RIGHT_TO_LEFT = {"direction": "rtl", "unicodeBidi": "embed"}

_Element = ElementTree.Element


def _child(parent: _Element, name: str, attributes: dict[str, str] | None = None, space: str = _TT) -> _Element:
    return ElementTree.SubElement(parent, f"{{{space}}}{name}", attributes or {})


def _styling(values: dict[str, str]) -> dict[str, str]:
    return {f"{{{_STYLING}}}{name}": value for name, value in values.items()}


def _identified(name: str, values: dict[str, str]) -> dict[str, str]:
    return {f"{{{_XML}}}id": name, **_styling(values)}


def _head(root: _Element, transcript: Transcript, *, is_ebu: bool) -> None:
    head = _child(root, "head")
    metadata = _child(head, "metadata")
    _child(metadata, "desc", space=_METADATA).text = one_line(machine_made(transcript.document))
    if is_ebu:
        about = _child(metadata, "documentMetadata", space=_EBU_METADATA)
        _child(about, "conformsToStandard", space=_EBU_METADATA).text = _EBU_TT_D
        styling = _child(head, "styling")
        _child(styling, "style", _identified("text", _TEXT))
        _child(styling, "style", _identified("box", _BOX))
        _child(styling, "style", _identified("rtl", _RIGHT_TO_LEFT))
    layout = _child(head, "layout")
    align = {} if is_ebu else {"textAlign": "center"}
    _child(layout, "region", _identified("bottom", _REGION | align))


def _cue_attributes(cue: Cue, number: int, offset: int, language: str, *, is_ebu: bool) -> dict[str, str]:
    found = {
        f"{{{_XML}}}id": f"c{number}",
        "begin": stamp(cue.start + offset, "."),
        "end": stamp(cue.end + offset, "."),
    }
    if cue.language and cue.language != language:
        found[f"{{{_XML}}}lang"] = language_tag(cue.language)
    is_reversed = is_right_to_left("".join(cue.lines))
    if is_ebu:
        return found | {"style": "text rtl" if is_reversed else "text", "region": "bottom"}
    return found | (_styling(_RIGHT_TO_LEFT) if is_reversed else {})


def render_ttml(transcript: Transcript) -> str:
    """Returns the cues as TTML with media times; speakers stand before their text."""
    for prefix, space in _PREFIXES.items():
        ElementTree.register_namespace(prefix, space)
    is_ebu = transcript.options.value("ttml", "profile") == "ebu-tt-d"
    language = transcript.language
    attributes = {f"{{{_XML}}}lang": language_tag(language), f"{{{_PARAMETER}}}timeBase": "media"}
    if is_ebu:
        attributes[f"{{{_PARAMETER}}}cellResolution"] = "32 15"
    else:
        attributes[f"{{{_PARAMETER}}}contentProfiles"] = _IMSC
    root = ElementTree.Element(f"{{{_TT}}}tt", attributes)
    _head(root, transcript, is_ebu=is_ebu)
    block = _child(_child(root, "body"), "div", {} if is_ebu else {"region": "bottom"})
    offset = transcript.options.offset("ttml")
    for number, cue in enumerate(transcript.cues, 1):
        shown = _child(block, "p", _cue_attributes(cue, number, offset, language, is_ebu=is_ebu))
        span = _child(shown, "span", {"style": "box"} if is_ebu else {})
        first, *others = cue.lines
        span.text = one_line(speaker_prefix(cue.speaker)) + (" " if cue.speaker else "") + first
        for line in others:
            if is_ebu:
                # A span has no line break within it, so that each line gets its own box.
                _child(shown, "br")
                span = _child(shown, "span", {"style": "box"})
                span.text = line
            else:
                _child(span, "br").tail = line
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'
