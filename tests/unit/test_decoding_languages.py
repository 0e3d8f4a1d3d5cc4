"""The language of a chunk."""

from __future__ import annotations

import pytest

from audiogrid.decoding.languages import choose_language, other_language, window_languages


def test_windows_vote_by_their_seconds_of_speech() -> None:
    ranked = [{"en": 0.9, "fr": 0.1}, {"en": 0.2, "fr": 0.8}]
    long, short = [(0, 320_000)], [(0, 16_000)]
    assert choose_language(ranked, [long, short])[0] == "en"
    assert choose_language(ranked, [short, long])[0] == "fr"


def test_probability_is_the_weighted_mean() -> None:
    language, probability = choose_language([{"en": 0.9, "fr": 0.1}, {"en": 0.5, "fr": 0.5}], [[(0, 100_000)]] * 2)
    assert (language, probability) == ("en", pytest.approx(0.7))


def test_the_likeliest_other_language() -> None:
    assert other_language({"en": 0.1, "fr": 0.6, "es": 0.3}, "en") == ("fr", 0.6)
    assert other_language({"en": 1.0}, "en") == ("", 0.0)
    assert other_language({}, "en") == ("", 0.0)


def test_windows_of_their_own_language() -> None:
    ranked = [{"en": 0.9, "fr": 0.1}, {"en": 0.2, "fr": 0.8}, {"en": 0.3, "fr": 0.4, "es": 0.3}]
    assert window_languages(ranked, "en") == ["en", "fr", "en"]
