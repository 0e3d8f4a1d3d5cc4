"""Normalising, aligning and the bootstrap, against jiwer and cases worked out by hand."""

from __future__ import annotations

import jiwer
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from whisper_normalizer.basic import BasicTextNormalizer

from audiogrid.scoring import bootstrap
from audiogrid.scoring.alignment import align, errors_per_block
from audiogrid.scoring.differing_passages import most_different
from audiogrid.scoring.normalising import normalised_tokens, unit
from audiogrid.scoring.word_starts import timed_tokens
from speech import prompts

WORDS = st.lists(st.sampled_from("a b c d".split()), max_size=30)


@given(WORDS, WORDS)
def test_counts_are_those_of_jiwer(reference, hypothesis):
    found = align(reference, hypothesis)
    if not reference or not hypothesis:
        assert found.errors == max(len(reference), len(hypothesis))
        return
    truth = jiwer.process_words(" ".join(reference), " ".join(hypothesis))
    assert found.rate == jiwer.wer(" ".join(reference), " ".join(hypothesis))
    assert found.count("substitute") == truth.substitutions
    assert found.count("delete") == truth.deletions
    assert found.count("insert") == truth.insertions
    assert found.count("equal") == truth.hits


@given(WORDS, WORDS, st.integers(1, 9))
def test_every_error_is_charged_once_whatever_the_blocks(reference, hypothesis, size):
    found = align(reference, hypothesis)
    charged = found.by_position()
    assert charged.sum() == found.errors
    errors, tokens = errors_per_block(charged, len(reference), size)
    assert errors.sum() == found.errors
    assert tokens.sum() == len(reference)


def test_errors_stand_where_they_were_made():
    charged = align("one two three four".split(), "uno two extra word three".split()).by_position()
    # "one" was substituted, two words were put in after "two", "four" is missing.
    assert charged.tolist() == [1, 2, 0, 1]


def test_characters_are_counted_where_words_are_not_written():
    assert unit("ja") == "characters" and unit("hi") == unit(None) == "words"
    reference, hypothesis = normalised_tokens("今日は 良い天気。", "ja"), normalised_tokens("今日は、いい天気", "ja")
    assert align(reference, hypothesis).rate == jiwer.cer("今日は良い天気", "今日はいい天気") == pytest.approx(1 / 7)


@pytest.mark.parametrize(
    "one, other, language",
    [
        ("I've got twenty-one colours.", "i have got 21 colors", "en"),
        ("Où est l’eau ?", "où est l'eau", "fr"),
        ("कि हिन्दी, है।", "कि हिन्दी है", "hi"),
        ("مَرْحَبًا بِك", "مرحبا بك", "ar"),
    ],
)
def test_what_good_transcripts_spell_differently_is_no_error(one, other, language):
    assert normalised_tokens(one, language) == normalised_tokens(other, language)


def test_vowel_signs_matter():
    assert normalised_tokens("कि", "hi") != normalised_tokens("की", "hi")


def test_other_languages_are_normalised_as_whisper_does_it():
    texts = {
        "es": "¿Dónde está el niño? El (ruido) 3.5 km—así.",
        "fr": "Ça, c'est l'œuvre d'un garçon.",
        "ru": "Ёлка, «подъезд» 7!",
    }
    for language in texts:
        for text in [texts[language], *(prompt.text for prompt in prompts(language))]:
            assert normalised_tokens(text, language) == BasicTextNormalizer()(text).split()


def test_tokens_keep_their_times():
    words = [("Twenty", 1.0), ("one", 1.4), ("boats", 2.0), ("sail", 3.0)]
    segment = {
        "text": " Twenty one boats, sail",
        "words": [{"word": f" {word}", "start": start, "end": start + 0.3} for word, start in words],
    }
    found = timed_tokens({"segments": [segment]}, "en")
    assert found.tokens == ["21", "boats", "sail"]
    assert found.starts[1:].tolist() == [2.0, 3.0]
    assert found.starts[0] <= 2.0
    assert timed_tokens({"segments": []}, "en").tokens == []


def test_passages_show_where_variants_differ():
    reference = [f"w{number}" for number in range(200)]
    bad = [*reference[:100], "other", "words", *reference[102:150], *reference[153:]]
    found = most_different({"good": align(reference, reference), "bad": align(reference, bad)}, 5)
    assert [passage.start <= 101 < passage.end or passage.start <= 151 < passage.end for passage in found] == [True] * 2
    first = max(found, key=lambda passage: passage.start <= 150 < passage.end)
    assert [piece.kind for piece in first.readings["good"]] == ["equal"]
    missing = [piece for piece in first.readings["bad"] if piece.kind == "delete"]
    assert [(piece.wanted, piece.given) for piece in missing] == [("w150 w151 w152", "")]
    assert most_different({"a": align(reference, reference), "b": align(reference, reference)}, 5) == []


def test_a_passage_can_be_all_that_nobody_said():
    found = most_different({"silent": align([], []), "wordy": align([], ["thank", "you"])}, 5)
    assert [(piece.kind, piece.given) for piece in found[0].readings["wordy"]] == [("insert", "thank you")]


def test_equal_variants_are_equally_good():
    errors = np.array([[1.0, 0, 2, 0, 1, 3]] * 2)
    found = bootstrap.bootstrap_rates(errors, np.full(6, 10.0))
    assert found.difference(1, 0) == bootstrap.Interval(0, 0, 0)
    assert found.chance_of_better(1, 0) == 0.5
    assert found.rate(0).value == pytest.approx(7 / 60)


def test_draws_are_paired_and_repeatable():
    rng = np.random.default_rng(3)
    one = rng.integers(0, 40, 30).astype(float)
    # The other variant makes one error less in every unit, however bad the unit is.
    found = bootstrap.bootstrap_rates(np.stack([one, one - 1]), np.full(30, 100.0))
    again = bootstrap.bootstrap_rates(np.stack([one, one - 1]), np.full(30, 100.0))
    difference = found.difference(1, 0)
    assert (difference.low, difference.high) == pytest.approx((-0.01, -0.01))
    assert found.chance_of_better(1, 0) == 1
    assert found.rate(0).high - found.rate(0).low > 0.02
    assert np.array_equal(found.draws, again.draws)


def test_too_few_units_give_no_interval():
    found = bootstrap.bootstrap_rates(np.array([[1.0, 2.0]]), np.array([10.0, 20.0]))
    assert found.rate(0) == bootstrap.Interval(0.1)
    assert found.chance_of_better(0, 0) is None
    assert np.isnan(bootstrap.bootstrap_rates(np.zeros((1, 9)), np.zeros(9)).rate(0).value)


def test_memory_does_not_grow_with_units(monkeypatch):
    errors, weights = np.ones((2, 40)), np.full(40, 10.0)
    whole = bootstrap.bootstrap_rates(errors, weights).draws
    monkeypatch.setattr(bootstrap, "_AT_ONCE", 400)
    assert bootstrap.bootstrap_rates(errors, weights).draws.shape == whole.shape == (2000, 2)


def test_intervals_cover_the_truth_as_often_as_they_promise(monkeypatch):
    """Recordings with error rates of their own around 0.1: 95 % of the intervals must hold it, give or take."""
    monkeypatch.setattr(bootstrap, "RESAMPLES", 400)
    rng = np.random.default_rng(11)
    held = 0
    for trial in range(400):
        words = rng.integers(50, 400, 40)
        errors = rng.binomial(words, rng.beta(2, 18, 40)).astype(float)
        interval = bootstrap.bootstrap_rates(errors[None], words.astype(float), seed=trial).rate(0)
        held += interval.low <= 0.1 <= interval.high
    assert 0.90 <= held / 400 <= 0.98
