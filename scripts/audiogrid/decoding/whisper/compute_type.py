"""Chooses the compute type of a model on a device, and how many windows it decodes at once."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from audiogrid.core.errors import InputError
from audiogrid.decoding.whisper.device_access import device_access
from audiogrid.decoding.whisper.weights import ModelSize

# More windows at once gain nothing, not even on the largest GPUs.
LARGEST_BATCH = 64
CPU_BATCH = 8
# Beside weights and windows: CUDA's own context, cuBLAS's workspace, the encoder at work.
WORKSPACE_BYTES = 1_000_000_000
# With fewer windows at once a GPU is idle most of the time: a smaller compute type is better then.
ENOUGH_WINDOWS = 8

# Fastest without a loss of accuracy first, then those that take less memory.
_GPU_ORDER = ("float16", "int8_float16", "bfloat16", "int8_bfloat16", "int8_float32", "int8", "float32")
_CPU_ORDER = ("int8", "int8_float32", "float32")


def supported_types(device: str) -> set[str]:
    """Returns the compute types that ``device`` (``cpu`` or ``cuda``) has, as CTranslate2 names them."""
    return device_access().compute_types(device)


def check_type(compute_type: str, device: str, supported: Collection[str], folder: Path) -> None:
    """Raises ``InputError`` when a compute type was asked for by name that the device lacks."""
    if compute_type != "auto" and compute_type not in supported:
        raise InputError(
            f"the model in {folder} cannot be run as compute_type: {compute_type} on this device ({device}), which has "
            f"{', '.join(sorted(supported))}; choose one of them, or auto"
        )


def ranked_types(device: str, supported: Collection[str]) -> list[str]:
    """Returns the compute types that ``auto`` may become, best first."""
    order = _CPU_ORDER if device == "cpu" else _GPU_ORDER
    return [each for each in order if each in supported] or ["float32"]


def batch_that_fits(size: ModelSize, compute_type: str, free: int) -> int:
    """Returns how many windows fit into ``free`` bytes beside the weights.

    From 0 (not even the weights fit) to ``LARGEST_BATCH``.
    """
    room = free - size.weight_bytes(compute_type) - WORKSPACE_BYTES
    return max(0, min(LARGEST_BATCH, room // size.window_bytes(compute_type)))


def choose_type(device: str, supported: Collection[str], size: ModelSize, free: int | None) -> str:
    """Returns what ``auto`` becomes: the best type that leaves room for a batch, else the one that leaves most.

    ``free``: free bytes of the device's memory; ``None``: not limited.
    """
    ranked = ranked_types(device, supported)
    if free is None:
        return ranked[0]
    fits = {each: batch_that_fits(size, each, free) for each in ranked}
    roomy = [each for each in ranked if fits[each] >= ENOUGH_WINDOWS]
    return roomy[0] if roomy else max(ranked, key=lambda each: (fits[each], -_needs(size, each)))


def smaller_types(device: str, supported: Collection[str], present: str, size: ModelSize) -> list[str]:
    """Returns the compute types that take less memory than ``present``, best first."""
    return [each for each in ranked_types(device, supported) if _needs(size, each) < _needs(size, present)]


def _needs(size: ModelSize, compute_type: str) -> int:
    """Returns the bytes needed to decode one window at a time."""
    return size.weight_bytes(compute_type) + size.window_bytes(compute_type)
