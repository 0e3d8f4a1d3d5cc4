"""Packing of speech into windows."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.decoding.windows import Layout, Piece, overlap, pack, seconds, speech_inside, split_long
from audiogrid.media.vad import FRAME

LONGEST = 30 * SAMPLE_RATE


@st.composite
def speech_with_pads(draw: st.DrawFn) -> tuple[list[tuple[int, int]], list[tuple[int, int]], int]:
    """Disjoint speech, the same with pads, and the number of samples of the chunk."""
    at, speech = 0, []
    for _ in range(draw(st.integers(0, 12))):
        at += draw(st.integers(2600, 20 * SAMPLE_RATE))
        length = draw(st.integers(512, 70 * SAMPLE_RATE))
        speech.append((at, at + length))
        at += length
    samples = at + draw(st.integers(0, 10_000))
    padded = []
    for index, (start, end) in enumerate(speech):
        left = min(6400, (start - speech[index - 1][1]) // 2) if index else min(6400, start)
        right = min(6400, (speech[index + 1][0] - end) // 2) if index + 1 < len(speech) else min(6400, samples - end)
        padded.append((start - left, end + right))
    return padded, speech, samples


@given(speech_with_pads(), st.integers(2 * SAMPLE_RATE, LONGEST))
def test_windows_hold_every_span_once_in_order(
    made: tuple[list[tuple[int, int]], list[tuple[int, int]], int], longest: int
) -> None:
    padded, speech, samples = made
    probabilities = np.ones(samples // FRAME + 1, dtype=np.float32)
    windows = pack(padded, speech, probabilities, longest)
    pieces = [piece for window in windows for piece in window.pieces]
    assert all(window.samples <= longest for window in windows)
    assert all(left.end <= right.start for left, right in pairwise(pieces))
    covered = sum(piece.end - piece.start for piece in pieces)
    assert covered == sum(end - start for start, end in padded)
    assert all(overlap((piece.start, piece.end), padded) == piece.end - piece.start for piece in pieces)


def test_no_speech_needs_no_window() -> None:
    assert pack([], [], np.zeros(10), LONGEST) == []


def test_windows_part_at_the_long_pause_rather_than_where_the_first_one_is_full() -> None:
    second = SAMPLE_RATE
    speech = [(second, 12 * second), (15 * second, 25 * second), (25 * second + 4800, 30 * second)]
    speech.append((30 * second + 4800, 40 * second))
    padded = [(start - 2400, end + 2400) for start, end in speech]
    windows = pack(padded, speech, np.ones(41 * second // FRAME), LONGEST)
    # All but the last span fit into one window, but then the cut would fall into a pause of 0.3 s.
    assert [window.pieces[0].start for window in windows] == [padded[0][0], padded[1][0]]


def test_as_few_windows_as_possible() -> None:
    speech = [(index * 6 * SAMPLE_RATE, index * 6 * SAMPLE_RATE + 4 * SAMPLE_RATE) for index in range(14)]
    windows = pack(speech, speech, np.ones(90 * SAMPLE_RATE // FRAME), LONGEST)
    assert len(windows) == 2


def test_a_long_span_is_parted_where_speech_is_least_likely() -> None:
    probabilities = np.full(40 * SAMPLE_RATE // FRAME, 0.9)
    dip = 22 * SAMPLE_RATE // FRAME
    probabilities[dip - 2 : dip + 3] = 0.4
    # A deeper dip in the first half is too early: the second part would be long for nothing.
    probabilities[100:105] = 0.1
    parts = split_long((0, 40 * SAMPLE_RATE), probabilities, LONGEST)
    assert len(parts) == 2
    assert abs(parts[0][1] - 22 * SAMPLE_RATE) <= 2 * FRAME
    assert parts[0][1] == parts[1][0]


@given(
    st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 5000)), min_size=1, max_size=8),
    st.integers(0, 40_000),
    st.integers(0, 40_000),
)
def test_parts_of_a_layout_are_parts_of_its_audio(spans: list[tuple[int, int]], one: int, other: int) -> None:
    at, pieces = 0, []
    for gap, length in spans:
        pieces.append(Piece(at + gap, at + gap + length))
        at += gap + length
    layout = Layout(tuple(pieces))
    pcm = np.arange(at, dtype=np.int32)
    audio = layout.audio(pcm)
    assert len(audio) == layout.samples
    start, end = sorted((min(one, layout.samples), min(other, layout.samples)))
    assert np.array_equal(layout.part(start, end).audio(pcm), audio[start:end])
    if start < layout.samples:
        assert layout.back(start, layout.piece_at(start)) == audio[start]


def test_the_way_back_never_leaves_the_piece() -> None:
    layout = Layout((Piece(1000, 2000), Piece(9000, 9500)))
    assert layout.piece_at(999) == 0
    assert layout.piece_at(1000) == 1
    assert layout.piece_at(99_999) == 1
    assert layout.back(1200, 0) == 2000
    assert layout.back(900, 1) == 9000


def test_speech_inside_a_layout() -> None:
    layout = Layout((Piece(0, 1000), Piece(4000, 6000)))
    found = speech_inside(layout, [(500, 1500), (2000, 3000), (5000, 9000)])
    assert found == [(500, 1000), (5000, 6000)]
    assert seconds(found) == pytest.approx(1500 / SAMPLE_RATE)
