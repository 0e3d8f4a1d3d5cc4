"""Reads the size of a model from the headers in its weights file, without loading it.

Layout of ``model.bin`` (CTranslate2 binary version 6): version, name and revision of the specification, number of
variables; per variable its name, rank, dimensions, type, number of bytes, bytes. All numbers little-endian.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from audiogrid.core.errors import InputError

_FRAMES = 1500
"""Length of the encoder's output for a window of 30 s."""

_TOKENS = 128
# Windows of 30 s seldom have more. For a batch that does, `memory_fallback.py` steps down.

BYTES = {
    "float32": 4.0,
    "float16": 2.0,
    "bfloat16": 2.0,
    "int16": 2.0,
    "int8": 1.0,
    "int8_float32": 1.0,
    "int8_float16": 1.0,
    "int8_bfloat16": 1.0,
}
"""Bytes per weight of each compute type."""

_WIDE = {"float32", "int8_float32", "int8", "int16"}


@dataclass(frozen=True)
class ModelSize:
    """``width``: of a layer's output; ``layers``: of the decoder; ``parameters``: all weights."""

    width: int
    layers: int
    parameters: int

    def weight_bytes(self, compute_type: str) -> int:
        """Returns the memory of the weights in bytes: a tenth more than the numbers alone, for scales and the like."""
        return int(1.1 * self.parameters * BYTES[compute_type])

    def window_bytes(self, compute_type: str, beam_size: int = 5) -> int:
        """Returns the memory in bytes of one window of a batch while it is decoded.

        Keys and values of every decoder layer: over the encoder's output once, over the text so far once per beam.
        For large (width 1280, 32 layers) in float16 that is 0.35 GB.
        """
        value = 4 if compute_type in _WIDE else 2
        return 2 * self.layers * self.width * value * (_FRAMES + beam_size * _TOKENS)


def model_size(folder: Path) -> ModelSize:
    """Returns the size of the model in ``folder``. Raises ``InputError`` when it is not in CTranslate2 format."""
    width = parameters = 0
    layers: set[int] = set()
    try:
        with (folder / "model.bin").open("rb") as file:
            for name, shape in _variables(file):
                parameters += math.prod(shape)
                layer = re.match(r"decoder/layer_(\d+)/", name)
                if layer:
                    layers.add(int(layer[1]))
                if name == "encoder/conv1/weight":
                    width = shape[0]
    except (OSError, struct.error, UnicodeDecodeError) as error:
        raise InputError(
            f"{folder}/model.bin is damaged, or no model in CTranslate2 format ({error}); stage the model again"
        ) from error
    if not (width and layers):
        raise InputError(f"{folder}/model.bin holds no Whisper model in CTranslate2 format; stage the model again")
    return ModelSize(width, len(layers), parameters)


def _variables(file: BinaryIO) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of every variable; their bytes are skipped."""
    _number(file, "I")
    _string(file)
    _number(file, "I")
    for _ in range(_number(file, "I")):
        name = _string(file)
        shape = tuple(_number(file, "I") for _ in range(_number(file, "B")))
        _number(file, "B")
        file.seek(_number(file, "I"), 1)
        yield name, shape


def _number(file: BinaryIO, kind: str) -> int:
    form = "<" + kind
    return int(struct.unpack(form, file.read(struct.calcsize(form)))[0])


def _string(file: BinaryIO) -> str:
    return file.read(_number(file, "H"))[:-1].decode()
