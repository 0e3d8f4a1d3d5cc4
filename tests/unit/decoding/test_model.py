"""How windows are divided into batches, and how much a text repeats itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiogrid.decoding.whisper import loading
from audiogrid.decoding.whisper.model import Model, compression_ratio, even_size

FULL = "CUDA failed with error out of memory"
LEFT_OVER = "parallel_for failed: cudaErrorInvalidDevice: invalid device ordinal"


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


def _model_of(batch_size: int) -> Model:
    """A model that is good for dividing windows only: none is loaded."""
    model = Model.__new__(Model)
    model.batch_size, model.adapted = batch_size, []
    return model


def test_what_an_out_of_memory_call_leaves_behind_costs_no_further_half() -> None:
    """The errors of an H100 with 0.9 GB free, in their order."""
    errors, asked = [FULL, LEFT_OVER, FULL, LEFT_OVER], []

    def call(first: int, last: int) -> list[int]:
        asked.append(last - first)
        if errors:
            raise RuntimeError(errors.pop(0))
        return list(range(first, last))

    model = _model_of(8)
    assert model._in_batches(8, call, 8) == list(range(8))
    assert asked == [8, 4, 4, 2, 2, 2, 2, 2]
    assert model.batch_size == 2
    assert [FULL in sentence for sentence in model.adapted] == [True, True]


def test_a_call_that_fails_twice_with_what_looks_left_behind_is_an_error() -> None:
    asked = []

    def call(first: int, last: int) -> list[int]:
        asked.append(first)
        raise RuntimeError(LEFT_OVER)

    with pytest.raises(RuntimeError, match="invalid device ordinal"):
        _model_of(8)._in_batches(8, call, 8)
    assert len(asked) == 2


@pytest.mark.parametrize("failures", [1, 2])
def test_a_model_is_loaded_again_where_the_one_before_it_left_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    class Devices:
        loads = 0

        def load_cuda_libraries(self) -> None: ...

        def load_whisper(self, *_: object) -> str:
            self.loads += 1
            if self.loads <= failures:
                raise RuntimeError(LEFT_OVER)
            return "a model"

    for name in ("model.bin", "config.json", "tokenizer.json"):
        (tmp_path / name).touch()
    monkeypatch.setattr(loading, "device_access", Devices)
    if failures == 1:
        assert loading.load_model(tmp_path, "cuda", "float16", 1) == "a model"
    else:
        with pytest.raises(RuntimeError, match="invalid device ordinal"):
            loading.load_model(tmp_path, "cuda", "float16", 1)
