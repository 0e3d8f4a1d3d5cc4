"""Each quality rule, on evidence that breaks it and on evidence that does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from audiogrid.decoding.judging.quality_rules import (
    RULES,
    TYPICAL_RATE,
    chunk_median_rate,
    flags,
    is_stock_phrase,
    reason_to_drop,
)
from audiogrid.decoding.judging.scoring import Evidence
from audiogrid.decoding.options import DecodeOptions

GOOD = Evidence(
    text="The committee described the winter garden before the storm arrived.",
    speech_seconds=4.2,
    avg_logprob=-0.2,
    compression_ratio=1.0,
    no_speech_prob=0.01,
)
PROMPT = "Minutes of the meeting of the harbour board"

FIRES = {
    # 56 of 74 words lost at an ordinary compression ratio and log-probability (measured).
    "too_few_letters": replace(
        GOOD,
        text="and so it was that the old man went down to the sea once more in his boat",
        speech_seconds=28.0,
        avg_logprob=-0.28,
        compression_ratio=1.26,
    ),
    "too_many_letters": replace(GOOD, speech_seconds=2.0),
    "impossible_rate": replace(GOOD, speech_seconds=0.6),
    "compressible": replace(GOOD, compression_ratio=2.41),
    "unsure": replace(GOOD, avg_logprob=-0.81),
    "loop": replace(GOOD, text="I see. I see. I see. I see. And then we came home to the village"),
    "runaway": replace(GOOD, capped=True),
    "speech_without_words": replace(GOOD, unspoken_seconds=3.2),
    "words_without_speech": replace(GOOD, unheard_share=0.4),
    "echo": replace(GOOD, text=PROMPT),
    "language_flip": replace(GOOD, other_language=0.93),
    "maybe_invented": replace(GOOD, no_speech_prob=0.7),
}


def test_a_good_reading_has_no_flags() -> None:
    assert flags(GOOD, TYPICAL_RATE, DecodeOptions(prompt=PROMPT)) == []


def test_every_rule_is_tested() -> None:
    assert set(FIRES) == set(RULES)


@pytest.mark.parametrize("name", RULES)
def test_rule_fires(name: str) -> None:
    assert name in flags(FIRES[name], TYPICAL_RATE, DecodeOptions(prompt=PROMPT))


@pytest.mark.parametrize("name", RULES)
def test_rules_are_documented(name: str) -> None:
    assert RULES[name].__doc__


def test_a_window_without_any_word_is_speech_without_words() -> None:
    empty = replace(GOOD, text="", speech_seconds=1.0)
    assert "speech_without_words" in flags(empty, TYPICAL_RATE, DecodeOptions())
    assert flags(replace(empty, speech_seconds=0.1), TYPICAL_RATE, DecodeOptions()) == []


def test_repeats_far_apart_are_a_loop_too() -> None:
    long = "this programme was brought to you by the people of the north"
    text = " and now for something else. ".join([long] * 4)
    assert "loop" in flags(replace(GOOD, text=text, speech_seconds=20), TYPICAL_RATE, DecodeOptions())


def test_fast_and_slow_speakers_are_measured_against_themselves() -> None:
    slow = replace(GOOD, speech_seconds=9.0)
    assert "too_few_letters" in flags(slow, 13.0, DecodeOptions())
    assert flags(slow, 7.0, DecodeOptions()) == []


def test_usual_rate_is_the_median_weighted_by_speech() -> None:
    options = DecodeOptions()
    fast = replace(GOOD, text="abcdefghij" * 17, speech_seconds=10.0)
    slow = replace(GOOD, text="abcdefghij" * 10, speech_seconds=10.0)
    assert chunk_median_rate([fast] * 5 + [slow], options) == pytest.approx(17.0)
    assert chunk_median_rate([fast], options) == TYPICAL_RATE
    assert chunk_median_rate([], options) == TYPICAL_RATE


def test_windows_that_lost_their_words_do_not_set_the_usual_rate() -> None:
    options = DecodeOptions()
    lost = replace(GOOD, text="a" * 60, speech_seconds=10.0, unspoken_seconds=5.0)
    empty = replace(GOOD, text="", speech_seconds=10.0)
    assert chunk_median_rate([lost, empty] * 5, options) == TYPICAL_RATE
    loop = replace(GOOD, text="de l'unité " * 24, speech_seconds=10.0)
    assert chunk_median_rate([loop] * 5, options) == TYPICAL_RATE


def test_invented_words_do_not_set_the_usual_rate() -> None:
    options = DecodeOptions(prompt=PROMPT)
    quick = replace(GOOD, text="abcdefghij" * 25, speech_seconds=10.0)
    assert chunk_median_rate([quick] * 5, options) == 25.0
    assert chunk_median_rate([replace(quick, unheard_share=0.6)] * 5, options) == TYPICAL_RATE
    assert chunk_median_rate([replace(GOOD, text=PROMPT, speech_seconds=2.0)] * 50, options) == TYPICAL_RATE


def test_a_prompt_that_is_echoed_twice_is_an_echo_all_the_more() -> None:
    options = DecodeOptions(prompt=PROMPT)
    for times in (1, 2, 3):
        assert "echo" in flags(replace(GOOD, text=f"{PROMPT}. " * times), TYPICAL_RATE, options)
    assert "echo" not in flags(replace(GOOD, text=f"{GOOD.text} {PROMPT}"), TYPICAL_RATE, options)


@pytest.mark.parametrize(
    "phrase", ["Thank you.", "you", " Thanks for watching! ", "Gracias.", "ご視聴ありがとうございました。"]
)
def test_stock_phrases(phrase: str) -> None:
    assert is_stock_phrase(phrase)


@pytest.mark.parametrize(
    "text", ["Thank you. Thank you.", "Thank you very much. Bye.", "You, you, you", "Okay. So. Yeah."]
)
def test_stock_phrases_in_a_row_are_no_better_than_one(text: str) -> None:
    assert is_stock_phrase(text)
    assert reason_to_drop(replace(GOOD, text=text, voice=0.6), DecodeOptions())


@pytest.mark.parametrize("text", ["", "...", "Thank you, doctor.", "So the music stopped."])
def test_what_holds_more_than_stock_phrases_is_none(text: str) -> None:
    assert not is_stock_phrase(text)


def test_a_stock_phrase_is_dropped_only_with_other_doubts() -> None:
    said = replace(GOOD, text="Thank you.", speech_seconds=0.7, voice=0.95)
    assert reason_to_drop(said, DecodeOptions()) == ""
    assert reason_to_drop(replace(said, voice=0.6), DecodeOptions())
    assert reason_to_drop(replace(said, no_speech_prob=0.5), DecodeOptions())


def test_other_inventions() -> None:
    options = DecodeOptions()
    assert reason_to_drop(GOOD, options) == ""
    assert reason_to_drop(replace(GOOD, no_speech_prob=0.9, avg_logprob=-1.2), options)
    assert reason_to_drop(replace(GOOD, voice=0.6, avg_logprob=-0.9), options)
    assert reason_to_drop(replace(GOOD, voice=0.6), options) == ""
    assert reason_to_drop(replace(GOOD, text="", voice=0.1), options) == ""
