"""How the benchmark of decoding counts errors."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

import pytest

from places import ROOT


@pytest.fixture(scope="module")
def decoding() -> Any:
    """The module of the benchmark, which is no package; it takes its sets from beside it."""
    folder = ROOT / "benchmarks"
    spec = importlib.util.spec_from_file_location("benchmark_decoding", folder / "decoding.py")
    assert spec is not None and spec.loader is not None
    before = list(sys.path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path[:] = before
    return module


def counts(decoding: Any, reference: str, text: str, language: str = "en") -> tuple[int, int, int, int, int]:
    found = decoding.errors(reference, text, language)
    assert found.all == found.substituted + found.lost + found.invented
    return found.substituted, found.lost, found.invented, found.apart, found.words


def test_words_are_substituted_lost_and_invented(decoding: Any) -> None:
    assert counts(decoding, "the old bridge", "the cold bridge") == (1, 0, 0, 0, 3)
    assert counts(decoding, "the old bridge", "the bridge") == (0, 1, 0, 0, 3)
    assert counts(decoding, "the old bridge", "the very old bridge") == (0, 0, 1, 0, 3)
    assert counts(decoding, "", "nobody spoke") == (0, 0, 2, 0, 0)
    assert counts(decoding, "the old bridge", "") == (0, 3, 0, 0, 3)


def test_the_same_letters_in_more_or_fewer_words_are_counted_apart(decoding: Any) -> None:
    assert counts(decoding, "now and forevermore dial", "now and forever more dial") == (1, 0, 1, 2, 4)
    assert counts(decoding, "the mail box is full", "the mailbox is full") == (1, 1, 0, 2, 5)
    # Other errors beside it do not count as spelling, nor do letters that differ.
    assert counts(decoding, "the mail box is full", "the mailboxes is full") == (1, 1, 0, 0, 5)
    assert counts(decoding, "a touch tone here now", "a touchtone there now")[3] == 0


def test_numbers_and_accents_are_no_errors(decoding: Any) -> None:
    assert counts(decoding, "marque el número cuatro", "Marque el numero 4.", "es") == (0, 0, 0, 0, 4)


def test_loops_of_a_whole_text_are_told_over_windows_and_chunks(decoding: Any) -> None:
    windows = ["Thank you."] * 5
    assert decoding.loops("good morning", " ".join(windows)) == ["thank you (5 times)"]
    assert decoding.loops("good morning", " ".join(windows[:4])) == []
    # What the reference repeats is said.
    assert decoding.loops("no no no no no", "no no no no no no") == []


def test_a_number_read_digit_by_digit_is_one_word_however_it_is_written(decoding: Any) -> None:
    for text in ("dial 5-0-0 now", "dial 5.0.0 now", "dial 5, 0, 0 now", "dial five zero zero now"):
        assert decoding.errors("dial 500 now", text, "en", together=True).all == 0, text
    assert decoding.errors("dial 500 now", "dial 600 now", "en", together=True).all == 1
