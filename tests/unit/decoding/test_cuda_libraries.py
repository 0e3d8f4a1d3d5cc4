"""NVIDIA's driver and libraries, as far as they can be shown without either."""

from __future__ import annotations

import ctypes
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from audiogrid.decoding.whisper.cuda_driver import DriverError, Gpu, spell_uuid, visible_gpus
from audiogrid.decoding.whisper.cuda_libraries import LIBRARIES, MissingLibraryError, preload
from places import SCRIPTS


def wheel(site: Path) -> Path:
    folder = site / "nvidia" / "cublas" / "lib"
    folder.mkdir(parents=True)
    return folder


def test_libraries_come_from_the_wheels_each_after_what_it_needs(tmp_path: Path):
    folder = wheel(tmp_path / "site")
    for name in LIBRARIES:
        (folder / name).touch()
    loaded: list[str] = []
    preload([tmp_path / "other", tmp_path / "site"], loaded.append)
    assert loaded == [str(folder / "libcublasLt.so.12"), str(folder / "libcublas.so.12")]


def test_without_wheels_the_system_is_asked_by_name(tmp_path: Path):
    loaded: list[str] = []
    assert preload([tmp_path], loaded.append) == loaded == list(LIBRARIES)


def test_a_missing_library_is_named_with_what_to_install(tmp_path: Path):
    with pytest.raises(MissingLibraryError, match=r"libcublasLt\.so\.12 .* is not installed") as raised:
        preload([tmp_path], names=["libcublasLt.so.12"])
    assert ".[cuda]" in str(raised.value)
    (wheel(tmp_path) / LIBRARIES[0]).write_text("no library")
    with pytest.raises(MissingLibraryError, match="cannot be loaded"):
        preload([tmp_path])


def test_a_real_library_is_in_the_process_afterwards(tmp_path: Path):
    """Any library will do for this: one of ctypes' own, under the name of NVIDIA's."""
    source = next(Path(path).resolve() for path in (sys.modules["_ctypes"].__file__,) if path)
    folder = wheel(tmp_path)
    for name in LIBRARIES:
        shutil.copy(source, folder / name)
    program = (
        "import sys; from pathlib import Path; from audiogrid.decoding.whisper.cuda_libraries import preload;"
        f"preload([Path({str(tmp_path)!r})]); print(Path('/proc/self/maps').read_text())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={"PYTHONPATH": str(SCRIPTS)}
    )
    assert done.returncode == 0, done.stderr
    assert all(str(folder / name) in done.stdout for name in LIBRARIES)


class Driver:
    """Stands in for libcuda: answers through pointers, as the real one does."""

    def __init__(self, version: int = 12040, init: int = 0, names: tuple[str, ...] = ("Tesla T4",)) -> None:
        self._version, self._init, self._names = version, init, names
        self.held = 0

    def cuDriverGetVersion(self, to):  # noqa: N802
        to._obj.value = self._version
        return 0

    def cuInit(self, flags):  # noqa: N802
        assert flags == 0
        return self._init

    def cuGetErrorString(self, code, to):  # noqa: N802
        to._obj.value = b"text of the driver"
        return 0

    def cuDeviceGetCount(self, to):  # noqa: N802
        to._obj.value = len(self._names)
        return 0

    def cuDeviceGet(self, to, index):  # noqa: N802
        to._obj.value = index
        return 0

    def cuDeviceGetName(self, buffer, size, device):  # noqa: N802
        buffer.value = self._names[device].encode()
        return 0

    def cuDeviceGetUuid_v2(self, to, device):  # noqa: N802
        ctypes.memmove(to._obj, bytes(range(15)) + bytes([device]), 16)
        return 0

    def cuDeviceGetAttribute(self, to, attribute, device):  # noqa: N802
        to._obj.value = {75: 7, 76: 5}[attribute]
        return 0

    def cuDevicePrimaryCtxRetain(self, to, device):  # noqa: N802
        self.held += 1
        return 0

    def cuCtxPushCurrent_v2(self, context):  # noqa: N802
        return 0

    def cuCtxPopCurrent_v2(self, to):  # noqa: N802
        return 0

    def cuMemGetInfo_v2(self, free, total):  # noqa: N802
        free._obj.value, total._obj.value = 15_000_000_000, 16_000_000_000
        return 0

    def cuDevicePrimaryCtxRelease_v2(self, device):  # noqa: N802
        self.held -= 1
        return 0


def test_gpus_and_slices_as_the_driver_tells_them():
    driver = Driver(names=("Tesla T4", "NVIDIA A100-SXM4-40GB MIG 1g.5gb"))
    whole, part = visible_gpus(driver)
    assert whole == Gpu("GPU-00010203-0405-0607-0809-0a0b0c0d0e00", "Tesla T4", (7, 5), 16_000_000_000, 15_000_000_000)
    assert part.uuid == "MIG-00010203-0405-0607-0809-0a0b0c0d0e01"
    assert driver.held == 0
    assert str(whole) == f"Tesla T4 ({whole.uuid}, 15.0 of 16.0 GB free)"


@pytest.mark.parametrize(
    ("driver", "cause"),
    [
        (Driver(version=11040), r"too old for the libraries: it knows CUDA 11\.4"),
        (Driver(init=100), "finds no GPU that this process may use"),
        (Driver(init=803), "different versions"),
        (Driver(init=719), r"text of the driver \(cuInit answers 719\)"),
    ],
)
def test_what_is_wrong_with_a_driver_is_said(driver, cause):
    with pytest.raises(DriverError, match=cause):
        visible_gpus(driver)


def test_uuids_are_spelt_as_nvidia_does():
    raw = bytes.fromhex("5d5ba0d6d33d2b2c524d9e3d8d2b8a77")
    assert spell_uuid(raw, is_slice=False) == "GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77"
    assert json.dumps(spell_uuid(raw, is_slice=True)).startswith('"MIG-5d5b')
