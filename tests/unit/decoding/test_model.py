"""How windows are divided into batches, and how much a text repeats itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from audiogrid.decoding.whisper.model import compression_ratio, even_size


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


def test_the_compression_ratio_of_plain_speech_is_alike_in_all_scripts() -> None:
    english = "The old captain repaired the wooden bridge on a cold morning without saying a word."
    russian = "Старый капитан починил деревянный мост холодным утром, не сказав никому ни слова."
    hindi = "बूढ़े कप्तान ने ठंडी सुबह बिना कुछ कहे लकड़ी के पुराने पुल की मरम्मत की और चला गया।"
    found = [compression_ratio(text) for text in (english, russian, hindi)]
    assert max(found) - min(found) < 0.3, found


def test_a_loop_compresses_in_every_script() -> None:
    for text in ("and then ", "и потом ", "और फिर ", "谢谢观看"):
        assert compression_ratio(text * 12) > 2.4, text
