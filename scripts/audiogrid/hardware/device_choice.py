"""Chooses the device of a job: which GPUs, or the CPU, and why.

The choice is made once per job and host, by a test: every GPU that the job may use must decode a known clip, in a
process of its own. That a library loads, or that the driver lists a GPU, proves nothing.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiogrid.core.errors import InputError, RetryableError
from audiogrid.decoding.whisper.cuda_driver import DriverError, Gpu
from audiogrid.decoding.whisper.cuda_libraries import MissingLibraryError
from audiogrid.decoding.whisper.device_access import device_access
from audiogrid.hardware.isolated_call import call_isolated
from audiogrid.hardware.known_clip import MIN_WORDS, ClipResult, likeness, try_clip
from audiogrid.hardware.node_share import gpus_of_node, list_visible

SEARCH_SECONDS = 120.0
CLIP_SECONDS = 300.0
NO_DRIVER = "there is no NVIDIA driver here"


@dataclass(frozen=True)
class GpuSearch:
    """The GPUs that CUDA sees here. ``cause``: why none can be used, and what to do about it if that is known."""

    gpus: tuple[str, ...] = ()
    """UUIDs of GPUs, or of slices of them."""
    cause: str = ""
    is_setup: bool = False
    """Whether the installation is at fault, so that another try, later or on another node, is useless."""


def is_worth_telling(cause: str) -> bool:
    """Returns whether to tell why no GPU is used: not on a machine without an NVIDIA driver."""
    return bool(cause) and cause != NO_DRIVER


def _find_gpus() -> dict[str, Any]:
    """Returns the GPUs, or the error. Runs in a child process: the driver keeps memory of a process that used it."""
    try:
        gpus = device_access().gpus()
        if gpus:
            device_access().load_cuda_libraries()
        return {"gpus": gpus}
    except (DriverError, MissingLibraryError) as error:
        return {"error": str(error), "is_setup": isinstance(error, MissingLibraryError)}


def find_gpus(environment: Mapping[str, str] = os.environ) -> GpuSearch:
    """Returns the GPUs that this process may use, or why there are none.

    CUDA itself shows a process one slice of a divided GPU (MIG) at most, so those are read from nvidia-smi.
    """
    if not device_access().has_driver():
        return GpuSearch((), NO_DRIVER + (", though an NVIDIA card is in this machine" if _has_card() else ""), True)
    answer = call_isolated(_find_gpus, (), SEARCH_SECONDS)
    if "error" in answer:
        return GpuSearch((), answer["error"], answer.get("is_setup", False))
    gpus: list[Gpu] = answer["gpus"]
    if gpus:
        slices = list_visible(environment, gpus_of_node()) if device_access().has_nvidia_smi else []
        divided = any(uuid.startswith("MIG-") for uuid in slices)
        return GpuSearch(tuple(slices if divided else (gpu.uuid for gpu in gpus)))
    allowed = environment.get("CUDA_VISIBLE_DEVICES")
    told = f"CUDA_VISIBLE_DEVICES={allowed!r} leaves none" if allowed is not None else "the driver knows none"
    return GpuSearch((), f"no GPU may be used here ({told}; on a cluster, was one asked for?)")


def _has_card(devices: Path = Path("/sys/bus/pci/devices")) -> bool:
    """Returns whether the machine has a display or compute card of NVIDIA."""
    for device in devices.glob("*"):
        try:
            vendor, kind = (device / "vendor").read_text().strip(), (device / "class").read_text().strip()
        except OSError:
            continue
        if vendor == "0x10de" and kind.startswith("0x03"):
            return True
    return False


@dataclass(frozen=True)
class DeviceChoice:
    """``device``: ``cpu`` or ``cuda``. ``gpus``: UUIDs, one worker process each. ``why``: the reason, in one line.

    ``warnings``: sentences to print; the job goes on.
    """

    device: str
    gpus: tuple[str, ...] = ()
    why: str = ""
    warnings: tuple[str, ...] = ()


TryClip = Callable[[str], ClipResult]


def choose_device(
    asked: str,
    model_dir: Path,
    compute_type: str = "auto",
    threads: int = 1,
    gpus: Sequence[str] | None = None,
    find_gpus: Callable[[], GpuSearch] = find_gpus,
    attempt: TryClip | None = None,
) -> DeviceChoice:
    """Returns the device to decode on. ``asked``: ``auto``, ``cuda`` or ``cpu``; ``gpus``: this rank's, if any.

    ``auto`` takes the GPUs that decode the clip, or else the CPU, with the reason. ``cuda`` takes GPUs or raises:
    ``InputError`` if the installation is at fault, ``RetryableError`` if another node may have a GPU that works.
    """
    if asked == "cpu":
        return DeviceChoice("cpu", (), "the CPU was asked for")
    if gpus is not None and not gpus:
        return _without_gpu(asked, "no GPU of this node is left for this rank", False)
    found = find_gpus()
    if found.cause:
        return _without_gpu(asked, found.cause, found.is_setup)
    wanted = list(found.gpus if gpus is None else gpus)
    attempt = attempt or (lambda gpu: try_clip(model_dir, "cuda", compute_type, threads, CLIP_SECONDS, gpu))
    # All GPUs at the same time, because a large model takes a while to load.
    with ThreadPoolExecutor(max(1, len(wanted))) as pool:
        results = dict(zip(wanted, pool.map(attempt, wanted), strict=True))
    causes = {
        gpu: cause
        for gpu, result in results.items()
        if (cause := clip_problem(result, model_dir, compute_type, threads))
    }
    good = [gpu for gpu in wanted if gpu not in causes]
    complaints = tuple(f"{gpu} cannot be used: {cause}" for gpu, cause in causes.items())
    if not good:
        setup = all(cause.startswith(("InputError", "MissingLibraryError")) for cause in causes.values())
        return _without_gpu(asked, "; ".join(complaints), setup)
    result = results[good[0]]
    why = f"{len(good)} GPU(s) read the known clip, as {result.compute_type}: " + ", ".join(
        results[gpu].gpu or gpu for gpu in good
    )
    return DeviceChoice("cuda", tuple(good), why, complaints)


def _without_gpu(asked: str, cause: str, is_setup: bool) -> DeviceChoice:
    host = platform.node()
    if asked == "cuda":
        kind = InputError if is_setup else RetryableError
        raise kind(
            f"device: cuda was asked for, but {host} cannot decode on a GPU: {cause}. Correct that (`audiogrid doctor` "
            "tells more), or set device: auto or cpu"
        )
    why = f"no GPU is used on {host}: {cause}"
    return DeviceChoice("cpu", (), why, (f"decoding on the CPU: {why}",) if is_worth_telling(cause) else ())


def clip_problem(result: ClipResult, model_dir: Path, compute_type: str, threads: int = 1) -> str:
    """Returns what is wrong with a GPU that decoded the clip as ``result``; empty if nothing is."""
    if result.error or result.is_right:
        return result.error
    words = len(result.text.split())
    if words < MIN_WORDS:
        return f"of a clip full of speech it reads {result.text!r}: driver and libraries do not fit together"
    # A model for another language writes other words; on the CPU it must write the same.
    other = try_clip(model_dir, "cpu", "auto", threads, CLIP_SECONDS)
    if not other.error and likeness(result.text, other.text) >= 0.75:
        return ""
    return f"it reads the known clip wrongly: {result.text[:80]!r}"
