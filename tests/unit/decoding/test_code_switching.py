"""A chunk in several languages is found to be one, and its windows are made of phrases in one language each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from audiogrid.decoding.options import DecodeOptions
from audiogrid.decoding.passes.code_switching import (
    EncodedWindow,
    Phrase,
    is_certain,
    only_established,
    shown_languages,
    split_by_language,
    split_phrases,
)
from audiogrid.decoding.windows import Layout, Piece

SECOND = 16_000
ENGLISH, RUSSIAN = {"en": 0.95, "ru": 0.02, "hi": 0.01}, {"ru": 0.95, "en": 0.02, "hi": 0.01}
UNSURE, HINDI = {"ru": 0.4, "uk": 0.35, "en": 0.01, "hi": 0.01}, {"hi": 0.97, "en": 0.02, "ru": 0.001}


class Ear:
    """Knows the language of the audio by its first sample, and counts what it is asked for."""

    multilingual = True

    def __init__(self, *phrases: dict[str, float]) -> None:
        self.phrases = phrases
        self.heard: list[int] = []
        self.encoded: list[int] = []

    def encode(self, audios: list[np.ndarray], encoder: str = "auto", margin: float = 30.0) -> list[np.ndarray]:
        self.encoded += [len(audio) for audio in audios]
        return [np.array([audio[SECOND]]) for audio in audios]

    def languages(self, encoded: list[np.ndarray]) -> list[dict[str, float]]:
        return [self.phrases[int(one[0])] for one in encoded]

    def languages_of_phrases(self, audios: list[np.ndarray], encoder: str = "auto") -> list[dict[str, float]]:
        self.heard += [len(audio) for audio in audios]
        return [self.phrases[int(audio[SECOND])] for audio in audios]


def split(
    windows: list[dict[str, float]], phrases: list[dict[str, float]], wanted: bool | str = "auto"
) -> tuple[list[EncodedWindow], Ear]:
    """Phrases of 4 s with half a second between them, as many to a window as there are phrases for each."""
    ear: Any = Ear(*phrases)
    step = round(4.5 * SECOND)
    pcm = np.repeat(np.arange(len(phrases)), step).astype(np.int16)
    speech = [(index * step + SECOND // 4, (index + 1) * step - SECOND // 4) for index in range(len(phrases))]
    each = len(phrases) // len(windows)
    layouts = [Layout((Piece(first * step, (first + each) * step),)) for first in range(0, len(phrases), each)]
    before = [EncodedWindow(layout, np.zeros(1), one) for layout, one in zip(layouts, windows, strict=True)]
    probabilities = np.ones(len(pcm) // 512 + 1)
    options = DecodeOptions(code_switching=wanted)
    found = split_by_language(ear, pcm, before, speech, probabilities, options)
    if all(not window.language for window in found):
        assert found == before
    return found, ear


def spans(windows: list[EncodedWindow]) -> list[tuple[float, float, str]]:
    return [(one.layout.pieces[0].start / SECOND, one.layout.pieces[-1].end / SECOND, one.language) for one in windows]


def test_a_chunk_in_one_language_costs_nothing() -> None:
    _, ear = split([ENGLISH, {"en": 0.93, "ru": 0.02}], [ENGLISH] * 4)
    assert not ear.heard
    assert not ear.encoded


@pytest.mark.parametrize("phrases", [[ENGLISH, ENGLISH, ENGLISH, UNSURE], [ENGLISH, HINDI, ENGLISH, ENGLISH]])
def test_one_odd_phrase_makes_no_second_language(phrases: list[dict[str, float]]) -> None:
    doubtful = {"en": 0.4, "ru": 0.3, "hi": 0.3}
    found, ear = split([ENGLISH, doubtful], phrases)
    assert [window.language for window in found] == ["", ""]
    # Only the window that gave reason to was listened to.
    assert len(ear.heard) == 2
    assert not ear.encoded


def test_a_chunk_in_two_languages_is_made_anew_of_phrases() -> None:
    found, ear = split([ENGLISH, {"en": 0.6, "ru": 0.35}], [ENGLISH] * 3 + [UNSURE] + [RUSSIAN] * 2 + [ENGLISH] * 2)
    assert spans(found) == [(0.0, 13.5, "en"), (13.5, 27.0, "ru"), (27.0, 36.0, "en")]
    # Every phrase was listened to once.
    assert len(ear.heard) == 8


def test_what_stays_as_it_was_is_not_encoded_again() -> None:
    found, ear = split([ENGLISH, RUSSIAN, ENGLISH], [ENGLISH] * 2 + [RUSSIAN] * 2 + [ENGLISH] * 2)
    assert spans(found) == [(0.0, 9.0, "en"), (9.0, 18.0, "ru"), (18.0, 27.0, "en")]
    assert not ear.encoded


def test_windows_that_are_sure_of_one_language_may_hold_two() -> None:
    # Spanish and Italian in turn: whole windows were taken for Italian at 0.99.
    italian, spanish = {"it": 0.97, "es": 0.02}, {"es": 0.96, "it": 0.03}
    found, _ = split([italian, spanish], [italian, italian, spanish, spanish, spanish, spanish, italian, italian])
    assert [window.language for window in found] == ["it", "es", "it"]


def test_true_leaves_out_the_question() -> None:
    found, _ = split([{"en": 0.97, "ru": 0.01}], [ENGLISH, RUSSIAN], True)
    assert [window.language for window in found] == ["en", "ru"]


def test_a_model_of_one_language_is_not_asked() -> None:
    ear: Any = Ear()
    ear.multilingual = False
    windows = [EncodedWindow(Layout((Piece(0, SECOND),)), np.zeros(1), {"en": 1.0})]
    options = DecodeOptions(code_switching=True)
    assert split_by_language(ear, np.zeros(SECOND, np.int16), windows, [], np.ones(32), options) == windows


def test_phrases_are_cut_in_the_middle_of_pauses() -> None:
    layouts = [Layout((Piece(0, 40_000), Piece(60_000, 90_000)))]
    speech = [(1_000, 10_000), (12_000, 20_000), (30_000, 38_000), (62_000, 88_000)]
    assert split_phrases(layouts, speech) == [
        Phrase(0, 25_000, (1_000, 20_000), 0),
        Phrase(25_000, 40_000, (30_000, 38_000), 0),
        Phrase(60_000, 90_000, (62_000, 88_000), 0),
    ]


def test_what_the_windows_show_depends_on_how_much_is_said() -> None:
    assert shown_languages([{"en": 0.95, "ru": 0.05}], [20.0], "en") == []
    assert shown_languages([{"en": 0.85, "ru": 0.15}], [20.0], "en") == ["ru"]
    assert shown_languages([{"en": 0.998, "ru": 0.002}] * 9 + [{"ru": 0.09, "en": 0.9}], [25.0] * 10, "en") == ["ru"]
    assert shown_languages([{"en": 0.8, "ru": 0.2}], [5.0], "en") == ["ru"]


def test_certain_is_more_than_one_phrase() -> None:
    phrases = [Phrase(0, 1, (0, 2 * SECOND), 0), Phrase(1, 2, (2 * SECOND, 4 * SECOND), 0)]
    assert is_certain(phrases, [RUSSIAN, RUSSIAN], "ru")
    assert not is_certain(phrases, [RUSSIAN, UNSURE], "ru")


def test_only_languages_that_are_spoken_somewhere_are_on_the_path() -> None:
    phrases = [Phrase(0, 1, (0, 3 * SECOND), 0), Phrase(1, 2, (3 * SECOND, 4 * SECOND), 0)]
    assert only_established(phrases, [ENGLISH, HINDI]) == [{"en": 0.95}, {"en": 0.02}]
    assert only_established(phrases, [UNSURE, UNSURE]) == [UNSURE, UNSURE]
