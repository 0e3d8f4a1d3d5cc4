"""Errors of words with speakers."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from audiogrid.scoring.speaker_errors import best_assignment, speaker_errors


@pytest.mark.parametrize("size", [1, 2, 3, 5, 6])
def test_assignment_is_the_best_of_all(size: int) -> None:
    random = np.random.default_rng(size)
    for _ in range(20):
        cost = random.integers(-9, 9, (size, size)).astype(float)
        best = min(sum(cost[row, column] for row, column in enumerate(order)) for order in permutations(range(size)))
        found = best_assignment(cost)
        assert sorted(found) == list(range(size))
        assert sum(cost[row, column] for row, column in enumerate(found)) == best


def test_names_of_speakers_do_not_matter() -> None:
    reference = {"Ann": "good morning all".split(), "Bob": "what time is it".split()}
    found = speaker_errors(reference, {1: reference["Bob"], 2: reference["Ann"]})
    assert (found.errors, found.tokens, found.rate) == (0, 7, 0.0)
    assert found.partners == {"Ann": 2, "Bob": 1}


def test_a_word_of_another_speaker_is_two_errors() -> None:
    reference = {"Ann": "good morning all".split(), "Bob": "what time is it".split()}
    found = speaker_errors(reference, {1: "good morning".split(), 2: "all what time is it".split()})
    assert found.errors == 2


@pytest.mark.parametrize(
    ("reference", "hypothesis", "errors"),
    [
        ({"a": ["x", "y"]}, {}, 2),
        ({}, {1: ["x", "y"]}, 2),
        ({"a": ["x", "y"]}, {1: ["x"], 2: ["y"]}, 2),
        ({"a": ["x"], "b": ["y"]}, {1: ["x", "y"]}, 2),
        ({}, {}, 0),
        ({"a": []}, {1: []}, 0),
    ],
)
def test_speakers_without_a_partner_count_with_all_words(
    reference: dict[str, list[str]], hypothesis: dict[int, list[str]], errors: int
) -> None:
    assert speaker_errors(reference, hypothesis).errors == errors


def test_rate_without_a_reference() -> None:
    assert speaker_errors({}, {}).rate == 0
    assert speaker_errors({}, {1: ["x"]}).rate == float("inf")
