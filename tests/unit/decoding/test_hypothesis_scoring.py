"""Measures of text and the score of readings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from audiogrid.decoding.judging.loops import has_loop, plain_words
from audiogrid.decoding.judging.scoring import Evidence, echo_share, rate, score, spoken_length
from audiogrid.decoding.options import DecodeOptions

GOOD = Evidence(
    text="The committee described the winter garden before the storm arrived.",
    speech_seconds=4.2,
    avg_logprob=-0.2,
    compression_ratio=1.0,
    no_speech_prob=0.01,
)
USUAL = 13.0


@pytest.mark.parametrize(
    ("text", "length"),
    [("seven", 5), ("7", 4), ("", 0), ("... -- !", 0), ("дом", 3), ("你好", 5), ("It's 10!", 3 + 8)],
)
def test_spoken_length(text: str, length: float) -> None:
    assert spoken_length(text) == length


def test_digits_and_words_have_about_the_same_rate() -> None:
    digits = replace(GOOD, text="5 5 5 1 2 3 4", speech_seconds=2.5)
    words = replace(GOOD, text="five five five one two three four", speech_seconds=2.5)
    assert rate(digits) == pytest.approx(rate(words), rel=0.1)


def test_plain_words_split_scripts_without_spaces() -> None:
    assert plain_words("Hello, World's end!") == ["hello", "world's", "end"]
    assert plain_words("你好吗") == ["你", "好", "吗"]


@pytest.mark.parametrize(
    "loop",
    [
        # Sure of itself, as many letters as expected, words over all of the speech: nothing but repetition is wrong.
        replace(GOOD, text="de l'unité " * 20, speech_seconds=14.0, avg_logprob=-0.02),
        replace(GOOD, text="mice-" * 40, speech_seconds=14.0, avg_logprob=-0.02),
        replace(GOOD, text="The committee described it. " * 7, speech_seconds=14.0, avg_logprob=-0.02),
        replace(GOOD, text="ха" * 80, speech_seconds=14.0, avg_logprob=-0.02),
    ],
)
def test_a_loop_never_beats_fewer_true_words(loop: Evidence) -> None:
    options = DecodeOptions()
    fewer = replace(GOOD, text="The committee", speech_seconds=14.0, avg_logprob=-0.7, unspoken_seconds=12.0)
    assert has_loop(loop.text, options.min_repeats)
    assert score(replace(loop, looped_seconds=12.0), USUAL, options) < score(fewer, USUAL, options)
    # What others confirm is judged as it stands.
    assert score(replace(loop, confirmed=True), USUAL, options) > score(fewer, USUAL, options)


def test_echo_is_a_copied_run_not_a_name_that_was_announced() -> None:
    primer = "Glossary: Kaminski, Okonkwo, Lagrange, Fourier"
    assert echo_share("Glossary, Kaminski, Okonkwo, Lagrange, Fourier.", primer) == 1.0
    assert echo_share("Then Kaminski met Okonkwo at the station.", primer) == 0.0
    assert echo_share("anything", "") == 0.0
    assert echo_share("", primer) == 0.0


@pytest.mark.parametrize(
    "worse",
    [
        replace(GOOD, avg_logprob=-0.9),
        replace(GOOD, text="The committee."),
        replace(GOOD, text=GOOD.text * 3),
        replace(GOOD, text=""),
        replace(GOOD, compression_ratio=3.0),
        replace(GOOD, unspoken_seconds=9.0),
        replace(GOOD, unheard_share=0.5),
        replace(GOOD, text="you you you you you you you you you you you you you you"),
    ],
)
def test_whatever_is_wrong_lowers_the_score(worse: Evidence) -> None:
    options = DecodeOptions()
    assert score(worse, USUAL, options) < score(GOOD, USUAL, options)


def test_an_echo_lowers_the_score() -> None:
    options = DecodeOptions(prompt=GOOD.text)
    assert score(GOOD, USUAL, options) < score(GOOD, USUAL, DecodeOptions()) - 1


def test_a_sure_reading_with_half_the_words_loses_against_an_unsure_one_with_all() -> None:
    options = DecodeOptions()
    half = replace(GOOD, text="The committee described", avg_logprob=-0.15)
    whole = replace(GOOD, avg_logprob=-0.6)
    assert score(whole, USUAL, options) > score(half, USUAL, options)
