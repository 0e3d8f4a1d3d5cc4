"""Times of words."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from audiogrid.decoding.whisper.model import AlignedWord
from audiogrid.decoding.windows import Layout, Piece
from audiogrid.decoding.word_times import build_segment, place_words, split_sentences, unspoken_samples
from audiogrid.records.results import Segment, Word

LAYOUT = Layout((Piece(16_000, 48_000), Piece(160_000, 192_000)))
SPEECH = [(20_000, 44_000), (164_000, 188_000)]


def aligned(*spans: tuple[int, int]) -> list[AlignedWord]:
    return [AlignedWord(start, end, f" w{index}", 0.9) for index, (start, end) in enumerate(spans)]


def test_words_behind_removed_silence_are_moved_back() -> None:
    words = place_words(aligned((6_000, 10_000), (38_000, 44_000)), LAYOUT, SPEECH)
    assert [(word.start, word.end) for word in words] == [(22_000, 26_000), (166_000, 172_000)]


def test_a_word_is_not_stretched_over_removed_silence() -> None:
    word = place_words(aligned((24_000, 40_000)), LAYOUT, SPEECH)[0]
    # Its midpoint, 32,000, is the first sample of the second piece.
    assert word.start >= 160_000
    assert word.end <= 168_000


def test_a_word_is_cut_back_to_the_speech_it_overlaps() -> None:
    layout, speech = Layout((Piece(0, 160_000),)), [(32_000, 48_000), (96_000, 144_000)]
    word = place_words(aligned((0, 40_000)), layout, speech)[0]
    assert (word.start, word.end) == (32_000 - 1600, 40_000)
    word = place_words(aligned((40_000, 120_000)), layout, speech)[0]
    assert (word.start, word.end) == (96_000 - 1600, 120_000)


def test_the_last_word_before_a_pause_goes_on_to_the_end_of_the_speech() -> None:
    layout, speech = Layout((Piece(0, 160_000),)), [(32_000, 48_000), (96_000, 144_000)]
    words = place_words(
        aligned((36_000, 40_000), (40_000, 45_000), (100_000, 110_000), (110_000, 130_000)), layout, speech
    )
    # 3,000 samples early are the alignment's; 14,000 may be speech without words.
    assert [word.end for word in words] == [40_000, 48_000, 110_000, 130_000]


@given(st.lists(st.tuples(st.integers(0, 64_000), st.integers(0, 64_000)), max_size=20))
def test_starts_and_ends_never_decrease_and_stay_in_the_window(spans: list[tuple[int, int]]) -> None:
    words = place_words(aligned(*[(min(span), max(span)) for span in spans]), LAYOUT, SPEECH)
    assert len(words) == len(spans)
    assert all(16_000 <= word.start <= word.end <= 192_000 for word in words)
    assert all(left.end <= right.start for left, right in pairwise(words))


def word(start: int, end: int, text: str = " a") -> Word:
    return Word(start, end, text, 0.9)


def test_unspoken_adds_up_what_is_longer_than_a_pause() -> None:
    speech = [(0, 100), (200, 500)]
    assert unspoken_samples([], speech, 50) == 400
    assert unspoken_samples([], speech, 200) == 300
    assert unspoken_samples([word(210, 300)], speech, 50) == 300
    assert unspoken_samples([word(0, 100), word(200, 500)], speech, 50) == 0
    assert unspoken_samples([word(0, 100), word(230, 470)], speech, 50) == 0


def test_sentences_part_at_full_stops_and_pauses() -> None:
    words = [word(0, 10, " One"), word(10, 20, " two."), word(20, 30, " Three"), word(20_000, 20_010, " four")]
    assert [[one.text for one in run] for run in split_sentences(words)] == [[" One", " two."], [" Three"], [" four"]]
    assert split_sentences([]) == []


def test_a_segment_takes_its_span_and_text_from_its_words() -> None:
    made = build_segment(
        [word(5, 10, " One"), word(10, 20, " two.")], Segment(0, 0, "", [], -0.2, 1.0, 0.0, 0.0, "en", 3)
    )
    assert (made.start, made.end, made.text, made.window, made.language) == (5, 20, "One two.", 3, "en")
