"""What of a chunk is embedded: everything that is not certain anyway."""

from __future__ import annotations

import numpy as np
import pytest

from audiogrid.embedding.chunk_voices import _frames_of, embed_some, monologues
from audiogrid.embedding.tracklets import Stretch

SECOND = 16_000


def stretch(start: float, end: float, local: int = 0, clean: float = 1.0) -> Stretch:
    first, last = round(start * SECOND), round(end * SECOND)
    return Stretch(first, last, local, ((first, first + round(clean * (last - first))),))


def embedded(voices: str, stride: int = 4) -> str:
    """``voices``: a letter per stretch; returned are those whose vectors are asked for, with a dot for the others."""
    asked: set[int] = set()

    def vector_of(index: int) -> np.ndarray:
        asked.add(index)
        return np.eye(26)[ord(voices[index]) - ord("a")]

    embed_some(0, len(voices), stride, 0.65, vector_of)
    return "".join(letter if index in asked else "." for index, letter in enumerate(voices))


@pytest.mark.parametrize(
    ("voices", "asked"),
    [
        ("a", "a"),
        ("aa", "aa"),
        ("aaa", "a.a"),
        ("aaaaaaaaaaaa", "a...a...a..a"),
        # A change is looked for until it is found.
        ("aaaaabbbb", "a...abb.b"),
        ("abbbb", "abb.b"),
    ],
)
def test_between_two_of_one_voice_nothing_is_embedded(voices: str, asked: str) -> None:
    assert embedded(voices) == asked


@pytest.mark.parametrize("seed", range(20))
def test_whoever_has_no_vector_continues_the_one_before(seed: int) -> None:
    random = np.random.default_rng(seed)
    # Each voice talks for at least as long as the stride.
    voices = "".join("abc"[random.integers(3)] * int(random.integers(4, 12)) for _ in range(8))
    asked = embedded(voices)
    last = ""
    for voice, letter in zip(voices, asked, strict=True):
        last = letter if letter != "." else last
        assert last == voice


def test_a_monologue_ends_where_anything_else_begins() -> None:
    turns = [stretch(0, 2), stretch(2, 4), stretch(4.4, 6), stretch(6.6, 8), stretch(8, 9, 1), stretch(9, 10)]
    assert monologues(turns, SECOND // 2) == [(0, 3), (3, 4), (4, 5), (5, 6)]
    assert monologues([stretch(0, 2), stretch(2, 4, clean=0.8)], SECOND // 2) == [(0, 1), (1, 2)]
    # Somebody else's word in between.
    assert monologues([stretch(0, 2), stretch(1.5, 1.8, 1), stretch(2, 4)], SECOND // 2) == [(0, 1), (1, 2), (2, 3)]
    assert monologues([], SECOND) == []


@pytest.mark.parametrize(("seconds", "wanted"), [(0.1, 0.3), (0.3, 0.3), (1.2, 1.2), (2.0, 1.5)])
def test_a_vector_is_made_from_the_middle_of_a_stretch(seconds: float, wanted: float) -> None:
    start, end = 5 * SECOND, 5 * SECOND + round(seconds * SECOND)
    stretch = Stretch(start, end, 0, ((start, end),))
    first, last = _frames_of(stretch, 20 * SECOND, 3 * SECOND // 10, 3 * SECOND // 2)
    # A frame covers 25 ms and starts 10 ms after the one before it.
    assert last - first == pytest.approx(100 * wanted - 1.5, abs=1)
    assert (first + last) / 2 == pytest.approx((start + end) / 2 / 160, abs=2)
