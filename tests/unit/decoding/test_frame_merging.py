"""Neighbouring encoder frames that become one, and which."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from audiogrid.decoding.whisper.frame_merging import merge_frames, pairs_to_merge


def test_the_most_similar_pairs_become_their_means_in_their_places() -> None:
    alike, unlike, same = [[1, 1], [3, 3]], [[5, 0], [0, 5]], [[0, 2], [0, 4]]
    encoded = np.array([alike + unlike + same], dtype=np.float32)
    assert merge_frames(encoded, 2).tolist() == [[[2, 2], [5, 0], [0, 5], [0, 3]]]
    assert merge_frames(encoded, 3).tolist() == [[[2, 2], [2.5, 2.5], [0, 3]]]
    assert merge_frames(encoded, 0) is encoded


@given(st.integers(1, 40), st.data())
def test_whatever_is_merged_the_order_and_the_sum_of_time_stay(pairs: int, data: st.DataObject) -> None:
    wanted = data.draw(st.integers(0, pairs))
    # The first number tells the time of a frame.
    noise = np.random.default_rng(pairs).normal(size=(2 * pairs, 5))
    encoded = np.hstack([np.arange(2 * pairs)[:, None], noise]).astype(np.float32)[None]
    merged = merge_frames(encoded, wanted)
    assert merged.shape == (1, 2 * pairs - wanted, 6)
    assert merged.dtype == np.float32
    times = merged[0, :, 0]
    assert (np.diff(times) > 0).all()
    whole = times == np.round(times)
    assert (~whole).sum() == wanted


def test_silence_of_zeros_is_no_division_by_zero() -> None:
    with np.errstate(all="raise"):
        assert merge_frames(np.zeros((1, 4, 3), np.float32), 1).shape == (1, 3, 3)


def test_pairs_are_merged_where_that_was_measured_or_asked_for() -> None:
    tiny, base, small = ((1, 1500, width) for width in (384, 512, 768))
    assert [pairs_to_merge(shape, -1) for shape in (tiny, base, small)] == [650, 650, 0]
    assert [pairs_to_merge(shape, 0) for shape in (tiny, base, small)] == [0, 0, 0]
    assert pairs_to_merge(small, 300) == 300
    assert [pairs_to_merge(base, wanted, "cuda") for wanted in (-1, 300)] == [0, 300]


@given(st.integers(1, 750), st.integers(0, 750))
def test_of_fewer_frames_as_large_a_share_is_merged(pairs: int, wanted: int) -> None:
    merged = pairs_to_merge((1, 2 * pairs, 512), wanted)
    assert 0 <= merged <= pairs
    assert abs(merged / pairs - wanted / 750) <= 1 / pairs
