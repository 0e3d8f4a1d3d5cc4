"""GPUs on request, so that tests can show on any machine what a GPU that is full, lost or wrong costs.

The file that ``AUDIOGRID_FAULTS`` names may hold, beside faults of chunks (``faults.py``):

``"gpus"``: ``{"cuda": [12, 4], "devices": [{"uuid": "GPU-a", "name": …, "capability": [8, 0], "free": …}]}``. These
are then the GPUs of the machine. What is decoded "on" one is decoded on the CPU, for real, whatever the compute type
as int8.

``"strains"``: a list of ``{"do": what}``, done where CTranslate2 is called, and meant for calls that fit all of
``at`` (load, encode, languages, generate, align), ``device``, ``gpu`` (a UUID), ``compute_type``, ``above`` (more
windows than that); ``times`` as in ``faults.py``. What: ``out_of_memory``, ``bad_alloc``, ``lost`` (CUDA's error
for a GPU that is gone), ``ecc``, ``abort``, ``hang``, or, ``at`` listen, ``mute`` (no text ever comes out).

Used by nothing but tests; without the variable nothing happens.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audiogrid.decoding.faults import VARIABLE, is_due

# CTranslate2's own words.
OUT_OF_MEMORY = "CUDA failed with error out of memory"
LOST = "CUDA failed with error no CUDA-capable device is detected"
ECC = "CUDA failed with error uncorrectable ECC error encountered"


@dataclass(frozen=True)
class SimulatedGpu:
    """One of the machine's GPUs, as the fault file describes it."""

    uuid: str
    name: str = "Simulated GPU"
    capability: tuple[int, int] = (8, 0)
    total: int = 16_000_000_000
    free: int = 15_000_000_000


@dataclass(frozen=True)
class Simulation:
    """All GPUs of the machine. ``cuda``: the version that its driver knows."""

    cuda: tuple[int, int]
    devices: list[SimulatedGpu] = field(default_factory=list)

    def visible(self) -> list[SimulatedGpu]:
        """Those that ``CUDA_VISIBLE_DEVICES`` leaves to this process."""
        wanted = os.environ.get("CUDA_VISIBLE_DEVICES")
        if wanted is None:
            return self.devices
        names = {str(index): one for index, one in enumerate(self.devices)} | {one.uuid: one for one in self.devices}
        found = []
        for entry in wanted.split(","):
            if entry.strip() not in names:
                break
            found.append(names[entry.strip()])
        return found

    @staticmethod
    def compute_types(capability: tuple[int, int]) -> set[str]:
        """What CTranslate2 says that such a GPU supports (its docs, "Quantization")."""
        found = {"float32", "int8", "int8_float32"}
        if capability >= (7, 0):
            found |= {"float16", "int8_float16"}
        if capability >= (8, 0):
            found |= {"bfloat16", "int8_bfloat16"}
        return found


def _document() -> tuple[Path, dict[str, Any]] | None:
    name = os.environ.get(VARIABLE)
    if not name:
        return None
    return Path(name), json.loads(Path(name).read_text())


def simulation() -> Simulation | None:
    """The GPUs that are asked for, if any are."""
    found = _document()
    if found is None or "gpus" not in found[1]:
        return None
    raw = found[1]["gpus"]
    devices = [
        SimulatedGpu(**{**one, "capability": tuple(one.get("capability", (8, 0)))}) for one in raw.get("devices", [])
    ]
    return Simulation(tuple(raw.get("cuda", (12, 4))), devices)


def strain(at: str, device: str, compute_type: str = "", windows: int = 1) -> bool:
    """Do what the fault file asks for a call of CTranslate2; ``True``: let it say nothing."""
    found = _document()
    if found is None:
        return False
    file, document = found
    call = {"at": at, "device": device, "compute_type": compute_type, "gpu": os.environ.get("CUDA_VISIBLE_DEVICES", "")}
    for number, fault in enumerate(document.get("strains", [])):
        meant = all(fault.get(name, value) == value for name, value in call.items())
        if not meant or windows <= fault.get("above", 0):
            continue
        if is_due(file.parent, f"strain-{number}", fault.get("times")) and _do(fault["do"]):
            return True
    return False


def _do(what: str) -> bool:
    match what:
        case "out_of_memory":
            raise RuntimeError(OUT_OF_MEMORY)
        case "bad_alloc":
            raise MemoryError("std::bad_alloc")
        case "lost":
            raise RuntimeError(LOST)
        case "ecc":
            raise RuntimeError(ECC)
        case "abort":
            os.abort()
        case "hang":
            time.sleep(86_400)
        case "mute":
            return True
        case other:
            raise ValueError(f"unknown strain {other!r}")
    return False
