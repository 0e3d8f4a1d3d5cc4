"""Reads a model's weights file: its size from the headers alone, and the tensors of the encoder.

Layout of ``model.bin`` (CTranslate2 binary version 6): version, name and revision of the specification, number of
variables; per variable its name, rank, dimensions, type, number of bytes, bytes. All numbers little-endian.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

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


@dataclass(frozen=True)
class _Variable:
    """A variable as the file describes it; ``offset``: where its bytes begin."""

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int
    bytes: int


_NUMPY_TYPES = {0: "<f4", 1: "i1", 2: "<i2", 3: "<i4", 4: "<f2"}
"""Types of variables by CTranslate2's numbers."""

_BFLOAT16 = 5
_FLOATING = {0, 4, _BFLOAT16}
_ENCODER = "encoder/"


def has_float_encoder(folder: Path) -> bool:
    """Returns whether all weights of the encoder are stored in floating point (not quantised)."""
    with _opened(folder) as file:
        kinds = {each.kind for each in _variables(file) if re.match(r"encoder/.*/weight$", each.name)}
    return bool(kinds) and kinds <= _FLOATING


def encoder_tensors(folder: Path) -> dict[str, np.ndarray]:
    """Returns the encoder's tensors by name, without ``encoder/``; bfloat16 as float32.

    Raises ``InputError`` when it is damaged.
    """
    with _opened(folder) as file:
        found = [each for each in _variables(file) if each.name.startswith(_ENCODER)]
    mapped = np.memmap(folder / "model.bin", dtype=np.uint8, mode="r")
    return {each.name.removeprefix(_ENCODER): _tensor(mapped, each) for each in found}


def _tensor(mapped: np.ndarray, variable: _Variable) -> np.ndarray:
    raw = mapped[variable.offset : variable.offset + variable.bytes]
    if variable.kind == _BFLOAT16:
        return (raw.view("<u2").astype(np.uint32) << 16).view(np.float32).reshape(variable.shape)
    # Views want aligned addresses, and a variable may begin anywhere.
    return np.frombuffer(raw.tobytes(), dtype=_NUMPY_TYPES[variable.kind]).reshape(variable.shape)


@contextmanager
def _opened(folder: Path) -> Iterator[BinaryIO]:
    """The weights file, open. Raises ``InputError`` when what is read from it makes no sense."""
    try:
        with (folder / "model.bin").open("rb") as file:
            yield file
    except (OSError, struct.error, UnicodeDecodeError) as error:
        raise InputError(
            f"{folder}/model.bin is damaged, or not a model in CTranslate2 format ({error}); stage the model again"
        ) from error


def model_size(folder: Path) -> ModelSize:
    """Returns the size of the model in ``folder``. Raises ``InputError`` when it is not in CTranslate2 format."""
    width = parameters = 0
    layers: set[int] = set()
    with _opened(folder) as file:
        for variable in _variables(file):
            parameters += math.prod(variable.shape)
            layer = re.match(r"decoder/layer_(\d+)/", variable.name)
            if layer:
                layers.add(int(layer[1]))
            if variable.name == "encoder/conv1/weight":
                width = variable.shape[0]
    if not (width and layers):
        raise InputError(
            f"{folder}/model.bin does not hold a Whisper model in CTranslate2 format; stage the model again"
        )
    return ModelSize(width, len(layers), parameters)


def _variables(file: BinaryIO) -> Iterator[_Variable]:
    """Every variable, in the order of the file; their bytes are skipped."""
    _number(file, "I")
    _string(file)
    _number(file, "I")
    for _ in range(_number(file, "I")):
        name = _string(file)
        shape = tuple(_number(file, "I") for _ in range(_number(file, "B")))
        kind = _number(file, "B")
        size = _number(file, "I")
        yield _Variable(name, shape, kind, file.tell(), size)
        file.seek(size, 1)


def _number(file: BinaryIO, kind: str) -> int:
    form = "<" + kind
    return int(struct.unpack(form, file.read(struct.calcsize(form)))[0])


def _string(file: BinaryIO) -> str:
    return file.read(_number(file, "H"))[:-1].decode()
