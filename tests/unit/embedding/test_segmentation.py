"""Looks at 10 s each become one activity matrix; numbers are carried from look to look."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiogrid.embedding.segmentation import FRAME_STEP, LOOK, SegmentationOptions, look_starts, segment

HOP = SegmentationOptions().hop


def speaking(schedule: list[tuple[float, float, int]], order: list[tuple[int, int, int]]) -> object:
    """A network that hears ``schedule`` (seconds, speaker) and numbers speakers differently in every look."""
    looks = iter(range(1000))

    def network(wave: np.ndarray) -> np.ndarray:
        frames = (wave.shape[-1] - 991) // FRAME_STEP + 1
        names = order[next(looks) % len(order)]
        begin = wave[0, 0, 0]
        scores = np.zeros((1, frames, 7), dtype=np.float32)
        for frame in range(frames):
            at = (begin + 495 + FRAME_STEP * frame) / 16_000
            talking = sorted(names[who] for start, end, who in schedule if start <= at < end)
            kind = {(): 0, (0,): 1, (1,): 2, (2,): 3, (0, 1): 4, (0, 2): 5, (1, 2): 6}[tuple(talking)]
            scores[0, frame, kind] = 1
        return scores

    return network


def signal(seconds: float) -> np.ndarray:
    """A signal whose samples are their own numbers: what a network sees tells it where it is."""
    return np.arange(round(seconds * 16_000), dtype=np.float32)


ORDERS = [(0, 1, 2), (2, 0, 1), (1, 2, 0)]


def test_speakers_keep_their_numbers_however_each_look_numbers_them() -> None:
    # The third talk is speaker 0 again, whom no look has heard for ten seconds: a new number.
    schedule = [(0, 12, 0), (11, 23, 1), (22, 34, 0)]
    found = segment(signal(34), speaking(schedule, ORDERS)).active
    assert found.shape[1] == 3
    for number, (start, end, _) in enumerate(schedule):
        frames = found[:, number]
        first, last = round(start * 16_000 / FRAME_STEP), round(end * 16_000 / FRAME_STEP)
        assert frames[first + 2 : last - 4].all()
        assert not frames[: max(0, first - 4)].any()
        assert not frames[last + 2 :].any()


def test_a_pause_longer_than_what_looks_share_gives_new_numbers() -> None:
    found = segment(signal(40), speaking([(0, 3, 0), (30, 33, 0)], ORDERS)).active
    assert found.shape[1] == 2


@pytest.mark.parametrize("samples", [0, 1, 990])
def test_signals_too_short_for_a_frame(samples: int) -> None:
    def never(wave: np.ndarray) -> np.ndarray:
        raise AssertionError(wave.shape)

    assert segment(np.zeros(samples, dtype=np.float32), never).frames == 0


@given(st.integers(0, 60 * 16_000), st.integers(30, 592))
def test_looks_cover_a_signal_and_share_what_they_must(samples: int, hop: int) -> None:
    starts = look_starts(samples, hop)
    assert starts[0] == 0
    assert starts == sorted(set(starts))
    assert all(start % FRAME_STEP == 0 for start in starts)
    assert samples - (starts[-1] + LOOK) < FRAME_STEP
    assert all(right - left <= hop * FRAME_STEP for left, right in pairwise(starts))


def test_looks_without_speech_are_not_taken_and_change_nothing() -> None:
    schedule = [(0, 4, 0), (50, 58, 1), (56, 60, 0)]
    asked: list[int] = []
    network = speaking(schedule, ORDERS)

    def counting(wave: np.ndarray) -> np.ndarray:
        asked.append(wave.shape[-1])
        return network(wave)

    whole = segment(signal(60), network).active
    speech = [(start * 16_000, end * 16_000) for start, end, _ in schedule]
    assert np.array_equal(segment(signal(60), counting, speech=speech).active, whole)
    assert 0 < len(asked) < len(look_starts(60 * 16_000, 444)) - 2
