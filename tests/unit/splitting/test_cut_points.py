"""Cuts: how many, where, and that chunks tile their track whatever happens."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.media.vad import FRAME
from audiogrid.records.chunks import Seam
from audiogrid.splitting.cut_points import (
    AMPLE_MARGIN,
    PAUSE_CONTEXT,
    Search,
    choose_cut,
    chunk_count,
    context_bounds,
    frame_energy,
    hard_overlap,
    make_chunks,
    search_radius,
    targets,
)

MINUTE = 60 * SAMPLE_RATE
FRAMES = 200
# 200 frames (6.4 s) that begin at sample 100,000.
WINDOW = 100_000
MIDDLE = WINDOW + FRAMES // 2 * FRAME
SEARCH = Search(MIDDLE, FRAMES // 2 * FRAME, 3 * SAMPLE_RATE)


def window(*pauses: tuple[int, int], speech: float = 0.9) -> np.ndarray:
    probabilities = np.full(FRAMES, speech, dtype=np.float32)
    for start, end in pauses:
        probabilities[start:end] = 0.02
    return probabilities


def cut(probabilities: np.ndarray, energy: np.ndarray | None = None) -> tuple[Seam, float]:
    """The seam, and its frame within the window."""
    seam = choose_cut(probabilities, np.full(FRAMES, 50.0) if energy is None else energy, WINDOW, SEARCH)
    return seam, (seam.at - WINDOW) / FRAME


@pytest.mark.parametrize(
    ("minutes", "count"),
    [(0, 1), (0.001, 1), (5, 1), (6.25, 1), (6.3, 2), (7.4, 2), (7.6, 2), (12.4, 2), (12.6, 3), (60, 12), (600, 120)],
)
def test_chunk_count_of_five_minutes(minutes: float, count: int) -> None:
    assert chunk_count(round(minutes * MINUTE), 5) == count


@given(st.integers(1, 100_000 * MINUTE // 60), st.floats(0.1, 60))
def test_planned_chunks_are_between_bounds(duration: int, chunk_minutes: float) -> None:
    count = chunk_count(duration, chunk_minutes)
    length = duration / count / (chunk_minutes * MINUTE)
    assert length <= 1.25 + 1e-9
    assert count == 1 or length >= 0.62


@given(st.integers(0, 10**9), st.integers(1, 500))
def test_searches_never_meet(duration: int, count: int) -> None:
    places = targets(duration, count)
    radius = search_radius(duration, count)
    reach = radius + hard_overlap(duration, count, 3 * SAMPLE_RATE)
    assert len(places) == count - 1
    edges = [0, *(edge for place in places for edge in (place - radius, place + radius)), duration]
    assert edges == sorted(edges)
    assert all(here + reach <= after - radius for here, after in pairwise(places))


def test_longest_pause_wins_in_its_middle() -> None:
    seam, frame = cut(window((30, 58), (90, 106), (150, 158)))
    assert seam.kind == "pause"
    assert frame == 44
    assert seam.margin == 14 * FRAME


def test_nearer_of_nearly_equal_pauses_wins() -> None:
    _, frame = cut(window((5, 23), (95, 112)))
    assert frame == 103.5


def test_a_pause_of_a_second_is_not_beaten_by_a_longer_one_further_away() -> None:
    _, frame = cut(window((10, 70), (96, 129)))
    assert 96 < frame < 129


def test_cut_in_a_very_long_pause_is_near_the_target() -> None:
    seam, frame = cut(window((0, 200)))
    assert abs(frame - 100) <= 1
    assert seam.margin >= AMPLE_MARGIN


def test_cut_in_a_long_pause_avoids_what_the_detector_missed() -> None:
    energy = np.full(FRAMES, 20.0)
    energy[80:120] = 45.0  # somebody whispers
    seam, frame = cut(window((50, 150)), energy)
    assert not 78 <= frame <= 122
    assert seam.margin >= AMPLE_MARGIN


def test_short_pause_of_least_energy() -> None:
    energy = np.full(FRAMES, 60.0)
    energy[40:46] = 30.0
    energy[43] = 25.0
    energy[100:106] = 40.0
    seam, frame = cut(window((40, 46), (100, 106)), energy)
    assert seam.kind == "short_pause"
    assert frame == 43.5
    assert seam.margin == int(2.5 * FRAME)


def test_nearer_of_equally_quiet_short_pauses_wins() -> None:
    _, frame = cut(window((20, 26), (110, 116)))
    assert 110 < frame < 116


def test_longer_of_equally_loud_short_pauses_wins() -> None:
    _, frame = cut(window((100, 105), (120, 132)))
    assert 120 < frame < 132


def test_a_gap_inside_a_word_is_no_pause() -> None:
    seam, _ = cut(window((100, 103)))
    assert seam.kind == "hard"


def test_hard_cut_at_the_least_speech_like_point() -> None:
    probabilities = window()
    probabilities[60:66] = 0.5
    seam, frame = cut(probabilities)
    assert seam.kind == "hard"
    assert 60 < frame < 66
    assert seam.margin == SEARCH.overlap


def test_hard_cut_prefers_low_energy() -> None:
    energy = np.full(FRAMES, 60.0)
    energy[120:130] = 35.0
    _, frame = cut(window(), energy)
    assert 120 < frame < 130


def test_no_frames_give_a_hard_cut_at_the_target() -> None:
    nothing = np.zeros(0, dtype=np.float32)
    assert choose_cut(nothing, nothing, 7, Search(7, 0, 0)) == Seam("hard", 7, 0)


@given(st.lists(st.tuples(st.floats(0, 1, width=32), st.floats(0, 90, width=32)), max_size=120), st.integers(0, 40_000))
def test_every_cut_is_inside_its_search(frames: list[tuple[float, float]], radius: int) -> None:
    values = np.array(frames, dtype=np.float32).reshape(-1, 2)
    search = Search(WINDOW + radius, radius, 1_000)
    seam = choose_cut(values[:, 0], values[:, 1], WINDOW, search)
    assert WINDOW <= seam.at <= WINDOW + 2 * radius
    assert seam.margin >= 0
    if seam.kind != "hard" and seam.margin:
        inside = (np.arange(len(values)) + 1) * FRAME + WINDOW > seam.at - seam.margin
        inside &= np.arange(len(values)) * FRAME + WINDOW < seam.at + seam.margin
        assert values[inside, 0].max() < 0.35


def test_energy_is_in_decibels_of_one_step() -> None:
    pcm = np.concatenate([np.zeros(FRAME), np.full(FRAME, 1000.0), np.full(10, 32767.0)]).astype(np.int16)
    energy = frame_energy(pcm)
    assert energy.shape == (3,)
    assert energy[0] == 0
    assert energy[1] == pytest.approx(60, abs=0.01)


def test_context_is_silence_at_pauses_and_overlap_at_hard_seams() -> None:
    wide, narrow = Seam("pause", 100_000, 40_000), Seam("short_pause", 200_000, 1_500)
    assert context_bounds(100_000, 200_000, wide, narrow, 10**6) == (100_000 - PAUSE_CONTEXT, 201_500)
    hard, end = Seam("hard", 30_000, 48_000), Seam("edge", 900_000, 0)
    assert context_bounds(30_000, 900_000, hard, end, 900_000) == (0, 900_000)


seams = st.builds(
    Seam, st.sampled_from(["pause", "short_pause", "hard"]), st.integers(0, 10**6), st.integers(0, 48_000)
)


@given(st.integers(0, 2 * 10**6), st.lists(seams, max_size=8), st.integers(0, 5))
def test_owned_spans_tile_the_track(samples: int, drawn: list[Seam], empty: int) -> None:
    cuts = sorted((seam for seam in drawn if seam.at < samples), key=lambda seam: seam.at)
    count = len(cuts) + 1 + empty
    chunks = make_chunks("talk", None, samples, cuts, count, ["0"] * count)
    assert [chunk.index for chunk in chunks] == list(range(count))
    assert [chunk.chunk for chunk in chunks] == [f"talk.{index:04d}" for index in range(count)]
    assert [chunk.start for chunk in chunks] == [0, *(chunk.end for chunk in chunks[:-1])]
    assert chunks[-1].end == samples
    for chunk in chunks:
        assert 0 <= chunk.context_start <= chunk.start <= chunk.end <= chunk.context_end <= samples
        assert chunk.left.at == chunk.start
        assert chunk.right.at == chunk.end
        assert not chunk.is_empty or chunk.context_start == chunk.context_end
