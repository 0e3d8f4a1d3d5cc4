"""Faults on request, so that tests can show on any machine what a crash, a hang or a full or lost GPU costs.

Production code meets this module at one place, ``device_access``: ``FaultyDevices`` wraps the real devices, the real
model and the real engine. The file that ``AUDIOGRID_FAULTS`` names is a JSON object with any of these entries:

A chunk's id: ``{"do": what, "times": n}`` (without ``times``: always), done when that chunk is decoded: ``raise``,
``abort``, ``segv``, ``kill``, ``hang``, ``exit``, ``pause`` (for ``seconds``) or ``memory`` (of so many ``megabytes``).

``"gpus"``: ``{"cuda": [12, 4], "devices": [{"uuid": "GPU-a", "name": …, "capability": [8, 0], "free": …}]}``. These
are then the GPUs of the machine. What is decoded "on" one is decoded on the CPU, for real, as int8 whatever the
compute type.

``"device_faults"``: a list of ``{"do": what}``, done at calls of CTranslate2 that fit all of ``at`` (``load``,
``encode``, ``languages``, ``generate``, ``align``), ``device``, ``gpu`` (a UUID), ``compute_type`` and ``above`` (more
windows than that at once); ``times`` as above. What: ``out_of_memory``, ``bad_alloc``, ``lost`` (CUDA's error for a
GPU that is gone), ``ecc``, ``abort``, ``hang``, or, with ``at`` ``output``, ``mute`` (a simulated GPU writes no text).
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from audiogrid.decoding.whisper.cuda_driver import Gpu, check_version
from audiogrid.decoding.whisper.devices import AnyEngine, Devices

# CTranslate2's own words.
OUT_OF_MEMORY = "CUDA failed with error out of memory"
LOST = "CUDA failed with error no CUDA-capable device is detected"
ECC = "CUDA failed with error uncorrectable ECC error encountered"


@dataclass(frozen=True)
class Simulation:
    """All GPUs of the machine. ``cuda``: the version that its driver knows."""

    cuda: tuple[int, int]
    gpus: list[Gpu] = field(default_factory=list)

    def visible(self) -> list[Gpu]:
        """Returns those that ``CUDA_VISIBLE_DEVICES`` leaves to this process."""
        wanted = os.environ.get("CUDA_VISIBLE_DEVICES")
        if wanted is None:
            return self.gpus
        names = {str(index): one for index, one in enumerate(self.gpus)} | {one.uuid: one for one in self.gpus}
        found = []
        for entry in wanted.split(","):
            if entry.strip() not in names:
                break
            found.append(names[entry.strip()])
        return found

    @staticmethod
    def compute_types(capability: tuple[int, int]) -> set[str]:
        """Returns what CTranslate2 supports on such a GPU (its docs, "Quantization")."""
        found = {"float32", "int8", "int8_float32"}
        if capability >= (7, 0):
            found |= {"float16", "int8_float16"}
        if capability >= (8, 0):
            found |= {"bfloat16", "int8_bfloat16"}
        return found


class FaultPlan:
    """The fault file. It is read at every call, because tests change it while workers run."""

    def __init__(self, file: str) -> None:
        self._file = Path(file)

    def _entries(self) -> dict[str, Any]:
        entries: dict[str, Any] = json.loads(self._file.read_text())
        return entries

    def simulation(self) -> Simulation | None:
        """Returns the simulated GPUs, if the file has any."""
        raw = self._entries().get("gpus")
        if raw is None:
            return None
        gpus = [
            Gpu(
                one["uuid"],
                one.get("name", "Simulated GPU"),
                tuple(one.get("capability", (8, 0))),
                one.get("total", 16_000_000_000),
                one.get("free", 15_000_000_000),
            )
            for one in raw.get("devices", [])
        ]
        return Simulation(tuple(raw.get("cuda", (12, 4))), gpus)

    def inject_fault(self, at: str, device: str, compute_type: str = "", windows: int = 1) -> bool:
        """Does what the file asks for a call of CTranslate2. Returns whether the model is to write nothing."""
        gpu = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        call = {"at": at, "device": device, "compute_type": compute_type, "gpu": gpu}
        for number, fault in enumerate(self._entries().get("device_faults", [])):
            meant = all(fault.get(name, value) == value for name, value in call.items())
            if not meant or windows <= fault.get("above", 0):
                continue
            if self._is_due(f"device-{number}", fault.get("times")) and _fail_device(fault["do"]):
                return True
        return False

    def inject_chunk_fault(self, chunk: str) -> None:
        """Does to this process what the file asks for ``chunk``."""
        fault = self._entries().get(chunk)
        if fault is not None and self._is_due(chunk, fault.get("times")):
            _fail_process(chunk, fault)

    def _is_due(self, name: str, times: int | None) -> bool:
        """Whether a fault is still to happen; each time it happens leaves a mark beside the file."""
        if times is None:
            return True
        for number in range(times):
            try:
                (self._file.parent / f"{name}.{number}.happened").touch(exist_ok=False)
                return True
            except FileExistsError:
                continue
        return False


class FaultyDevices(Devices):
    """The machine's devices, or simulated GPUs, with the faults of a file."""

    def __init__(self, file: str) -> None:
        self._plan = FaultPlan(file)
        self._simulation = self._plan.simulation()
        self.has_nvidia_smi = self._simulation is None

    def has_driver(self) -> bool:
        """Returns ``True`` with simulated GPUs."""
        return self._simulation is not None or super().has_driver()

    def gpus(self) -> list[Gpu]:
        """Returns the simulated GPUs, if there are any."""
        if self._simulation is None:
            return super().gpus()
        check_version(self._simulation.cuda)
        return self._simulation.visible()

    def load_cuda_libraries(self) -> None:
        """Loads nothing with simulated GPUs."""
        if self._simulation is None:
            super().load_cuda_libraries()

    def compute_types(self, device: str) -> set[str]:
        """Returns the compute types of the simulated GPU."""
        if device == "cuda" and self._simulation is not None:
            return self._simulation.compute_types(self._simulation.visible()[0].capability)
        return super().compute_types(device)

    def load_whisper(self, folder: Path, device: str, compute_type: str, threads: int) -> Any:
        """Returns the real model with its calls wrapped; on the CPU in place of a simulated GPU."""
        self._plan.inject_fault("load", device, compute_type)
        simulated = device == "cuda" and self._simulation is not None
        whisper = super().load_whisper(
            folder, "cpu" if simulated else device, "int8" if simulated else compute_type, threads
        )
        if not simulated:
            device, compute_type = whisper.model.device, whisper.model.compute_type
        mute = simulated and self._plan.inject_fault("output", device, compute_type)
        whisper.model = _FaultyModel(whisper.model, self._plan, device, compute_type, mute)
        return whisper

    def wrap_engine(self, engine: AnyEngine) -> AnyEngine:
        """Returns the engine with faults of chunks."""
        return cast(AnyEngine, _FaultyEngine(engine, self._plan))

    def before_chunk(self, chunk: str) -> None:
        """Does what the file asks for ``chunk``."""
        self._plan.inject_chunk_fault(chunk)


class _FaultyModel:
    """CTranslate2's model, with faults before each call."""

    def __init__(self, model: Any, plan: FaultPlan, device: str, compute_type: str, mute: bool) -> None:
        self._model, self._plan, self._mute = model, plan, mute
        self.device, self.compute_type = device, compute_type

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def _inject(self, at: str, view: Any) -> None:
        self._plan.inject_fault(at, self.device, self.compute_type, view.shape[0])

    def encode(self, features: Any, *arguments: Any, **options: Any) -> Any:
        self._inject("encode", features)
        return self._model.encode(features, *arguments, **options)

    def detect_language(self, encoded: Any) -> Any:
        self._inject("languages", encoded)
        return self._model.detect_language(encoded)

    def generate(self, encoded: Any, *arguments: Any, **options: Any) -> Any:
        self._inject("generate", encoded)
        found = self._model.generate(encoded, *arguments, **options)
        if not self._mute:
            return found
        return [SimpleNamespace(sequences_ids=[[]], scores=[0.0], no_speech_prob=one.no_speech_prob) for one in found]

    def align(self, encoded: Any, *arguments: Any, **options: Any) -> Any:
        self._inject("align", encoded)
        return self._model.align(encoded, *arguments, **options)


class _FaultyEngine:
    """An engine, with faults before chunks are decoded."""

    def __init__(self, engine: Any, plan: FaultPlan) -> None:
        self._engine, self._plan = engine, plan

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def decode(self, chunks: Sequence[Any]) -> Iterable[Any]:
        for chunk in chunks:
            self._plan.inject_chunk_fault(chunk.name)
        return cast(Iterable[Any], self._engine.decode(chunks))


def _fail_device(what: str) -> bool:
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
            raise ValueError(f"unknown device fault {other!r}")
    return False


def _fail_process(chunk: str, fault: dict[str, Any]) -> None:
    match fault["do"]:
        case "raise":
            raise RuntimeError(f"fault on request in chunk {chunk}")
        case "abort":
            os.abort()
        case "segv":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            os._exit(3)
        case "hang":
            time.sleep(86_400)
        case "pause":
            time.sleep(fault["seconds"])
        case "memory":
            # Written to, or the pages would only be promised; then held until the memory limit is enforced.
            held = b"\x01" * (fault["megabytes"] << 20)
            time.sleep(20 if held else 0)
        case other:
            raise ValueError(f"unknown fault {other!r} for chunk {chunk}")
