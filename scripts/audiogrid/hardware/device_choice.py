"""Where a job decodes: on which GPUs, or on the CPU, and why.

Decided once per job and host, by trying: every GPU that the job may use has to read a known clip, in a process of its
own. A library that loads, or a driver that counts a GPU, proves nothing.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from audiogrid.core.errors import InputError, RetryableError
from audiogrid.decoding.whisper.cuda_driver import DriverError, Gpu
from audiogrid.decoding.whisper.cuda_libraries import MissingLibraryError
from audiogrid.decoding.whisper.device_access import device_access
from audiogrid.hardware.isolated_call import ask
from audiogrid.hardware.known_clip import LEAST_WORDS, ClipResult, likeness, try_clip
from audiogrid.hardware.node_share import gpus_of_node, list_visible

LOOK_SECONDS = 120.0
CLIP_SECONDS = 300.0
NO_DRIVER = "there is no NVIDIA driver here"


@dataclass(frozen=True)
class Sight:
    """What CUDA would see here. ``cause``: why there is nothing that can be used, and the remedy if there is one."""

    gpus: tuple[str, ...] = ()
    """UUIDs of GPUs, or of slices of them."""
    cause: str = ""
    is_setup: bool = False
    """Whether it is the installation that is wrong, so that trying again elsewhere or later is useless."""


def is_notable(cause: str) -> bool:
    """Whether a person should be told why no GPU is used: not on a machine that never had one."""
    return bool(cause) and cause != NO_DRIVER


def _look(link: Connection) -> None:
    """In a child: a driver that was asked for memory keeps some of it until the process ends."""
    try:
        gpus = device_access().gpus()
        if gpus:
            device_access().load_cuda_libraries()
        link.send({"gpus": gpus})
    except (DriverError, MissingLibraryError) as error:
        link.send({"error": str(error), "is_setup": isinstance(error, MissingLibraryError)})


def look(environment: Mapping[str, str] = os.environ) -> Sight:
    """The GPUs that this process may use, or why there are none.

    CUDA itself shows a process one slice of a divided GPU (MIG) at most, so those are read from nvidia-smi.
    """
    if not device_access().has_driver():
        return Sight((), NO_DRIVER + (", though an NVIDIA card is in this machine" if _has_card() else ""), True)
    answer = ask(_look, (), LOOK_SECONDS)
    if "error" in answer:
        return Sight((), answer["error"], answer.get("is_setup", False))
    gpus: list[Gpu] = answer["gpus"]
    if gpus:
        slices = list_visible(environment, gpus_of_node()) if device_access().has_nvidia_smi else []
        divided = any(uuid.startswith("MIG-") for uuid in slices)
        return Sight(tuple(slices if divided else (gpu.uuid for gpu in gpus)))
    allowed = environment.get("CUDA_VISIBLE_DEVICES")
    told = f"CUDA_VISIBLE_DEVICES={allowed!r} leaves none" if allowed is not None else "the driver knows none"
    return Sight((), f"no GPU may be used here ({told}; on a cluster, was one asked for?)")


def _has_card(devices: Path = Path("/sys/bus/pci/devices")) -> bool:
    """Whether a display or compute card of NVIDIA's is on the bus."""
    for device in devices.glob("*"):
        try:
            vendor, kind = (device / "vendor").read_text().strip(), (device / "class").read_text().strip()
        except OSError:
            continue
        if vendor == "0x10de" and kind.startswith("0x03"):
            return True
    return False


@dataclass(frozen=True)
class Decision:
    """``device``: ``cpu`` or ``cuda``. ``gpus``: UUIDs, one worker process each. ``why``: one line for a person.

    ``warnings``: what a person should know though the job goes on.
    """

    device: str
    gpus: tuple[str, ...] = ()
    why: str = ""
    warnings: tuple[str, ...] = ()


Try = Callable[[str], ClipResult]


def decide(
    asked: str,
    model_dir: Path,
    compute_type: str = "auto",
    threads: int = 1,
    gpus: Sequence[str] | None = None,
    look: Callable[[], Sight] = look,
    attempt: Try | None = None,
) -> Decision:
    """Where to decode. ``asked``: ``auto``, ``cuda`` or ``cpu``; ``gpus``: this rank's share of the node's, if any.

    ``auto`` takes the GPUs that read the clip, else the CPU, and says why; ``cuda`` takes GPUs or raises:
    ``InputError`` where the installation has to change, ``RetryableError`` where another node may do.
    """
    if asked == "cpu":
        return Decision("cpu", (), "the CPU was asked for")
    if gpus is not None and not gpus:
        return _none(asked, "no GPU of this node is left for this rank", False)
    sight = look()
    if sight.cause:
        return _none(asked, sight.cause, sight.is_setup)
    wanted = list(sight.gpus if gpus is None else gpus)
    attempt = attempt or (lambda gpu: try_clip(model_dir, "cuda", compute_type, threads, CLIP_SECONDS, gpu))
    # At the same time: a large model takes a while to load, and each is on a GPU of its own.
    with ThreadPoolExecutor(max(1, len(wanted))) as pool:
        results = dict(zip(wanted, pool.map(attempt, wanted), strict=True))
    causes = {
        gpu: cause
        for gpu, result in results.items()
        if (cause := what_is_wrong(result, model_dir, compute_type, threads))
    }
    good = [gpu for gpu in wanted if gpu not in causes]
    complaints = tuple(f"{gpu} cannot be used: {cause}" for gpu, cause in causes.items())
    if not good:
        setup = all(cause.startswith(("InputError", "MissingLibraryError")) for cause in causes.values())
        return _none(asked, "; ".join(complaints), setup)
    result = results[good[0]]
    why = f"{len(good)} GPU(s) read the known clip, as {result.compute_type}: " + ", ".join(
        results[gpu].gpu or gpu for gpu in good
    )
    return Decision("cuda", tuple(good), why, complaints)


def _none(asked: str, cause: str, is_setup: bool) -> Decision:
    host = platform.node()
    if asked == "cuda":
        kind = InputError if is_setup else RetryableError
        raise kind(
            f"device: cuda was asked for, but {host} cannot decode on a GPU: {cause}. Mend that (scripts/doctor.py "
            "says more), or set device: auto or cpu"
        )
    why = f"no GPU is used on {host}: {cause}"
    return Decision("cpu", (), why, (f"decoding on the CPU: {why}",) if is_notable(cause) else ())


def what_is_wrong(result: ClipResult, model_dir: Path, compute_type: str, threads: int = 1) -> str:
    """Why a GPU that answered with ``result`` is not to be trusted; empty if it is."""
    if result.error or result.is_right:
        return result.error
    words = len(result.text.split())
    if words < LEAST_WORDS:
        return f"of a clip full of speech it reads {result.text!r}: driver and libraries do not fit together"
    # A model for another language makes what it can of the clip; on the CPU it has to be the same.
    other = try_clip(model_dir, "cpu", "auto", threads, CLIP_SECONDS)
    if not other.error and likeness(result.text, other.text) >= 0.75:
        return ""
    return f"it reads the known clip wrongly: {result.text[:80]!r}"
