"""Prepares the words of a document for text formats: separators between segments, no word that begins with a mark.

The decoder splits Thai, Lao and Burmese at code points, so that a "word" of a document can be a single vowel sign. The
JSON format keeps these words. Formats that show text take them from here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from audiogrid.core.text import clean_text
from audiogrid.export.line_breaking import can_break, is_cluster_start, separator

Entry = Mapping[str, Any]
# Punctuation that comes later than this after a word is a word of its own, and a mark does not make its word last as
# long as this (seconds).
_LONGEST_PAUSE = 1.0


def _joined(word: Entry, mark: Entry) -> dict[str, Any]:
    """Returns a word with the marks that follow it."""
    probability = min(word.get("probability", 1.0), mark.get("probability", 1.0))
    end = word["end"] if mark["start"] - word["end"] > _LONGEST_PAUSE else mark["end"]
    return {**word, "end": end, "word": word["word"] + mark["word"], "probability": probability}


def _whole_words(words: Sequence[Entry]) -> list[dict[str, Any]]:
    """Returns words cleaned, without empty ones, marks joined to the word that they belong to."""
    found: list[dict[str, Any]] = []
    for word in words:
        text = clean_text(word["word"])
        if not text.strip():
            continue
        if found and not is_cluster_start(found[-1]["word"], text):
            found[-1] = _joined(found[-1], {**word, "word": text})
        else:
            found.append({**word, "word": text})
    return found


def spoken_segments(segments: Sequence[Entry]) -> list[dict[str, Any]]:
    """Returns segments whose ``words`` hold the text as it is written, in the order given.

    The first word of a segment begins with what separates it from the speaker's segment before. Segments without
    words are left out.
    """
    found: list[dict[str, Any]] = []
    latest: dict[str | None, dict[str, Any]] = {}
    for segment in segments:
        words = _whole_words(segment["words"])
        before = latest.get(segment.get("speaker"))
        if before and words and _goes_on(before["words"][-1], words[0]):
            _take_first(before, words)
        # The decoder may end a segment more than once within a letter, or a sequence of emoji.
        while before and words and not is_cluster_start(before["words"][-1]["word"], words[0]["word"]):
            _take_first(before, words)
        if not words:
            continue
        text = words[0]["word"].lstrip()
        joint = ""
        if before:
            languages = before.get("language"), segment.get("language")
            joint = separator(before["words"][-1]["word"].rstrip(), text, *languages)
        words[0] = {**words[0], "word": joint + text}
        made = {**segment, "start": words[0]["start"], "words": words}
        found.append(made)
        latest[segment.get("speaker")] = made
    return found


def _take_first(segment: dict[str, Any], words: list[dict[str, Any]]) -> None:
    """Remove the first of ``words`` and join it to the last word of a segment."""
    segment["words"][-1] = _joined(segment["words"][-1], words.pop(0))
    segment["end"] = max(segment["end"], segment["words"][-1]["end"])


def _goes_on(word: Entry, following: Entry) -> bool:
    """Returns whether a word is a mark, or punctuation only, that belongs to the end of another one."""
    text = following["word"]
    if not is_cluster_start(word["word"], text):
        # No reader can tell what a mark without its letter means, so it belongs there whatever the pause.
        return True
    if following["start"] - word["end"] > _LONGEST_PAUSE:
        return False
    return not any(map(str.isalnum, text)) and not can_break(word["word"], text)


def text_of(words: Sequence[Entry]) -> str:
    """Returns the text of some words on one line, without space around it."""
    return " ".join("".join(word["word"] for word in words).split())
