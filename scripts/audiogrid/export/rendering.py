"""The views of a transcript document that formats share: cues, paragraphs, words, speakers. Each is made once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from audiogrid.export.cues import Cue, CueOptions, make_cues
from audiogrid.export.format_options import FormatOptions
from audiogrid.export.paragraphs import Paragraph, make_paragraphs
from audiogrid.export.provenance import is_translation, text_language
from audiogrid.export.spoken_words import spoken_segments

Entry = Mapping[str, Any]
#: What a speaker is called where the document names none.
UNNAMED = "speech"


@dataclass(frozen=True)
class Transcript:
    """A document to be rendered. ``others``: names of its other files by format; ``media``: its address, for pages."""

    document: Entry
    subtitles: CueOptions = field(default_factory=CueOptions)
    others: Mapping[str, str] = field(default_factory=dict)
    media: str = ""
    options: FormatOptions = field(default_factory=FormatOptions)

    @property
    def name(self) -> str:
        """Returns the id of the recording."""
        return str(self.document.get("recording", ""))

    @property
    def duration(self) -> float:
        """Returns the length in seconds: that of the document, or of what it holds if that is longer."""
        ends = [entry["end"] for key in ("segments", "gaps") for entry in self.document[key]]
        return float(max([self.document["duration"], *ends]))

    @property
    def language(self) -> str:
        """Returns the code of the language in which the text is written; empty where it is not known."""
        return text_language(self.document)

    @cached_property
    def cues(self) -> list[Cue]:
        """Returns the subtitle cues."""
        return make_cues(self.document, self.subtitles, self.segments)

    @cached_property
    def paragraphs(self) -> list[Paragraph]:
        """Returns the paragraphs, gaps included."""
        return make_paragraphs(self.document, self.segments)

    @cached_property
    def segments(self) -> list[dict[str, Any]]:
        """Returns the segments with words as they are written, and the language in which they are."""
        segments = self.document["segments"]
        if is_translation(self.document):
            segments = [{**segment, "language": self.language} for segment in segments]
        return spoken_segments(segments)

    @cached_property
    def entries(self) -> list[tuple[float, bool, Entry]]:
        """Returns segments and gaps in the order of time: start, whether it is a gap, the element."""
        entries: list[tuple[float, bool, Entry]] = [(segment["start"], False, segment) for segment in self.segments]
        entries += [(gap["start"], True, gap) for gap in self.document["gaps"]]
        return sorted(entries, key=lambda entry: entry[0])

    @cached_property
    def speakers(self) -> list[str]:
        """Returns the labels of all speakers in alphabetical order; one that stands for all where none has a label."""
        named = (entry.get("speaker") for key in ("segments", "gaps") for entry in self.document[key])
        return sorted({speaker_of(name) for name in named}) or [UNNAMED]

    def channel_of(self, speaker: str) -> int:
        """Returns the number of a speaker's channel, from 1: that in the label of a channel, else its place."""
        number = re.search(r"(\d+)(?:, speaker \d+)?$", speaker)
        return int(number[1]) if number and self.document["channels_mode"] == "split" else 1


def speaker_of(label: str | None) -> str:
    """Returns the label of a speaker, or what stands for one."""
    return label or UNNAMED
