"""Compute types, batch sizes and what is kept of them."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from audiogrid.core.errors import InputError
from audiogrid.decoding.whisper.batch_size_cache import cache_folder, read_batch_size, write_batch_size
from audiogrid.decoding.whisper.compute_type import (
    batch_that_fits,
    check_type,
    choose_type,
    ranked_types,
    smaller_types,
)
from audiogrid.decoding.whisper.cuda_driver import Gpu
from audiogrid.decoding.whisper.device_errors import (
    OutOfMemoryError,
    is_device_failure,
    is_left_over,
    is_out_of_memory,
)
from audiogrid.decoding.whisper.fault_injection import Simulation
from audiogrid.decoding.whisper.loading import as_array
from audiogrid.decoding.whisper.weights import ModelSize, model_size

GB = 1_000_000_000
LARGE = ModelSize(1280, 32, 1_543_000_000)
BASE = ModelSize(512, 6, 72_600_000)
AMPERE, TURING, PASCAL = (Simulation.compute_types(capability) for capability in ((8, 0), (7, 5), (6, 1)))
CPU = {"float32", "int8", "int8_float32"}
GPU = Gpu("GPU-a", "Tesla T4", (7, 5), 16 * GB, 10 * GB)


def test_the_size_of_a_model_is_read_from_its_weights(base_model: Path):
    found = model_size(base_model)
    assert (found.width, found.layers) == (512, 6)
    # 74 million, of which those of the position tables are computed, not stored.
    assert 70_000_000 < found.parameters < 75_000_000


@pytest.mark.parametrize("data", [b"", b"\x06\0\0\0\xff", struct.pack("<IH4s2I", 6, 4, b"abc\0", 1, 0), b"text" * 90])
def test_weights_of_something_else_are_an_error_that_names_the_file(tmp_path: Path, data: bytes):
    (tmp_path / "model.bin").write_bytes(data)
    with pytest.raises(InputError, match=r"model\.bin"):
        model_size(tmp_path)


def test_a_window_of_large_takes_a_third_of_a_gigabyte():
    assert 0.25 * GB < LARGE.window_bytes("float16") < 0.4 * GB
    assert LARGE.window_bytes("float32") == 2 * LARGE.window_bytes("int8_float16")
    assert BASE.window_bytes("float16") < LARGE.window_bytes("float16") / 10


@pytest.mark.parametrize(
    ("supported", "size", "free", "chosen"),
    [
        (AMPERE, LARGE, 38 * GB, "float16"),
        (TURING, LARGE, 14 * GB, "float16"),
        # 6 GB hold the weights as float16, but no batch worth the name.
        (TURING, LARGE, 6 * GB, "int8_float16"),
        (PASCAL, LARGE, 10 * GB, "int8_float32"),
        (PASCAL, BASE, 4 * GB, "int8_float32"),
        (AMPERE, LARGE, 1 * GB, "int8_float16"),
        (AMPERE, BASE, None, "float16"),
    ],
)
def test_auto_is_what_the_gpu_can_and_has_room_for(supported, size, free, chosen):
    assert choose_type("cuda", supported, size, free) == chosen


def test_auto_on_a_cpu_stays_int8():
    assert choose_type("cpu", CPU, LARGE, None) == "int8" == ranked_types("cpu", CPU)[0]
    assert choose_type("cpu", {"float32"}, BASE, None) == "float32"


def test_the_batch_follows_free_memory_up_to_the_knee():
    sizes = [batch_that_fits(LARGE, "float16", free * GB) for free in (2, 5, 8, 16, 80)]
    assert sizes == sorted(sizes) and sizes[0] == 0 and sizes[-1] == 64
    assert 1 <= sizes[1] <= 2 and 30 <= sizes[3] <= 40


def test_smaller_types_are_smaller_and_end():
    assert smaller_types("cuda", AMPERE, "float16", LARGE)[0] == "int8_float16"
    assert smaller_types("cuda", AMPERE, "int8_float16", LARGE) == []
    assert smaller_types("cpu", CPU, "float32", BASE) == ["int8", "int8_float32"]
    assert smaller_types("cpu", CPU, "int8_float32", BASE) == []


def test_a_type_that_the_device_lacks_is_an_error_that_lists_what_it_has():
    check_type("auto", "cpu", CPU, Path("m"))
    check_type("float32", "cpu", CPU, Path("m"))
    with pytest.raises(InputError, match=r"compute_type: float16 .*float32, int8, int8_float32; choose"):
        check_type("float16", "cpu", CPU, Path("m"))


def test_bfloat16_crosses_into_numpy_without_a_loss():
    import ctranslate2

    values = np.array([[1.5, -2.0, 1e-30, 3e38]], np.float32)
    view = ctranslate2.StorageView.from_array(values).to(ctranslate2.DataType.bfloat16)
    found = as_array(view)
    assert found.dtype == np.float32
    again = ctranslate2.StorageView.from_array(found).to(ctranslate2.DataType.bfloat16)
    assert np.array_equal(as_array(again), found)
    assert as_array(ctranslate2.StorageView.from_array(values[:, :2].astype(np.float16))).dtype == np.float16


def test_failures_are_told_apart_by_what_ctranslate2_says():
    full = (
        RuntimeError("CUDA failed with error out of memory"),
        MemoryError("std::bad_alloc"),
        RuntimeError("cuBLAS failed with status CUBLAS_STATUS_ALLOC_FAILED"),
    )
    assert all(is_out_of_memory(error) for error in full)
    gone = (
        RuntimeError("CUDA failed with error no CUDA-capable device is detected"),
        RuntimeError("CUDA failed with error uncorrectable ECC error encountered"),
        RuntimeError("cuBLAS failed with status CUBLAS_STATUS_EXECUTION_FAILED"),
        OutOfMemoryError("the GPU has no memory left"),
    )
    assert all(is_device_failure(error) for error in gone)
    assert not any(is_out_of_memory(error) or is_left_over(error) for error in gone[:3])
    left_over = RuntimeError("parallel_for failed: cudaErrorInvalidDevice: invalid device ordinal")
    assert is_left_over(left_over) and not is_out_of_memory(left_over)
    assert not any(is_left_over(error) for error in full)
    for other in (RuntimeError("fault on request"), ValueError("out of memory"), KeyError("cuda")):
        assert not is_out_of_memory(other) and not is_device_failure(other)


def test_a_batch_size_is_kept_per_gpu_model_and_type(tmp_path: Path):
    assert read_batch_size(GPU, LARGE, "float16", tmp_path) is None
    write_batch_size(GPU, LARGE, "float16", 12, tmp_path)
    write_batch_size(GPU, LARGE, "float16", 6, tmp_path)
    assert read_batch_size(GPU, LARGE, "float16", tmp_path) == 6
    assert read_batch_size(GPU, BASE, "float16", tmp_path) is None
    assert read_batch_size(GPU, LARGE, "int8_float16", tmp_path) is None
    # With far more memory free than then the old value says nothing.
    assert read_batch_size(Gpu("GPU-b", "Tesla T4", (7, 5), 16 * GB, 15 * GB), LARGE, "float16", tmp_path) is None
    (file,) = tmp_path.iterdir()
    assert json.loads(file.read_text())["gpu"] == "Tesla T4"
    for damaged in ("", "[]", '{"batch_size": "x"}', '{"batch_size": 0, "free": 99999999999}'):
        file.write_text(damaged)
        assert read_batch_size(GPU, LARGE, "float16", tmp_path) is None


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path):
    (tmp_path / "file").touch()
    write_batch_size(GPU, LARGE, "float16", 6, tmp_path / "file" / "below")
    assert read_batch_size(GPU, LARGE, "float16", tmp_path / "file" / "below") is None
    assert cache_folder({"XDG_CACHE_HOME": "/cache"}) == Path("/cache/audiogrid/batch-sizes")
    assert cache_folder({}).is_relative_to(Path.home())
