"""Windows that hold two languages are parted, and each part keeps the language that it was parted for."""

from __future__ import annotations

from typing import Any

import numpy as np

from audiogrid.decoding.passes.code_switching import EncodedWindow, part_by_language
from audiogrid.decoding.windows import Layout, Piece

ENGLISH, RUSSIAN, UNSURE_RUSSIAN = (
    {"en": 0.95, "ru": 0.02},
    {"ru": 0.95, "en": 0.02},
    {"ru": 0.4, "uk": 0.35, "en": 0.01},
)
PIECES = (Piece(0, 16_000), Piece(20_000, 36_000), Piece(40_000, 56_000))


class Ear:
    """Knows the language of every piece by its first sample."""

    def __init__(self, *language_probabilities: dict[str, float]) -> None:
        self.language_probabilities = dict(enumerate(language_probabilities))
        self.encoded: list[int] = []

    def encode(self, audios: list[np.ndarray]) -> list[np.ndarray]:
        self.encoded += [len(audio) for audio in audios]
        return [np.array([audio[0]]) for audio in audios]

    def languages(self, encoded: list[np.ndarray]) -> list[dict[str, float]]:
        return [self.language_probabilities[int(one[0])] for one in encoded]


def parted(window: dict[str, float], *pieces: dict[str, float]) -> tuple[list[EncodedWindow], Ear]:
    ear: Any = Ear(*pieces)
    pcm = np.zeros(60_000, np.int16)
    for index, piece in enumerate(PIECES):
        pcm[piece.start : piece.end] = index
    layout = Layout(PIECES[: len(pieces)])
    return part_by_language(ear, pcm, [EncodedWindow(layout, np.zeros(1), window)]), ear


def test_a_window_in_one_language_is_not_listened_to_again() -> None:
    found, ear = parted({"en": 0.97}, ENGLISH, RUSSIAN)
    assert len(found) == 1
    assert not ear.encoded


def test_a_window_stays_whole_when_its_pieces_agree() -> None:
    found, _ = parted({"en": 0.7, "ru": 0.2}, ENGLISH, ENGLISH)
    assert [(one.layout.pieces, one.language) for one in found] == [(PIECES[:2], "")]


def test_the_parts_have_the_languages_of_the_path() -> None:
    found, ear = parted({"en": 0.6, "ru": 0.3}, ENGLISH, ENGLISH, UNSURE_RUSSIAN)
    # The second part is taken for Russian as a whole path, though Russian has not half of its own probability.
    assert [(one.layout.pieces, one.language) for one in found] == [(PIECES[:2], "en"), (PIECES[2:], "ru")]
    # Three pieces, and the part that two of them make; the piece that is a part is not listened to twice.
    assert ear.encoded == [16_000, 16_000, 16_000, 32_000]
