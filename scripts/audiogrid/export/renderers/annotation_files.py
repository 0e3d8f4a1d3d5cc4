"""Renders a transcript for annotation programs: ELAN, Praat and Audacity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from xml.sax.saxutils import escape, quoteattr

from audiogrid.export.cue_lines import milliseconds
from audiogrid.export.cues import gap_text
from audiogrid.export.renderers.plain_files import one_line
from audiogrid.export.rendering import Transcript, speaker_of

# Start and end in milliseconds, text.
Span = tuple[int, int, str]

_EAF_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"


def _segments(transcript: Transcript, speaker: str) -> Iterator[tuple[Span, list[Span], list[float]]]:
    """Yields the segments of a speaker with their words and the words' probabilities; gaps have no words."""
    for _, is_gap, entry in transcript.entries:
        if speaker_of(entry.get("speaker")) != speaker:
            continue
        start, end = milliseconds(entry["start"]), milliseconds(entry["end"])
        if is_gap:
            yield (start, end, one_line(gap_text(entry))), [], []
            continue
        words = [
            (milliseconds(word["start"]), milliseconds(word["end"]), one_line(word["word"])) for word in entry["words"]
        ]
        text = one_line("".join(word["word"] for word in entry["words"]))
        yield (start, end, text), words, [word.get("probability", 1.0) for word in entry["words"]]


def _without_overlaps(spans: Iterable[Span]) -> list[Span]:
    """Returns the spans of a tier so that they follow each other and last a millisecond at least."""
    found: list[Span] = []
    for start, end, text in spans:
        start = max(start, found[-1][1] if found else 0)
        found.append((start, max(end, start + 1), text))
    return found


class _Eaf:
    """Builds an ELAN document: time slots first, then tiers of annotations that refer to them."""

    def __init__(self, media: str) -> None:
        self._media = media
        self._slots: list[str] = []
        self._tiers: list[str] = []
        self._annotations = 0

    def tier(self, name: str, kind: str, spans: Iterable[Span], speaker: str, parent: str = "") -> None:
        """Add a tier. ``kind``: its linguistic type; ``parent``: the tier that it belongs below."""
        below = f" PARENT_REF={quoteattr(parent)}" if parent else ""
        self._tiers.append(
            f'  <TIER LINGUISTIC_TYPE_REF="{kind}" PARTICIPANT={quoteattr(speaker)} TIER_ID={quoteattr(name)}{below}>'
        )
        for start, end, text in spans:
            self._annotations += 1
            first = len(self._slots) + 1
            self._slots.append(f'    <TIME_SLOT TIME_SLOT_ID="ts{first}" TIME_VALUE="{start}"/>')
            self._slots.append(f'    <TIME_SLOT TIME_SLOT_ID="ts{first + 1}" TIME_VALUE="{end}"/>')
            self._tiers.append(
                f'    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a{self._annotations}" '
                f'TIME_SLOT_REF1="ts{first}" TIME_SLOT_REF2="ts{first + 1}">'
                f"<ANNOTATION_VALUE>{escape(text)}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>"
            )
        self._tiers.append("  </TIER>")

    def content(self) -> str:
        """Returns the file."""
        # The moment of writing is not recorded, so that the same transcript gives the same file.
        head = [
            '<?xml version="1.0" encoding="UTF-8"?>',
            '<ANNOTATION_DOCUMENT AUTHOR="audiogrid" DATE="1970-01-01T00:00:00+00:00" FORMAT="3.0" VERSION="3.0" '
            f'xmlns:xsi="{_XSI}" xsi:noNamespaceSchemaLocation="{_EAF_SCHEMA}">',
            '  <HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">',
            *(
                [f'    <MEDIA_DESCRIPTOR MEDIA_URL={quoteattr(self._media)} MIME_TYPE="unknown"/>']
                if self._media
                else []
            ),
            "  </HEADER>",
            "  <TIME_ORDER>",
        ]
        types = [("segments", ""), *((kind, ' CONSTRAINTS="Included_In"') for kind in ("words", "confidence"))]
        tail = [
            *(
                f'  <LINGUISTIC_TYPE GRAPHIC_REFERENCES="false" LINGUISTIC_TYPE_ID="{kind}" '
                f'TIME_ALIGNABLE="true"{rule}/>'
                for kind, rule in types
            ),
            '  <CONSTRAINT DESCRIPTION="Time alignable annotations within the parent annotation" '
            'STEREOTYPE="Included_In"/>',
            "</ANNOTATION_DOCUMENT>",
        ]
        return "\n".join([*head, *self._slots, "  </TIME_ORDER>", *self._tiers, *tail]) + "\n"


def render_eaf(transcript: Transcript) -> str:
    """Returns an ELAN file: per speaker a tier of segments, below it one of words and one of their probabilities."""
    eaf = _Eaf(transcript.media)
    for speaker in transcript.speakers:
        found = list(_segments(transcript, speaker))
        words = _without_overlaps(word for _, spans, _ in found for word in spans)
        confidence = [f"{probability:.3f}" for _, _, probabilities in found for probability in probabilities]
        name = one_line(speaker)
        eaf.tier(name, "segments", _around([(span, len(spans)) for span, spans, _ in found], words), name)
        eaf.tier(f"{name} words", "words", words, name, parent=name)
        shown = [(start, end, text) for (start, end, _), text in zip(words, confidence, strict=True)]
        eaf.tier(f"{name} confidence", "confidence", shown, name, parent=name)
    return eaf.content()


def _around(segments: Iterable[tuple[Span, int]], words: list[Span]) -> list[Span]:
    """Returns segments without overlaps that hold their words. Each segment comes with the number of its words."""
    found: list[Span] = []
    at = 0
    for (start, end, text), count in segments:
        mine = words[at : at + count]
        at += count
        first = max(min([start, *(word[0] for word in mine)]), found[-1][1] if found else 0)
        found.append((first, max([end, first + 1, *(word[1] for word in mine)]), text))
    return found


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _filled(spans: Iterable[Span], end: int) -> Iterator[Span]:
    """Yields spans with empty ones in between, from zero to ``end``."""
    at = 0
    for start, stop, text in spans:
        if start > at:
            yield at, start, ""
        yield start, stop, text
        at = stop
    if at < end:
        yield at, end, ""


def render_textgrid(transcript: Transcript) -> str:
    """Returns a Praat TextGrid: per speaker a tier of segments and one of words."""
    tiers: list[tuple[str, list[Span]]] = []
    for speaker in transcript.speakers:
        found = list(_segments(transcript, speaker))
        tiers.append((speaker, _without_overlaps(span for span, _, _ in found)))
        tiers.append((f"{speaker} words", _without_overlaps(word for _, words, _ in found for word in words)))
    end = max([1, milliseconds(transcript.duration), *(spans[-1][1] for _, spans in tiers if spans)])
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {end / 1000:.3f}"]
    lines += ["tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, (name, spans) in enumerate(tiers, 1):
        intervals = list(_filled(spans, end))
        lines += [
            f"    item [{number}]:",
            '        class = "IntervalTier"',
            f"        name = {_quoted(one_line(name))}",
        ]
        lines += ["        xmin = 0", f"        xmax = {end / 1000:.3f}", f"        intervals: size = {len(intervals)}"]
        for index, (start, stop, text) in enumerate(intervals, 1):
            lines += [f"        intervals [{index}]:", f"            xmin = {start / 1000:.3f}"]
            lines += [f"            xmax = {stop / 1000:.3f}", f"            text = {_quoted(text)}"]
    return "\n".join(lines) + "\n"


def render_audacity(transcript: Transcript) -> str:
    """Returns an Audacity label track: start and end in seconds and the text, with the speaker if there are several."""
    rows = []
    for _, is_gap, entry in transcript.entries:
        text = one_line(gap_text(entry) if is_gap else "".join(word["word"] for word in entry["words"]))
        speaker = f"{one_line(entry['speaker'])}: " if entry.get("speaker") else ""
        rows.append(f"{entry['start']:.6f}\t{entry['end']:.6f}\t{speaker}{text}\n")
    return "".join(rows)
