"""Loads a model into CTranslate2, and converts CTranslate2's arrays to NumPy's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from audiogrid.core.errors import InputError
from audiogrid.decoding.whisper.device_access import device_access
from audiogrid.decoding.whisper.device_errors import OutOfMemoryError, is_left_over, is_out_of_memory
from audiogrid.decoding.whisper.instruction_set import choose_instructions

_FILES = ("model.bin", "config.json", "tokenizer.json")


def load_model(folder: Path, device: str, compute_type: str, threads: int) -> Any:
    """Returns faster-whisper's model. Raises ``InputError`` when it cannot be loaded, or ``OutOfMemoryError``."""
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if missing:
        raise InputError(f"{folder} holds no complete model: {', '.join(missing)} is missing; stage the model again")
    os.environ["HF_HUB_OFFLINE"] = "1"
    devices = device_access()
    if device == "cuda":
        devices.load_cuda_libraries()
    choose_instructions()
    try:
        try:
            return devices.load_whisper(folder, device, compute_type, threads)
        except RuntimeError as error:
            if not is_left_over(error):
                raise
        # Of the model before this one, which ran out of memory.
        return devices.load_whisper(folder, device, compute_type, threads)
    except ValueError as error:
        raise InputError(f"the model in {folder} cannot be loaded on {device} as {compute_type}: {error}") from error
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemoryError(str(error) or type(error).__name__) from None


def as_array(view: Any) -> np.ndarray:
    """Returns a ``StorageView`` in main memory as an array: bfloat16 as float32, because NumPy has no bfloat16."""
    import ctranslate2

    if view.dtype == ctranslate2.DataType.bfloat16:
        view = view.to(ctranslate2.DataType.float32)
    return np.array(view)
