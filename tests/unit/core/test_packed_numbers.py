"""Small numbers as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiogrid.core.packed_numbers import pack, pack_rising, unpack, unpack_rising

NUMBERS = st.lists(st.integers(0, 2**40) | st.integers(0, 40))


@given(NUMBERS)
def test_numbers_come_back(numbers):
    assert unpack(pack(numbers)) == numbers
    rising = sorted(numbers)
    assert unpack_rising(pack_rising(rising)) == rising
    assert unpack_rising(pack_rising(rising, 0), 7) == [number + 7 for number in rising]


def test_small_numbers_are_short():
    assert pack([0, 1, 31]) == "ABf"
    assert pack([32]) == "gB"
    assert len(pack([1023])) == 2


@pytest.mark.parametrize("text", ["!", "g", "Ag", "ä"])
def test_what_is_no_packed_number(text):
    with pytest.raises(ValueError, match="packed number"):
        unpack(text)
