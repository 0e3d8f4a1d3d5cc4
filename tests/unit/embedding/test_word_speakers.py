"""Speakers of words: changes at pauses and sentence ends, elsewhere only with strong evidence."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from audiogrid.embedding.voices import Turn
from audiogrid.embedding.word_speakers import SpokenWord, phrases, speakers_of_words
from audiogrid.records.results import Word

SECOND = 16_000


def words(*items: tuple[float, float, str]) -> list[Word]:
    return [Word(round(start * SECOND), round(end * SECOND), f" {text}", 0.9) for start, end, text in items]


def turn(start: float, end: float, speaker: int) -> Turn:
    return Turn(round(start * SECOND), round(end * SECOND), speaker)


def who(spoken: list[SpokenWord]) -> list[int | None]:
    return [word.speaker for word in spoken]


def test_a_change_falls_at_the_pause_although_the_turn_begins_a_little_early() -> None:
    said = words((0, 0.4, "how"), (0.4, 0.8, "are"), (0.8, 1.2, "you"), (1.5, 1.8, "fine"), (1.8, 2.2, "thanks"))
    assert who(speakers_of_words(said, [turn(0, 0.9, 0), turn(0.9, 2.2, 1)])) == [0, 0, 0, 1, 1]


def test_a_change_falls_at_a_sentence_end_without_a_pause() -> None:
    said = words((0, 0.5, "Really?"), (0.5, 0.9, "Yes,"), (0.9, 1.6, "really."))
    assert who(speakers_of_words(said, [turn(0, 0.6, 0), turn(0.6, 1.6, 1)])) == [0, 1, 1]


def test_strong_evidence_changes_the_speaker_inside_a_phrase() -> None:
    said = words(*((0.3 * n, 0.3 * n + 0.3, f"w{n}") for n in range(10)))
    assert who(speakers_of_words(said, [turn(0, 2.1, 0), turn(2.1, 3, 1)])) == [0] * 7 + [1] * 3
    assert who(speakers_of_words(said, [turn(0, 0.9, 1), turn(0.9, 3, 0)])) == [1] * 3 + [0] * 7
    assert who(speakers_of_words(said, [turn(0, 2.5, 0), turn(2.5, 3, 1)])) == [0] * 10


def test_words_under_overlap_are_marked() -> None:
    said = words((0, 1, "one"), (1.2, 2.2, "two"), (2.5, 3.5, "three"))
    spoken = speakers_of_words(said, [turn(0, 3.5, 0), turn(1.2, 2.3, 1)])
    assert [word.is_overlapped for word in spoken] == [False, True, False]


def test_words_outside_all_turns_go_to_the_nearest_one() -> None:
    said = words((0, 0.3, "mm"), (10, 10.4, "so"), (19, 19.5, "bye"))
    assert who(speakers_of_words(said, [turn(1, 4, 0), turn(12, 18, 1)])) == [0, 1, 1]
    assert who(speakers_of_words(said, [])) == [None] * 3
    assert speakers_of_words([], [turn(0, 1, 0)]) == []


@given(st.lists(st.tuples(st.floats(0, 2), st.floats(0, 1), st.sampled_from(["so", "yes.", "好。"])), max_size=30))
def test_phrases_are_all_the_words_in_order(items: list[tuple[float, float, str]]) -> None:
    at = 0.0
    said = []
    for pause, length, text in items:
        said += words((at + pause, at + pause + length, text))
        at += pause + length
    spans = list(phrases(said))
    assert [n for first, last in spans for n in range(first, last)] == list(range(len(said)))
    spoken = speakers_of_words(said, [turn(0, at / 2, 0), turn(at / 2, at, 1)])
    assert len(spoken) == len(said)
