"""The text of a run that is still at work."""

from __future__ import annotations

from audiogrid.core.timebase import to_samples
from audiogrid.records.results import ChunkResult, Segment, Word
from audiogrid.reporting.status import chunk_paragraphs


def result(language: str, *texts: list[str]) -> ChunkResult:
    """A segment per list of words, half a second a word, three seconds between segments."""
    segments, at = [], 0.0
    for words in texts:
        timed = []
        for word in words:
            timed.append(Word(to_samples(at), to_samples(at + 0.4), word, 0.9))
            at += 0.5
        segments.append(Segment(timed[0].start, timed[-1].end, "".join(words), timed, -0.2, 1.0, 0.0, 0.0, language, 0))
        at += 3
    return ChunkResult(to_samples(at), language, 0.9, [], [], segments)


def test_text_so_far_is_in_paragraphs() -> None:
    assert chunk_paragraphs(result("en", [" One", " two."], [" Three."])) == ["One two.", "Three."]
    assert chunk_paragraphs(result("zh", ["今", "天"])) == ["今天"]
    assert chunk_paragraphs(result("en")) == []
