"""Loops in texts: found, measured away, and cut off."""

from __future__ import annotations

import pytest

from audiogrid.decoding.judging.loops import (
    cut_loops,
    find_loops,
    has_loop,
    is_evenly_spoken,
    is_short,
    log_probability,
    loop_words,
    plain_words,
    without_loops,
)
from audiogrid.records.results import Word

SECOND = 16_000


def timed(text: str, seconds: float = 0.4, probability: float = 0.9) -> list[Word]:
    """The words of a text, one every ``seconds``; ``-`` begins a word of its own, as in the model's tokens."""
    parts = [f" {part}" for part in text.split()]
    parts = [piece for part in parts for piece in part.replace("-", "\n-").split("\n")]
    step = round(seconds * SECOND)
    return [Word(index * step, (index + 1) * step, part, probability) for index, part in enumerate(parts)]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("nothing is said twice here", 1),
        ("one one one", 3),
        ("de l'unité de l'unité de l'unité de l'unité", 4),
        ("mice-mice-mice-mice-mice", 5),
        ("哈哈哈哈", 4),
        ("a b a b c a b a b", 2),
        (" ".join([" ".join(f"w{number}" for number in range(25))] * 5), 5),
    ],
)
def test_repetitions_are_counted_however_long_the_phrase_is(text: str, count: int) -> None:
    assert has_loop(text, max(count, 2)) == (count > 1)
    assert not has_loop(text, count + 1)


@pytest.mark.parametrize(
    ("text", "stutters"),
    [("ха" * 8, True), ("5" * 16, True), ("12" * 8, True), ("1,000,000,000,000", False), ("0800 10000000", False)],
)
def test_letters_and_digits_that_come_again_and_again_inside_a_word_are_a_loop(text: str, stutters: bool) -> None:
    assert has_loop(f"so {text} then", 4 if stutters else 5) == stutters
    if stutters:
        assert len(without_loops(f"so {text} then", 4)) <= len("so xx then")
        (cut,) = cut_loops(timed(text), 4)
        assert cut.text.strip() == text[: 3 * (1 if text[0] == text[1] else 2)]


def test_a_loop_ends_behind_the_beginning_of_its_next_repetition() -> None:
    (loop,) = find_loops("so we go on and on and on and on and then".split(), 3)
    # "on and", three times, and the "on" of a fourth, whose "and" goes on to other words: it belongs to the loop, too.
    assert (loop.first, loop.size, loop.count, loop.end) == (3, 2, 4, 11)
    assert find_loops("so we go on and on".split(), 3) == []


def test_only_the_first_time_is_measured() -> None:
    assert without_loops("Open the door. Again, again, again, again!", 4) == "open the door again"
    assert without_loops("again again again", 4) == "again again again"


def test_of_a_long_loop_the_first_time_stays() -> None:
    words = timed("the price is " + "de l'unité " * 20 + "and then")
    assert "".join(word.text for word in cut_loops(words, 4)) == " the price is de l'unité and then"
    joined = timed("we saw " + "-".join(["mice"] * 30))
    assert "".join(word.text for word in cut_loops(joined, 4)) == " we saw mice"


def test_of_a_short_one_that_has_its_sound_so_much_stays_as_is_no_loop() -> None:
    words = timed("he said no no no no no and left")
    assert "".join(word.text for word in cut_loops(words, 4)) == " he said no no no and left"
    squeezed = [*words[:3], *(Word(word.end, word.end, word.text, 0.9) for word in words[3:7]), *words[7:]]
    assert "".join(word.text for word in cut_loops(squeezed, 4)) == " he said no and left"
    assert cut_loops(timed("no no no"), 4) == timed("no no no")


def test_repetitions_without_sound_are_uneven() -> None:
    words = timed("press one now " * 5, 0.3)
    ((loop, indices),) = loop_words(words, 4)
    assert (list(indices), loop.count) == (list(range(15)), 5)
    assert is_evenly_spoken(words, loop)
    stretched = [*words[:-1], Word(words[-1].start, words[-1].start + 4 * SECOND, " now", 0.9)]
    assert not is_evenly_spoken(stretched, loop)


def test_letters_that_come_again_and_again_in_a_word_are_a_loop_too() -> None:
    words = timed("he laughed hahahahahahahahahaha and left")
    assert has_loop("he laughed hahahahahahahahahaha", 4)
    assert "".join(word.text for word in cut_loops(words, 4)) == " he laughed hahaha and left"
    assert not has_loop("it cost 1000000000 in Mississippi, aaaah", 4)
    assert plain_words(without_loops("ааааааааа", 4)) == ["а"]


def test_log_probability_of_words() -> None:
    assert log_probability(timed("a b c", probability=0.5)) == pytest.approx(-0.693, abs=0.001)
    assert log_probability(timed("a", probability=0.0)) == log_probability([]) == -2.0


def test_what_repeats_itself_again_after_a_cut_is_cut_again() -> None:
    for text in ("no no no no yes " * 4, ("ha " * 9 + "oh ") * 5):
        left = " ".join(word.text for word in cut_loops(timed(text), 4))
        assert left and not has_loop(left, 4), left


def test_a_word_that_holds_all_repetitions_stays() -> None:
    words = [Word(0, SECOND, " no\u2013no\u2013no\u2013no\u2013no\u2013no\u2013no\u2013no\u2013no", 0.9)]
    assert cut_loops(words, 4) == words


def test_few_repetitions_within_seconds_are_short() -> None:
    assert is_short(timed("dial 8 8 8 8 now"), 4)
    assert not is_short(timed("dial 8 8 8 8 8 now"), 4)
    assert not is_short(timed("dial 8 8 8 8 now", seconds=2.0), 4)
    assert not is_short(timed("dial 8 now"), 4)
