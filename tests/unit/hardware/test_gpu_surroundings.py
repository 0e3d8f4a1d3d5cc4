"""Why no GPU can be used, told from simulated trees of /proc, /dev, /sys and libraries."""

from __future__ import annotations

from pathlib import Path

import pytest

from audiogrid.hardware.gpu_surroundings import why_no_gpu

WSL2 = {"proc/sys/kernel/osrelease": "5.15.153.1-microsoft-standard-WSL2\n"}
NEW = {"proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu Feb 22\n"}
OPEN = {"proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  470.57  Release\n"}
CARD = {"sys/bus/pci/devices/0000:01:00.0/vendor": "0x10de\n", "sys/bus/pci/devices/0000:01:00.0/class": "0x030000\n"}
GPU = {"dev/nvidia0": "", "dev/nvidiactl": ""}
DXG = {"dev/dxg": ""}
LIBRARY = {"usr/lib/x86_64-linux-gnu/libcuda.so.1": ""}
WSL_LIBRARY = {"usr/lib/wsl/lib/libcuda.so.1": ""}
DOCKER = {".dockerenv": ""}
LINUX = {"proc/sys/kernel/osrelease": "6.1.0-18-amd64\n"}


@pytest.mark.parametrize(
    ("tree", "found", "advice"),
    [
        ({"proc/sys/kernel/osrelease": "4.4.0-19041-Microsoft\n"}, "WSL 1", "--set-version"),
        (WSL2, "/dev/dxg is missing", "wsl --update"),
        (WSL2 | DXG, "gives WSL2 no CUDA", "driver in Windows"),
        (WSL2 | DXG | WSL_LIBRARY | LIBRARY, "hides that of Windows", "purge"),
        (WSL2 | DXG | WSL_LIBRARY, None, ""),
        (WSL2 | DOCKER, "Docker Desktop", "--gpus all"),
        (WSL2 | DOCKER | DXG, "not its library", "nvidia-container-toolkit"),
        (WSL2 | DOCKER | DXG | WSL_LIBRARY, None, ""),
        (LINUX | DOCKER, "host shows no NVIDIA driver", "--gpus all"),
        (LINUX | DOCKER | NEW, "driver 550.54.14, but this container was given no GPU", "serve-gpu"),
        (LINUX | DOCKER | NEW | GPU, "not its library", "NVIDIA_DRIVER_CAPABILITIES"),
        (LINUX | DOCKER | NEW | GPU | LIBRARY, None, ""),
        (LINUX | {"run/.containerenv": ""} | OPEN | GPU | LIBRARY, "470.57 is too old", "525.60"),
        (LINUX | {"proc/1/cgroup": "0::/kubepods/pod1\n"}, "was given no GPU", "--gpus all"),
        (LINUX, None, ""),
        (LINUX | CARD, "its driver is not loaded", "modprobe"),
        (LINUX | CARD | NEW | GPU, "libcuda.so.1 is missing", "550.54.14"),
        (LINUX | CARD | OPEN | GPU | LIBRARY, "too old", "525.60"),
        (LINUX | CARD | NEW | GPU | LIBRARY, None, ""),
    ],
)
def test_what_the_system_shows_is_explained(
    tmp_path: Path, tree: dict[str, str], found: str | None, advice: str
) -> None:
    for name, text in tree.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    reason = why_no_gpu(tmp_path, {}, lambda _: True)
    if found is None:
        assert reason is None
    else:
        assert reason and found in reason.found and advice in reason.advice
        assert "\n" not in str(reason) and not reason.advice.endswith(".")


def test_a_gpu_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    for name, text in (LINUX | CARD | NEW | GPU | LIBRARY).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    reason = why_no_gpu(tmp_path, {}, lambda _: False)
    assert reason and "nvidia0 is there and cannot be opened" in reason.found and "group video" in reason.advice


def test_the_images_say_that_they_are_containers(tmp_path: Path) -> None:
    reason = why_no_gpu(tmp_path, {"AUDIOGRID_CONTAINER": "1"})
    assert reason and "this container was given no GPU" in reason.found


def test_doctor_tells_the_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from audiogrid.hardware import doctor
    from audiogrid.hardware.device_choice import NO_DRIVER, GpuSearch
    from audiogrid.hardware.gpu_surroundings import Reason

    monkeypatch.setattr(
        doctor, "why_no_gpu", lambda: Reason("this container was given no GPU", "start it with --gpus all")
    )
    verdict = doctor.check_device("auto", GpuSearch((), NO_DRIVER, True))
    assert (verdict.state, verdict.advice) == ("warn", "start it with --gpus all")
    assert "this container was given no GPU" in verdict.found
    assert doctor.check_device("cuda", GpuSearch((), NO_DRIVER, True)).state == "wrong"
    assert doctor.check_device("auto", GpuSearch(("GPU-a",))).state == "ok"
