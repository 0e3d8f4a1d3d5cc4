"""Joins the words of a document into paragraphs: by speaker, by pauses and by sentences, not by decoding windows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from audiogrid.export.cue_lines import ends_sentence
from audiogrid.export.spoken_words import spoken_segments, text_of
from audiogrid.records.chunks import channel_of_chunk

#: A pause after which a new paragraph begins, in seconds.
PAUSE = 2.0
#: A shorter pause after a sentence ends a paragraph of at least so many characters.
SENTENCE_PAUSE, SHORTEST = 0.8, 200
#: A paragraph longer than this many characters ends with its sentence; than that many, with its word.
LENGTH, LONGEST = 420, 1200


@dataclass
class Paragraph:
    """Words of one speaker on one channel, or a gap. ``words``: as in ``spoken_segments``.

    ``channel``: from 0, where channels were transcribed apart.
    """

    speaker: str | None
    words: list[Mapping[str, Any]] = field(default_factory=list)
    gap: Mapping[str, Any] | None = None
    length: int = 0
    channel: int | None = None

    @property
    def start(self) -> float:
        """Returns the start in seconds."""
        return float(self.gap["start"] if self.gap else self.words[0]["start"])

    @property
    def end(self) -> float:
        """Returns the end in seconds."""
        return float(self.gap["end"] if self.gap else self.words[-1]["end"])

    @property
    def text(self) -> str:
        """Returns the words joined."""
        return "".join(texts_of(self.words))

    @property
    def line(self) -> str:
        """Returns the words joined, with single spaces and none at the ends."""
        return text_of(self.words)


def texts_of(words: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yields the texts of a paragraph's words: the first without its space."""
    for number, word in enumerate(words):
        yield word["word"] if number else word["word"].lstrip()


def make_paragraphs(document: Mapping[str, Any], spoken: Sequence[Mapping[str, Any]] | None = None) -> list[Paragraph]:
    """Returns the paragraphs of segments and gaps in the order of time. A speaker's segments are joined.

    ``spoken``: its segments as ``spoken_segments`` returns them, for callers that have them.
    """
    segments = spoken_segments(document["segments"]) if spoken is None else spoken
    entries: list[tuple[float, int, Mapping[str, Any]]] = [(segment["start"], 0, segment) for segment in segments]
    entries += [(gap["start"], 1, gap) for gap in document["gaps"]]
    found: list[Paragraph] = []
    for _, is_gap, entry in sorted(entries, key=lambda entry: entry[:2]):
        who = entry.get("speaker")
        channel = channel_of_chunk(document.get("recording", ""), entry.get("chunk", ""))
        if is_gap:
            found.append(Paragraph(who, gap=entry, channel=channel))
            continue
        for word in entry["words"]:
            last = found[-1] if found else None
            if last is None or last.gap or (last.speaker, last.channel) != (who, channel) or _is_full(last, word):
                last = Paragraph(who, channel=channel)
                found.append(last)
            last.words.append(word)
            last.length += len(word["word"])
    return found


def _is_full(paragraph: Paragraph, following: Mapping[str, Any]) -> bool:
    if "paragraph" in following:
        # A person decided it.
        return bool(following["paragraph"])
    last = paragraph.words[-1]
    pause = following["start"] - last["end"]
    if pause >= PAUSE or paragraph.length > LONGEST:
        return True
    if paragraph.length <= SHORTEST or not ends_sentence(last["word"].strip()):
        return False
    return paragraph.length > LENGTH or pause >= SENTENCE_PAUSE
