"""Whisper checkpoints in Transformers' format, converted to CTranslate2's (`pip install '.[convert]'`)."""

from __future__ import annotations

import json
import os
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from audiogrid.core.errors import InputError
from audiogrid.core.extras import install_command

#: How weights can be stored. Published conversions use float16, which loads as any compute type.
QUANTIZATIONS = ("float16", "float32", "bfloat16", "int8", "int8_float16", "int8_bfloat16", "int8_float32", "int16")
DEFAULT_QUANTIZATION = "float16"
_NEEDED = ("torch", "transformers")


def is_checkpoint(folder: Path) -> bool:
    """Whether a folder holds a Whisper checkpoint of Transformers, and no CTranslate2 model."""
    if (folder / "model.bin").is_file():
        return False
    has_weights = any(folder.glob("*.safetensors")) or any(folder.glob("pytorch_model*.bin"))
    return has_weights and _config(folder).get("model_type") == "whisper"


def _config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


def require_converter(model: str) -> None:
    """Raise ``InputError`` with the command to run where the packages for converting are missing."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise InputError(
            f"model: {model} is a Transformers checkpoint and has to be converted, for which {' and '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing: run {install_command('convert')}, or convert it "
            "elsewhere with ct2-transformers-converter and give the folder that comes out"
        )


def convert(source: Path, target: Path, quantization: str, model: str) -> list[str]:
    """Convert the checkpoint in ``source`` into the empty folder ``target``; names of the files there.

    ``model``: what the configuration calls it, for messages. Nothing in the checkpoint is executed: weights are read
    as tensors only. Raises ``InputError`` when it cannot be converted.
    """
    require_converter(model)
    # The checkpoint must not make the library download anything.
    os.environ["HF_HUB_OFFLINE"] = "1"
    from ctranslate2.converters import TransformersConverter
    from transformers import WhisperTokenizerFast

    copied = [name for name in ("tokenizer.json", "preprocessor_config.json") if (source / name).is_file()]
    made = target / "converted"
    try:
        converter = TransformersConverter(str(source), copy_files=copied, load_as_float16=quantization == "float16")
        converter.convert(str(made), quantization=quantization)
        if "tokenizer.json" not in copied:
            WhisperTokenizerFast.from_pretrained(str(source)).backend_tokenizer.save(str(made / "tokenizer.json"))
    except Exception as error:
        # Three libraries are involved; each raises its own errors for a damaged or unknown checkpoint.
        what = " ".join(f"{type(error).__name__}: {error}".split())[:500]
        raise InputError(f"model: {model} cannot be converted ({what}); is it a whole Whisper checkpoint?") from error
    for path in made.iterdir():
        path.rename(target / path.name)
    shutil.rmtree(made)
    return sorted(path.name for path in target.iterdir())
