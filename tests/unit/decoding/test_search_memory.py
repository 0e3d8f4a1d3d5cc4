"""How many windows are searched at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from audiogrid.decoding.whisper.search_memory import windows_at_once

BASE, SMALL = (1, 1500, 512), (1, 1500, 768)


def test_the_fast_pass_takes_whole_batches_with_every_model() -> None:
    assert windows_at_once(8, BASE, 650, 1, 0) == 8
    assert windows_at_once(8, SMALL, 0, 1, 0) == 8


def test_beams_context_and_frames_take_room() -> None:
    assert windows_at_once(8, BASE, 0, 5, 208) == 2
    assert windows_at_once(8, BASE, 650, 5, 0) == 4
    assert windows_at_once(8, BASE, 0, 5, 208) < windows_at_once(8, BASE, 0, 5, 64) < windows_at_once(8, BASE, 0, 1, 64)


def test_short_windows_take_less() -> None:
    assert windows_at_once(8, (1, 400, 512), 173, 5, 0) == 8


@given(st.integers(1, 64), st.integers(2, 1500), st.integers(1, 20), st.integers(0, 223))
def test_never_none_and_never_more_than_a_batch(batch: int, frames: int, beams: int, context: int) -> None:
    assert 1 <= windows_at_once(batch, (1, frames, 512), 0, beams, context) <= batch
