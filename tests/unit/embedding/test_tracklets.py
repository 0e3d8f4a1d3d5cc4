"""Tracklets: where they are cut, and what of them is clean."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from audiogrid.embedding.segmentation import FRAME_STEP, Activity
from audiogrid.embedding.tracklets import TrackletOptions, common, joined, runs, tracklets

SECOND = 16_000


def activity(seconds: float, *talks: tuple[float, float, int]) -> Activity:
    numbers = max((who for *_, who in talks), default=-1) + 1
    active = np.zeros((round(seconds * SECOND / FRAME_STEP), numbers), dtype=bool)
    for start, end, who in talks:
        active[round(start * SECOND / FRAME_STEP) : round(end * SECOND / FRAME_STEP), who] = True
    return Activity(active)


def found(seconds: float, *talks: tuple[float, float, int], speech: list[tuple[float, float]] | None = None) -> list:
    spans = [(round(a * SECOND), round(b * SECOND)) for a, b in (speech or [(0, seconds)])]
    return tracklets(activity(seconds, *talks), spans, round(seconds * SECOND))


def test_a_long_talk_is_cut_in_equal_parts() -> None:
    parts = found(12, (1, 8, 0))
    assert len(parts) == 4
    assert {round((part.end - part.start) / SECOND, 2) for part in parts} == {1.75}
    assert all(part.clean_samples == part.end - part.start for part in parts)


def test_pauses_of_the_voice_detector_part_tracklets_and_are_left_out() -> None:
    parts = found(10, (1, 3, 0), speech=[(0, 1.8), (2.0, 10)])
    assert [(round(p.start / SECOND, 1), round(p.end / SECOND, 1)) for p in parts] == [(1.0, 1.8), (2.0, 3.0)]


def test_overlap_gives_two_tracklets_and_what_is_clean_of_each() -> None:
    first, second = found(6, (1, 2.9, 0), (2, 3.9, 1))
    assert (first.local, second.local) == (0, 1)
    assert abs(first.clean_samples - SECOND) < 2 * FRAME_STEP
    assert abs(second.clean_samples - SECOND) < 2 * FRAME_STEP


def test_no_speech_no_tracklets() -> None:
    assert found(5) == []
    assert found(5, (1, 3, 0), speech=[(3.5, 4)]) == []
    assert tracklets(Activity(np.zeros((0, 0), dtype=bool)), [], 0) == []


SPANS = st.lists(st.tuples(st.integers(0, 300), st.integers(1, 60)), max_size=8).map(
    lambda items: joined(sorted((start, start + length) for start, length in items), 0)
)


@given(SPANS, SPANS)
def test_common_is_the_intersection(left: list[tuple[int, int]], right: list[tuple[int, int]]) -> None:
    def inside(spans: list[tuple[int, int]]) -> np.ndarray:
        line = np.zeros(400, dtype=bool)
        for start, end in spans:
            line[start:end] = True
        return line

    assert (inside(common(left, right)) == (inside(left) & inside(right))).all()
    assert runs(inside(left)) == left


@given(st.lists(st.tuples(st.floats(0, 28), st.floats(0.1, 12), st.integers(0, 2)), max_size=6))
def test_tracklets_lie_in_the_chunk_and_are_no_longer_than_they_may_be(talks: list[tuple[float, float, int]]) -> None:
    options = TrackletOptions()
    for part in found(30, *((start, min(30, start + length), who) for start, length, who in talks)):
        assert 0 <= part.start < part.end <= 30 * SECOND
        assert options.shortest <= part.end - part.start <= options.longest
        assert 0 <= part.clean_samples <= part.end - part.start
