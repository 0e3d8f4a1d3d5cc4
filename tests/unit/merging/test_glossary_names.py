"""Terms in the place of what was heard: marks, capital letters, times, and what is noted of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from audiogrid.aligning.glossary_file import Glossary, Term
from audiogrid.aligning.names import NameFinder
from audiogrid.merging.glossary_names import NameSource, put_names
from audiogrid.merging.merge_bundle import Failure, is_unreached
from audiogrid.merging.stitch import stitch
from audiogrid.merging.track_text import TrackText
from audiogrid.records.aligned import AlignedChunk
from audiogrid.records.chunks import Chunk, Seam
from audiogrid.records.results import ChunkResult, Segment, Word

STEP = 8_000


def track(*sentences: str) -> TrackText:
    """A track in which each word takes half a second; ``word~`` is doubtful."""
    segments, at = [], 0
    for text in sentences:
        words = []
        for word in text.split():
            words.append(Word(at, at + STEP, f" {word.replace('~', '')}", 0.5 if "~" in word else 0.98))
            at += STEP
        segments.append(Segment(words[0].start, at, text.replace("~", ""), words, -0.2, 1.0, 0.0, 0.0, "en", 0))
    seam = Seam("pause", 0, 0)
    chunk = Chunk("a.0000", "a", None, 0, 0, at, 0, at, seam, seam, "")
    result = ChunkResult(at, "en", 1.0, [(0, at)], [], segments)
    return TrackText(None, stitch([(chunk, result)], {}), [(chunk, "key", result)])


def put(term: str, *sentences: str) -> tuple[list[str], list[dict[str, Any]], list[Word]]:
    """Texts, changes and words after every question was answered in favour of the term."""

    def lookup(chunk: Chunk, result: ChunkResult, asked: Sequence[Mapping[str, Any]]) -> AlignedChunk:
        return AlignedChunk(result.samples, [], [[-50.0, -1.0] for _ in asked])

    found = put_names([track(*sentences)], NameSource(NameFinder(Glossary((Term(term),))), lookup))
    segments = [placed.segment for placed in found.tracks[0].stitched.segments]
    return [one.text for one in segments], found.changes, [word for one in segments for word in one.words]


def test_a_term_in_small_letters_begins_a_sentence_with_a_capital_one() -> None:
    said = ("Metropolol~ helps. Metropolol~ helps", "and then Metropolol~ helps.", "Metropolol~ is it.")
    texts, changes, _ = put("metoprolol", *said)
    assert texts == ["Metoprolol helps. Metoprolol helps", "and then metoprolol helps.", "Metoprolol is it."]
    # What is noted is what stands there, so that it can be found and undone.
    assert [one["term"] for one in changes] == ["Metoprolol", "Metoprolol", "metoprolol", "Metoprolol"]
    assert put("iZorvan", "Isorvan~ came")[0] == ["iZorvan came"]


def test_marks_are_not_doubled_and_what_was_heard_can_be_put_back() -> None:
    texts, (change,), _ = put("Sotheby's", "then at Sothebee’s,~ they said")
    assert texts == ["then at Sotheby's, they said"]
    assert (change["heard"], change["term"]) == ("Sothebee’s", "Sotheby's")
    assert texts[0].replace(change["term"], change["heard"]) == "then at Sothebee’s, they said"


def test_a_term_of_more_words_shares_the_time_of_what_was_heard() -> None:
    texts, (change,), words = put("Tavrin Ostalow", "then “Tavrinostello”,~ who came")
    assert texts == ["then “Tavrin Ostalow”, who came"]
    assert (change["start"], change["end"]) == (0.5, 1.0)
    assert [(word.start, word.end) for word in words[:4]] == [
        (0, STEP),
        (STEP, STEP + STEP * 6 // 13),
        (STEP + STEP * 6 // 13, 2 * STEP),
        (2 * STEP, 3 * STEP),
    ]


def test_what_a_stopped_run_has_not_come_to_is_no_failure() -> None:
    causes = {
        "it was not reached": True,
        "not decoded: its budget of 5 core-hours is used up": True,
        "its names are not judged": True,
        "the text of its recording is not aligned": True,
        "its voices are not in the store": True,
        "out of memory": False,
    }
    assert {cause: is_unreached(Failure("a", "a.wav", "a.0000", cause)) for cause in causes} == causes
