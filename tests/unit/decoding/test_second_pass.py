"""When a window is read again in the light of what was said before, and which reading stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiogrid.decoding.judging.hypotheses import DecodedSpan, Hypothesis
from audiogrid.decoding.judging.scoring import Evidence
from audiogrid.decoding.options import DecodeOptions
from audiogrid.decoding.passes.second_pass import (
    ROUNDS,
    choose,
    preceding_tokens,
    repeats_context,
    rounds,
    word_logprob,
)
from audiogrid.decoding.whisper.model import ModelOutput
from audiogrid.decoding.windows import Layout, Piece

OPTIONS = DecodeOptions()
SENTENCE = "the committee measured the old bridge on a cold morning in march"


def heard(tokens: int, logprob: float = -0.1) -> ModelOutput:
    return ModelOutput(tuple(range(tokens)), logprob, 0.0, 0.0, capped=False)


def reading(text: str, score: float) -> Hypothesis:
    return Hypothesis("fast", "en", [], text, Evidence(text, 10.0, -0.2, 1.0, 0.0), score=score)


def test_doubt_is_measured_per_word_so_that_scripts_of_many_tokens_are_not_sure_by_spelling() -> None:
    assert word_logprob(heard(13, -0.1), "один два три четыре") == pytest.approx(-0.35)
    assert word_logprob(heard(4, -0.1), "one two three four") == pytest.approx(-0.125)


def test_a_character_is_a_word_where_no_spaces_are_written() -> None:
    assert word_logprob(heard(3, -0.2), "你好吗") == pytest.approx(-0.2 * 4 / 3)


def test_no_words_leave_the_doubt_whole() -> None:
    assert word_logprob(heard(1, -0.5), "...") == pytest.approx(-1.0)


def written(tokens: list[int], text: str = SENTENCE, language: str = "en", logprob: float = -0.2) -> Hypothesis:
    """What the fast pass wrote for a window."""
    output = ModelOutput(tuple(tokens), logprob, 0.0, 0.0, capped=False)
    span = DecodedSpan(Layout((Piece(0, 160_000),)), np.zeros((1, 2, 1)), output)
    return Hypothesis("fast", language, [span], text, Evidence(text, 10.0, logprob, 1.0, 0.0))


@given(
    st.lists(st.lists(st.integers(0, 50_000), max_size=120), max_size=8),
    st.integers(0, 200),
    st.integers(1, 223),
    st.integers(0, 444),
)
def test_a_context_is_the_end_of_what_was_said_and_leaves_room_for_the_text(
    before: list[list[int]], fast: int, most: int, room: int
) -> None:
    options = DecodeOptions(context_tokens=most)
    found = preceding_tokens([written(one) for one in before], "en", fast, room, options)
    said = [token for one in before for token in one]
    assert found == said[len(said) - len(found) :]
    assert len(found) <= most
    # Few lengths, so that windows share batches.
    assert len(found) % 16 == 0
    assert len(found) > min(len(said), most, room - 2 * fast) - 16
    assert not found or len(found) + 2 * fast <= room


def test_nothing_is_led_where_no_context_is_wanted() -> None:
    before = [written(list(range(300)))]
    assert preceding_tokens(before, "en", 10, 444, DecodeOptions(context_tokens=0)) == []


def test_a_context_is_of_the_same_language_and_from_behind_the_last_loop() -> None:
    loop, other = written([1] * 32, "and then " * 30), written([2] * 32, language="ru")
    faint = written([3] * 32, "Thank you.", logprob=-1.5)
    faint = replace(faint, evidence=replace(faint.evidence, voice=0.2))
    first, last = written([4] * 32), written([5] * 32)
    assert preceding_tokens([first, loop, last, other, faint], "en", 10, 444, OPTIONS) == [5] * 32
    assert preceding_tokens([first, other, last], "en", 10, 444, OPTIONS) == [4] * 32 + [5] * 32


@given(st.sets(st.integers(0, 30)))
def test_every_window_has_its_round_and_most_follow_a_settled_one(numbers: set[int]) -> None:
    found = rounds(sorted(numbers))
    assert len(found) == ROUNDS
    assert sorted(number for one in found for number in one) == sorted(numbers)
    place = {number: index for index, one in enumerate(found) for number in one}
    unsettled = [number for number in numbers if place[number] <= place.get(number - 1, -1)]
    # Only those with which the rounds begin anew.
    assert all(place[number] == 0 for number in unsettled)
    assert len(unsettled) <= len(numbers) / ROUNDS


def test_the_higher_score_stays() -> None:
    low, high = reading(SENTENCE, -0.4), reading(SENTENCE + " again", -0.2)
    assert choose(low, high, "", OPTIONS) is high
    assert choose(high, low, "", OPTIONS) is high


def test_a_reading_that_lost_words_never_stays_however_sure_it_is() -> None:
    whole, part = reading(f"{SENTENCE} and nobody saw it", -0.9), reading("the committee", -0.01)
    assert choose(whole, part, "", OPTIONS) is whole
    assert choose(part, whole, "", OPTIONS) is whole


def test_a_loop_is_not_taken_for_more_words() -> None:
    loop = reading("and then " * 30, -2.0)
    assert choose(loop, reading(SENTENCE, -0.3), "", OPTIONS).text == SENTENCE


def test_words_that_nobody_could_speak_so_fast_are_not_taken_for_more_words() -> None:
    number = " ".join(f"word{index}" for index in range(80))
    assert choose(reading(number, -2.0), reading(SENTENCE, -0.3), "", OPTIONS).text == SENTENCE


def test_a_context_that_is_repeated_twice_goes_all_the_more() -> None:
    fast, second = reading("something about the weather in spring", -0.9), reading(f"{SENTENCE}. {SENTENCE}", -0.1)
    assert choose(fast, second, f"before that {SENTENCE}", OPTIONS) is fast


def test_a_reading_that_repeats_its_context_goes() -> None:
    fast, second = reading("something about the weather in spring", -0.9), reading(SENTENCE, -0.1)
    assert choose(fast, second, f"before that {SENTENCE}", OPTIONS) is fast


def test_what_is_really_said_twice_stays() -> None:
    assert not repeats_context(SENTENCE, SENTENCE.replace("bridge", "fridge"), SENTENCE, OPTIONS)


def test_a_short_answer_that_occurred_before_is_no_echo() -> None:
    assert not repeats_context("yes the old bridge", "yes the cold bridge", SENTENCE, OPTIONS)
