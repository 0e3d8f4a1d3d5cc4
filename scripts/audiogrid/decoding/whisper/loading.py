"""Where CTranslate2 gets a model from, and NumPy gets CTranslate2's numbers from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from audiogrid.core.errors import InputError
from audiogrid.decoding.whisper.cuda_libraries import preload
from audiogrid.decoding.whisper.device_errors import OutOfMemoryError, is_out_of_memory
from audiogrid.decoding.whisper.instruction_set import choose_instructions
from audiogrid.decoding.whisper.simulated_gpus import simulation, strain

_FILES = ("model.bin", "config.json", "tokenizer.json")


def load(folder: Path, device: str, compute_type: str, threads: int) -> Any:
    """faster-whisper's model. Raises ``InputError`` for one that cannot be, ``OutOfMemoryError``."""
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if missing:
        raise InputError(f"{folder} holds no complete model: {', '.join(missing)} is missing; stage the model again")
    os.environ["HF_HUB_OFFLINE"] = "1"
    simulated = simulation() if device == "cuda" else None
    if device == "cuda" and not simulated:
        preload()
    choose_instructions()
    from faster_whisper import WhisperModel

    try:
        strain("load", device, compute_type)
        return WhisperModel(
            str(folder),
            device="cpu" if simulated else device,
            compute_type="int8" if simulated else compute_type,
            cpu_threads=threads,
            local_files_only=True,
        )
    except ValueError as error:
        raise InputError(f"the model in {folder} cannot be loaded on {device} as {compute_type}: {error}") from error
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemoryError(str(error) or type(error).__name__) from None


def as_array(view: Any) -> np.ndarray:
    """A ``StorageView`` in main memory as an array; NumPy has no bfloat16, float32 holds all its values."""
    import ctranslate2

    if view.dtype == ctranslate2.DataType.bfloat16:
        view = view.to(ctranslate2.DataType.float32)
    return np.array(view)
