"""How windows are divided into batches."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from audiogrid.decoding.model import even_size


def _sizes(count: int, most: int) -> list[int]:
    sizes = []
    while sum(sizes) < count:
        sizes.append(even_size(count - sum(sizes), most))
    return sizes


def test_ten_windows_are_twice_five() -> None:
    assert _sizes(10, 8) == [5, 5]


@given(st.integers(1, 300), st.integers(1, 64))
def test_as_few_batches_as_possible_of_about_one_size(count: int, most: int) -> None:
    sizes = _sizes(count, most)
    assert sum(sizes) == count
    assert len(sizes) == -(-count // most)
    assert max(sizes) <= most
    assert max(sizes) - min(sizes) <= 1
