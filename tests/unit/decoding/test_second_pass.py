"""When a window is read again in the light of what was said before, and which reading stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiogrid.decoding.judging.hypotheses import Hypothesis
from audiogrid.decoding.judging.scoring import Evidence
from audiogrid.decoding.options import DecodeOptions
from audiogrid.decoding.passes.second_pass import choose, preceding_tokens, repeats_context, word_logprob
from audiogrid.decoding.whisper.model import ModelOutput

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


@given(
    st.lists(st.lists(st.integers(0, 50_000), max_size=120), max_size=8),
    st.integers(0, 200),
    st.integers(1, 223),
    st.integers(0, 444),
)
def test_a_context_is_the_end_of_what_was_said_and_leaves_room_for_the_text(
    before: list[list[int]], fast: int, most: int, room: int
) -> None:
    found = preceding_tokens(before, heard(fast), room, DecodeOptions(context_tokens=most))
    said = [token for one in before for token in one]
    assert found == said[len(said) - len(found) :]
    assert len(found) <= most
    assert not found or len(found) + 2 * fast <= room


def test_nothing_is_led_where_no_context_is_wanted() -> None:
    assert preceding_tokens([range(500)], heard(10), 444, DecodeOptions(context_tokens=0)) == []


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


def test_a_reading_that_repeats_its_context_goes() -> None:
    fast, second = reading("something about the weather in spring", -0.9), reading(SENTENCE, -0.1)
    assert choose(fast, second, f"before that {SENTENCE}", OPTIONS) is fast


def test_what_is_really_said_twice_stays() -> None:
    assert not repeats_context(SENTENCE, SENTENCE.replace("bridge", "fridge"), SENTENCE, OPTIONS)


def test_a_short_answer_that_occurred_before_is_no_echo() -> None:
    assert not repeats_context("yes the old bridge", "yes the cold bridge", SENTENCE, OPTIONS)
