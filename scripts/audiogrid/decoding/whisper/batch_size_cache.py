"""Keeps the batch sizes that fitted into a GPU's memory, from job to job.

One small file per kind of GPU, size of model and compute type under ``$XDG_CACHE_HOME/audiogrid/batch-sizes`` (else
``~/.cache``), so that many writers need no lock: each writes a whole file, and any of them is correct.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audiogrid.core.atomic_files import read_json, write_json
from audiogrid.decoding.whisper.cuda_driver import Gpu
from audiogrid.decoding.whisper.weights import ModelSize

# With so much more memory free than before, the old value is too small: another process was using the GPU then.
_FREED_MEMORY = 1.25


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Returns the folder where batch sizes are kept."""
    base = environment.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path.home() / ".cache") / "audiogrid" / "batch-sizes"


def _subject(gpu: Gpu, size: ModelSize, compute_type: str) -> dict[str, Any]:
    return {
        "gpu": gpu.name,
        "memory": gpu.total,
        "width": size.width,
        "layers": size.layers,
        "parameters": size.parameters,
        "compute_type": compute_type,
    }


def _path(subject: Mapping[str, Any], folder: Path) -> Path:
    digest = hashlib.sha256(repr(sorted(subject.items())).encode()).hexdigest()
    return folder / f"{digest[:16]}.json"


def read_batch_size(gpu: Gpu, size: ModelSize, compute_type: str, folder: Path | None = None) -> int | None:
    """Returns the batch size that fitted last time with as much memory free as now; ``None`` if unknown."""
    subject = _subject(gpu, size, compute_type)
    try:
        known = read_json(_path(subject, folder or cache_folder()))
        batch_size, free = int(known["batch_size"]), int(known["free"])
    except (OSError, ValueError, KeyError, TypeError, RuntimeError):
        return None
    return batch_size if batch_size >= 1 and gpu.free <= free * _FREED_MEMORY else None


def write_batch_size(gpu: Gpu, size: ModelSize, compute_type: str, batch_size: int, folder: Path | None = None) -> None:
    """Keeps ``batch_size`` for the next job. A cache that cannot be written is ignored."""
    subject = _subject(gpu, size, compute_type)
    try:
        path = _path(subject, folder or cache_folder())
        write_json(path, {**subject, "batch_size": batch_size, "free": gpu.free}, indent=1)
    except (OSError, RuntimeError):
        return
