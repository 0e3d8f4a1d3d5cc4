"""The language of a chunk."""

from __future__ import annotations

import pytest

from audiogrid.decoding.chunk_language import choose_language, language_runs, other_language


def test_windows_vote_by_their_seconds_of_speech() -> None:
    language_probabilities = [{"en": 0.9, "fr": 0.1}, {"en": 0.2, "fr": 0.8}]
    long, short = [(0, 320_000)], [(0, 16_000)]
    assert choose_language(language_probabilities, [long, short])[0] == "en"
    assert choose_language(language_probabilities, [short, long])[0] == "fr"


def test_probability_is_the_weighted_mean() -> None:
    language, probability = choose_language([{"en": 0.9, "fr": 0.1}, {"en": 0.5, "fr": 0.5}], [[(0, 100_000)]] * 2)
    assert (language, probability) == ("en", pytest.approx(0.7))


def test_the_likeliest_other_language() -> None:
    assert other_language({"en": 0.1, "fr": 0.6, "es": 0.3}, "en") == ("fr", 0.6)
    assert other_language({"en": 1.0}, "en") == ("", 0.0)
    assert other_language({}, "en") == ("", 0.0)


def test_runs_change_where_the_language_does() -> None:
    english, russian = {"en": 0.95, "ru": 0.01}, {"en": 0.01, "ru": 0.95}
    assert language_runs([english, english, russian]) == [(0, 2, "en"), (2, 3, "ru")]
    assert language_runs([english, russian, english]) == [(0, 1, "en"), (1, 2, "ru"), (2, 3, "en")]
    assert language_runs([russian]) == [(0, 1, "ru")]
    assert language_runs([]) == []


def test_a_doubtful_piece_goes_with_its_neighbours() -> None:
    english, unsure = {"en": 0.95, "nn": 0.01}, {"en": 0.3, "nn": 0.4}
    assert language_runs([english, unsure, english]) == [(0, 3, "en")]
