"""How much of half a minute the encoder is given for a window."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from audiogrid.decoding.whisper.window_length import FULL_FRAMES, frames_of_window, margin_seconds


def test_only_measured_models_are_given_less_than_half_a_minute_unless_it_is_asked_for() -> None:
    tiny, base, small = 384, 512, 768
    assert margin_seconds(base, -1) < 30
    assert margin_seconds(tiny, -1) == margin_seconds(small, -1) == 30
    assert margin_seconds(small, 6.0) == 6
    # On a GPU windows of one length share batches.
    assert margin_seconds(base, -1, "cuda") == 30
    assert margin_seconds(base, 4.0, "cuda") == 4
    assert margin_seconds(base, 30.0) == 30


@given(st.integers(0, 480_000), st.floats(0, 30))
def test_a_window_fits_with_its_margin_as_far_as_half_a_minute_allows(samples: int, margin: float) -> None:
    frames = frames_of_window(samples, margin)
    assert samples <= frames * 160 <= 480_000
    assert frames == FULL_FRAMES or frames / 100 >= samples / 16_000 + margin - 0.01
    # The encoder halves the frames, and pairs of what it gives are merged.
    assert frames % 4 == 0


def test_a_margin_of_half_a_minute_always_fills_the_window() -> None:
    assert {frames_of_window(samples, 30.0) for samples in (0, 1, 16_000, 480_000)} == {FULL_FRAMES}


def test_lengths_are_few_so_that_windows_share_batches() -> None:
    assert len({frames_of_window(samples, 4.0) for samples in range(0, 480_000, 160)}) <= 8
