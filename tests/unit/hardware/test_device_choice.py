"""Which device a job takes, and what it says of those that it does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from audiogrid.core.errors import InputError, RetryableError
from audiogrid.decoding.whisper.devices import Devices
from audiogrid.hardware import device_choice as devices
from audiogrid.hardware.device_choice import NO_DRIVER, DeviceChoice, GpuSearch, choose_device
from audiogrid.hardware.known_clip import ClipResult

MODEL = Path("models/base")
WORDS = "the morning was cold and clear and the river lay still between its banks"
GOOD = ClipResult(WORDS, 0.95, 1.0, 1.0, "cuda", "float16", "Tesla T4 (GPU-a, 15.0 of 16.0 GB free)")


def decided(
    asked: str, search: GpuSearch, results: dict[str, ClipResult], gpus: list[str] | None = None
) -> DeviceChoice:
    return choose_device(asked, MODEL, gpus=gpus, find_gpus=lambda: search, attempt=results.__getitem__)


def never() -> GpuSearch:
    raise AssertionError("no GPU should be searched for")


def test_the_cpu_is_taken_without_a_look():
    assert choose_device("cpu", MODEL, find_gpus=never).device == "cpu"


def test_gpus_that_read_the_clip_are_taken_by_auto_and_by_cuda():
    search = GpuSearch(("GPU-a", "GPU-b"))
    for asked in ("auto", "cuda"):
        choice = decided(asked, search, {"GPU-a": GOOD, "GPU-b": GOOD})
        assert (choice.device, choice.gpus, choice.warnings) == ("cuda", ("GPU-a", "GPU-b"), ())
        assert "Tesla T4" in choice.why and "float16" in choice.why


def test_a_broken_gpu_among_good_ones_is_left_out_and_named():
    bad = ClipResult(error="the process died of SIGABRT")
    choice = decided("cuda", GpuSearch(("GPU-a", "GPU-b")), {"GPU-a": bad, "GPU-b": GOOD})
    assert choice.gpus == ("GPU-b",)
    assert choice.warnings == ("GPU-a cannot be used: the process died of SIGABRT",)


@pytest.mark.parametrize(
    ("search", "result", "cause"),
    [
        (GpuSearch((), "the NVIDIA driver is too old for the libraries: it knows CUDA 11.4"), None, "CUDA 11.4"),
        (GpuSearch((), "libcublas.so.12 is not installed; run pip", True), None, "libcublas.so.12"),
        (GpuSearch(("GPU-a",)), ClipResult(error="the process died of SIGABRT"), "SIGABRT"),
        (GpuSearch(("GPU-a",)), ClipResult(error="no answer in 300 s"), "no answer"),
        (GpuSearch(("GPU-a",)), ClipResult(error="OutOfMemoryError: it has no memory left"), "no memory left"),
        (GpuSearch(("GPU-a",)), ClipResult("", 0.0, 1.0, 1.0, "cuda", "float16"), "driver and libraries do not fit"),
    ],
)
def test_auto_falls_back_with_one_line_and_cuda_never(search, result, cause):
    results = {"GPU-a": result} if result else {}
    choice = decided("auto", search, results)
    assert choice.device == "cpu" and choice.gpus == ()
    (warning,) = choice.warnings
    assert cause in warning and "\n" not in warning and cause in choice.why
    with pytest.raises((InputError, RetryableError), match="device: cuda was asked for") as raised:
        decided("cuda", search, results)
    assert cause in str(raised.value) and "audiogrid doctor" in str(raised.value)
    # What is wrong with the installation is wrong everywhere, a node may be wrong alone.
    assert isinstance(raised.value, InputError) == search.is_setup


def test_a_machine_without_a_driver_is_nothing_to_warn_of():
    choice = decided("auto", GpuSearch((), NO_DRIVER, True), {})
    assert choice.device == "cpu" and choice.warnings == () and NO_DRIVER in choice.why


def test_a_rank_keeps_to_its_share():
    search = GpuSearch(("GPU-a", "GPU-b", "GPU-c"))
    assert decided("auto", search, {"GPU-b": GOOD}, ["GPU-b"]).gpus == ("GPU-b",)
    assert choose_device("auto", MODEL, gpus=[], find_gpus=never).device == "cpu"


def test_a_wrong_text_counts_only_if_the_cpu_reads_something_else(monkeypatch):
    strange = ClipResult(
        "ein kalter klarer Morgen und der Fluss lag still zwischen seinen Ufern", 0.1, 1.0, 1.0, "cuda", "float16"
    )
    for on_cpu, device in ((strange, "cuda"), (GOOD, "cpu")):
        monkeypatch.setattr(devices, "try_clip", lambda *arguments, found=on_cpu: found)
        assert decided("auto", GpuSearch(("GPU-a",)), {"GPU-a": strange}).device == device


def test_looking_happens_elsewhere_and_tells_gpus_or_the_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def machine(cuda: list[int], visible: str | None) -> GpuSearch:
        file = tmp_path / "faults.json"
        found = [{"uuid": "GPU-a"}, {"uuid": "GPU-b"}]
        file.write_text(json.dumps({"gpus": {"cuda": cuda, "devices": found}}))
        monkeypatch.setenv("AUDIOGRID_FAULTS", str(file))
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if visible is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        return devices.find_gpus()

    assert machine([12, 4], "1").gpus == ("GPU-b",)
    assert "CUDA_VISIBLE_DEVICES='' leaves none" in machine([12, 4], "").cause
    assert "CUDA 11.8" in machine([11, 8], None).cause


def test_a_card_without_a_driver_is_mentioned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AUDIOGRID_FAULTS", raising=False)
    monkeypatch.setattr(Devices, "has_driver", lambda self: False)
    assert devices.find_gpus().cause.startswith(NO_DRIVER)
    for name, vendor, kind in (("a", "0x8086", "0x030000"), ("b", "0x10de", "0x040300")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "vendor").write_text(vendor + "\n")
        (tmp_path / name / "class").write_text(kind + "\n")
    assert not devices._has_card(tmp_path)
    (tmp_path / "b" / "class").write_text("0x030200\n")
    assert devices._has_card(tmp_path)
