"""Writes ONNX files: the few protobuf messages of a graph, by hand.

The format is fixed and public (onnx.proto3), and a graph of these two networks needs five of its messages. The `onnx`
package would bring 20 MB and a second protobuf runtime into every installation for them.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

#: Version of the operators that are used.
OPSET = 17
_IR_VERSION = 8
_FLOAT, _INT64 = 1, 7
_ATTRIBUTE_FLOAT, _ATTRIBUTE_INT, _ATTRIBUTE_STRING, _ATTRIBUTE_INTS = 1, 2, 3, 7

Attribute = float | int | str | Sequence[int]


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _attribute(name: str, value: Attribute) -> bytes:
    head = _bytes(1, name)
    if isinstance(value, float):
        return head + _varint(2 << 3 | 5) + struct.pack("<f", value) + _number(20, _ATTRIBUTE_FLOAT)
    if isinstance(value, int):
        return head + _number(3, value) + _number(20, _ATTRIBUTE_INT)
    if isinstance(value, str):
        return head + _bytes(4, value) + _number(20, _ATTRIBUTE_STRING)
    return head + b"".join(_number(8, item) for item in value) + _number(20, _ATTRIBUTE_INTS)


def _value_info(name: str, shape: Sequence[int | str]) -> bytes:
    dimensions = b"".join(_bytes(1, _bytes(2, n) if isinstance(n, str) else _number(1, n)) for n in shape)
    tensor = _number(1, _FLOAT) + _bytes(2, dimensions)
    return _bytes(1, name) + _bytes(2, _bytes(1, tensor))


class GraphBuilder:
    """Collects the operations of a graph; values are known by their names."""

    def __init__(self) -> None:
        self._nodes: list[bytes] = []
        self._constants: list[bytes] = []
        self._names = 0

    def _name(self, stem: str) -> str:
        self._names += 1
        return f"{stem}_{self._names}"

    def constant(self, value: np.ndarray) -> str:
        """Add a constant; floats are stored as float32, whole numbers as int64. Returns its name."""
        import numpy as np

        is_float = value.dtype.kind == "f"
        data = np.ascontiguousarray(value, dtype="<f4" if is_float else "<i8")
        name = self._name("constant")
        message = b"".join(_number(1, size) for size in value.shape)
        message += _number(2, _FLOAT if is_float else _INT64) + _bytes(8, name) + _bytes(9, data.tobytes())
        self._constants.append(message)
        return name

    def integers(self, *values: int) -> str:
        """A constant vector of whole numbers."""
        import numpy as np

        return self.constant(np.array(values, dtype=np.int64))

    def add(self, kind: str, *inputs: str, output: str = "", **attributes: Attribute) -> str:
        """Add one operation of the ONNX standard. Returns the name of its first output."""
        name = output or self._name(kind.lower())
        message = b"".join(_bytes(1, value) for value in inputs) + _bytes(2, name) + _bytes(4, kind)
        message += b"".join(_bytes(5, _attribute(key, value)) for key, value in attributes.items())
        self._nodes.append(message)
        return name

    def model(self, inputs: Mapping[str, Sequence[int | str]], outputs: Mapping[str, Sequence[int | str]]) -> bytes:
        """The whole file. ``inputs`` and ``outputs``: name -> shape; a string is a size that may vary."""
        graph = b"".join(_bytes(1, node) for node in self._nodes) + _bytes(2, "graph")
        graph += b"".join(_bytes(5, constant) for constant in self._constants)
        graph += b"".join(_bytes(11, _value_info(name, shape)) for name, shape in inputs.items())
        graph += b"".join(_bytes(12, _value_info(name, shape)) for name, shape in outputs.items())
        opset = _bytes(1, "") + _number(2, OPSET)
        return _number(1, _IR_VERSION) + _bytes(2, "audiogrid") + _bytes(7, graph) + _bytes(8, opset)
