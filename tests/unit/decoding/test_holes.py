"""A word that is stretched over a lost sentence does not hide it."""

from __future__ import annotations

import pytest

from audiogrid.decoding.judging.holes import credible_words, layouts_around_holes, offset_of, unheard_share
from audiogrid.decoding.windows import Layout, Piece
from audiogrid.decoding.word_times import unspoken_samples
from audiogrid.records.results import Word

SECOND = 16_000
LEAST = int(0.8 * SECOND)


def word(start: float, end: float, text: str) -> Word:
    return Word(int(start * SECOND), int(end * SECOND), text, 0.9)


NEAR = [word(0.0, 0.4, " Come"), word(0.4, 1.0, " in.")]
AGAIN = [word(6.0, 6.5, " the"), word(6.5, 7.0, " door.")]
SPEECH = [(0, 7 * SECOND)]


def test_a_stretched_word_hides_a_hole_from_plain_times_and_not_from_credible_ones() -> None:
    words = [*NEAR, word(1.0, 6.0, " After"), *AGAIN]
    assert unspoken_samples(words, SPEECH, LEAST) == 0
    assert unspoken_samples(credible_words(words), SPEECH, LEAST) == pytest.approx(4.4 * SECOND, abs=0.01 * SECOND)


def test_the_first_word_of_a_sentence_keeps_its_end_and_any_other_its_beginning() -> None:
    _, _, first, *_ = credible_words([*NEAR, word(1.0, 6.0, " After"), *AGAIN])
    assert first.end == 6 * SECOND and first.start > 4 * SECOND
    stretched = credible_words([NEAR[0], word(0.4, 6.0, " in."), *AGAIN])[1]
    assert stretched.start == int(0.4 * SECOND) and stretched.end < 2 * SECOND


@pytest.mark.parametrize(
    "one", [word(0, 1.0, " yes"), word(0, 2.2, " international"), word(0, 2.5, " 2024"), word(0, 2.4, " 銀行口座番号")]
)
def test_slow_words_and_numbers_are_credible(one: Word) -> None:
    assert credible_words([one]) == [one]


def test_a_window_is_cut_at_the_edges_of_its_hole() -> None:
    layout = Layout((Piece(0, 7 * SECOND),))
    parts = layouts_around_holes(layout, [*NEAR, *AGAIN], SPEECH, LEAST)
    assert [part.pieces for part in parts] == [
        (Piece(0, SECOND),),
        (Piece(SECOND, 6 * SECOND),),
        (Piece(6 * SECOND, 7 * SECOND),),
    ]


def test_a_cut_moves_into_a_pause_nearby_and_parts_are_never_tiny() -> None:
    layout = Layout((Piece(0, 2 * SECOND), Piece(3 * SECOND, 8 * SECOND)))
    speech = [(0, int(1.2 * SECOND)), (int(3.2 * SECOND), 7 * SECOND)]
    parts = layouts_around_holes(layout, [*NEAR, *AGAIN], speech, LEAST)
    # The hole begins with the second stretch of speech, where the pause is too far away to move.
    assert [part.samples for part in parts] == [int(2.2 * SECOND), int(2.8 * SECOND), 2 * SECOND]
    near = [(0, int(1.4 * SECOND)), (int(1.6 * SECOND), 7 * SECOND)]
    parts = layouts_around_holes(Layout((Piece(0, 7 * SECOND),)), [*NEAR, *AGAIN], near, LEAST)
    assert parts[0].samples == int(1.5 * SECOND)


def test_a_window_without_a_hole_is_one_part() -> None:
    layout = Layout((Piece(0, 2 * SECOND),))
    assert layouts_around_holes(layout, NEAR, [(0, SECOND)], LEAST) == [layout]


def test_offsets_between_pieces_are_where_the_next_one_begins() -> None:
    layout = Layout((Piece(10, 20), Piece(30, 50)))
    assert [offset_of(layout, sample) for sample in (0, 15, 25, 31, 90)] == [0, 5, 10, 11, 30]


def test_words_without_speech_are_counted_by_letters_not_by_the_time_that_the_alignment_gives_them() -> None:
    speech = [(SECOND, 3 * SECOND)]
    assert unheard_share([], speech) == 0.0
    assert unheard_share([word(1.1, 2.0, " a")], speech) == 0.0
    assert unheard_share([word(1.1, 2.0, " a"), word(6.0, 7.0, " b")], speech) == pytest.approx(0.5)
    squeezed = [word(6.0 + 0.01 * number, 6.01 + 0.01 * number, " invented") for number in range(6)]
    assert unheard_share([word(1.1, 2.0, " spoken"), *squeezed], speech) == pytest.approx(48 / 54)
    assert unheard_share([word(6.0, 6.0, " nowhere"), word(2.0, 2.0, " there")], speech) == pytest.approx(7 / 12)
