"""Says why no GPU can be used where the reason lies around audiogrid: WSL, a container, the driver.

Everything is read from what the system shows: ``/proc``, ``/dev``, ``/sys`` and the folders of libraries.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from audiogrid.decoding.whisper.cuda_driver import LEAST_DRIVER, LIBRARY

_WSL_LIBRARIES = "usr/lib/wsl/lib"
# Where a Linux driver, or NVIDIA's container toolkit, puts its libraries.
_LIBRARIES = (
    "usr/lib/x86_64-linux-gnu",
    "usr/lib/aarch64-linux-gnu",
    "usr/lib64",
    "usr/lib",
    "usr/local/nvidia/lib64",
    ".singularity.d/libs",
    "run/opengl-driver/lib",
)
_IN_CONTAINER = re.compile(r"docker|containerd|kubepods|libpod|lxc|podman")


@dataclass(frozen=True)
class Reason:
    """Why there is no GPU, and what to do about it; each is a sentence without a final stop.

    ``is_sign``: whether something shows that there should be one. A container on a machine without a GPU looks the same
    as one that was not given it.
    """

    found: str
    advice: str
    is_sign: bool = True

    def __str__(self) -> str:
        return f"{self.found}: {self.advice}"


def why_no_gpu(
    root: Path = Path("/"),
    environment: Mapping[str, str] = os.environ,
    can_open: Callable[[Path], bool] | None = None,
) -> Reason | None:
    """Returns what is missing for a GPU to be used; ``None`` where nothing of this kind is seen.

    ``root``: of the file system that is looked at; ``can_open``: whether a device can be opened to read and write.
    """
    look = _Look(root, environment, can_open or _can_open)
    if look.wsl == 1:
        return Reason("this is WSL 1, which has no GPUs", "in Windows: wsl --set-version DISTRIBUTION 2")
    if look.is_container:
        return look.in_container()
    if look.wsl == 2:
        return look.in_wsl()
    return look.on_linux()


def _can_open(device: Path) -> bool:
    try:
        os.close(os.open(device, os.O_RDWR))
    except OSError:
        return False
    return True


@dataclass(frozen=True)
class _Look:
    root: Path
    environment: Mapping[str, str]
    can_open: Callable[[Path], bool]

    def _text(self, name: str) -> str:
        try:
            return (self.root / name).read_text(errors="replace")
        except OSError:
            return ""

    @property
    def wsl(self) -> int:
        """Version of WSL; 0 elsewhere."""
        release = self._text("proc/sys/kernel/osrelease") or self._text("proc/version")
        if "microsoft" not in release.lower():
            return 0
        return 2 if "WSL2" in release or "microsoft-standard" in release else 1

    @property
    def is_container(self) -> bool:
        """Whether this is a container of Docker, Podman, Kubernetes, LXC or Apptainer."""
        marks = (".dockerenv", "run/.containerenv", ".singularity.d")
        return (
            any((self.root / mark).exists() for mark in marks)
            or "AUDIOGRID_CONTAINER" in self.environment
            or _IN_CONTAINER.search(self._text("proc/1/cgroup")) is not None
        )

    @property
    def devices(self) -> list[Path]:
        """Devices of NVIDIA GPUs; on WSL the one that stands for all."""
        numbered = [path for path in (self.root / "dev").glob("nvidia[0-9]*") if path.name[6:].isdigit()]
        return sorted(numbered) or [path for path in [self.root / "dev/dxg"] if path.exists()]

    @property
    def driver(self) -> str:
        """Version of the kernel's driver; empty where it is not loaded."""
        found = re.search(r"Kernel Module.*?\s(\d+\.\d+(?:\.\d+)?)\s", self._text("proc/driver/nvidia/version"))
        return found[1] if found else ""

    @property
    def has_card(self) -> bool:
        """Whether a display or compute card of NVIDIA is on the bus."""
        for device in (self.root / "sys/bus/pci/devices").glob("*"):
            vendor, kind = (
                self._text(f"{device.relative_to(self.root)}/{name}").strip() for name in ("vendor", "class")
            )
            if vendor == "0x10de" and kind.startswith("0x03"):
                return True
        return False

    def _has_library(self, *folders: str) -> bool:
        return any((self.root / folder / LIBRARY).exists() for folder in folders)

    def _common(self) -> Reason | None:
        """Reasons that are the same everywhere, once there is a device."""
        if self.driver and _number(self.driver) < _number(LEAST_DRIVER):
            return Reason(
                f"the driver {self.driver} is too old for CUDA 12", f"install {LEAST_DRIVER} or newer on the host"
            )
        if closed := [path.name for path in self.devices if not self.can_open(path)]:
            return Reason(
                f"{', '.join(closed)} is there and cannot be opened",
                "let this user read and write /dev/nvidia* (group video or render; with Podman also "
                "--security-opt=label=disable), or ask for the GPU at the scheduler",
            )
        return None

    def in_container(self) -> Reason | None:
        """Returns the reason in a container."""
        if not self.devices:
            if self.driver:
                known = f"the host has NVIDIA's driver {self.driver}, but this container was given no GPU"
            elif self.wsl:
                known = "this container runs under WSL2 (Docker Desktop) and was given no GPU"
            else:
                known = "this container was given no GPU, and the host shows no NVIDIA driver"
            return Reason(
                known,
                "start it with --gpus all, or docker compose up serve-gpu; where that is refused, install NVIDIA's "
                "driver and nvidia-container-toolkit on the host (docs/containers.md)",
                is_sign=bool(self.driver or self.wsl),
            )
        if not self._has_library(*_LIBRARIES, _WSL_LIBRARIES):
            return Reason(
                f"the GPU's device is in this container, but not its library {LIBRARY}",
                "install nvidia-container-toolkit on the host, run nvidia-ctk runtime configure, restart Docker, and "
                "set NVIDIA_DRIVER_CAPABILITIES=compute,utility",
            )
        return self._common()

    def in_wsl(self) -> Reason | None:
        """Returns the reason under WSL2."""
        if not (self.root / "dev/dxg").exists():
            return Reason(
                "WSL2 shows no GPU: /dev/dxg is missing",
                "in Windows: wsl --update, wsl --shutdown, and NVIDIA's current driver for Windows",
            )
        if not self._has_library(_WSL_LIBRARIES):
            return Reason(
                f"Windows gives WSL2 no CUDA: /{_WSL_LIBRARIES}/{LIBRARY} is missing",
                "install NVIDIA's current driver in Windows (none in Linux), then wsl --shutdown",
            )
        if self._has_library(*_LIBRARIES):
            return Reason(
                "a Linux driver inside WSL2 hides that of Windows",
                "remove it: apt-get purge 'nvidia-*' 'libnvidia-*', then wsl --shutdown",
            )
        return self._common()

    def on_linux(self) -> Reason | None:
        """Returns the reason on a plain Linux."""
        if not self.driver and not self.devices:
            if not self.has_card:
                return None
            return Reason(
                "an NVIDIA card is in this machine, and its driver is not loaded",
                f"install NVIDIA's driver {LEAST_DRIVER} or newer and restart (modprobe nvidia)",
            )
        if not self._has_library(*_LIBRARIES):
            return Reason(
                f"NVIDIA's kernel driver is loaded, and its library {LIBRARY} is missing",
                f"install the package with the driver's libraries of version {self.driver or 'that is loaded'}",
            )
        return self._common()


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
