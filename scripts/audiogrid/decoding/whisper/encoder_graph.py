"""Builds Whisper's encoder as an OpenVINO graph from the weights of a CTranslate2 model.

The graph holds the same weights and does the same arithmetic as CTranslate2's encoder in float32 (mean difference of
the output 3e-6 with Whisper base). Sizes come from the tensors, so every Whisper model works, fine-tuned ones too. Its
input has any number of frames: a window may be shorter than 30 s.

Built anew whenever a model is loaded (0.9 s with base), straight from ``model.bin``: a converted copy beside it would
be one more file to write once, to verify and to keep in step, and saves nothing that can be measured.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

_EPSILON = 1e-5

Tensors = Mapping[str, np.ndarray]


def build_encoder(tensors: Tensors) -> Any:
    """Returns an ``openvino.Model``: log-mel spectrogram ``(1, mels, frames)`` to ``(1, frames / 2, width)``.

    ``tensors``: the variables of ``model.bin`` whose names begin with ``encoder/``, by the rest of their names.
    """
    import openvino
    from openvino import opset13 as op

    graph = _Layers(tensors, op)
    mels = tensors["conv1/weight"].shape[1]
    source = op.parameter(openvino.PartialShape([1, mels, -1]), np.float32)
    frames = graph.convolution(graph.convolution(source, "conv1", 1), "conv2", 2)
    hidden = graph.with_positions(graph.swapped(frames, (0, 2, 1)))
    for name in layer_names(tensors):
        hidden = graph.layer(hidden, name)
    return openvino.Model([graph.normalised(hidden, "layer_norm")], [source], "whisper_encoder")


def layer_names(tensors: Tensors) -> list[str]:
    """Returns the names of the encoder's layers (``layer_0`` ...), in order."""
    found = {name.split("/")[0] for name in tensors if re.match(r"layer_\d+/", name)}
    return sorted(found, key=lambda name: int(name.removeprefix("layer_")))


class _Layers:
    """Pieces of the graph over one set of tensors."""

    def __init__(self, tensors: Tensors, op: Any) -> None:
        self._tensors = tensors
        self._op = op
        self._heads = int(tensors["num_heads"])
        self._width = tensors["conv1/weight"].shape[0]

    def _weights(self, values: np.ndarray) -> Any:
        """A constant in its own precision; the runtime converts it once to what it computes with."""
        constant = self._op.constant(np.ascontiguousarray(values))
        return constant if values.dtype == np.float32 else self._op.convert(constant, "f32")

    def _integers(self, *values: int) -> Any:
        return self._op.constant(np.array(values, dtype=np.int64))

    def swapped(self, hidden: Any, order: tuple[int, ...]) -> Any:
        """Axes in another order."""
        return self._op.transpose(hidden, self._integers(*order))

    def convolution(self, hidden: Any, name: str, stride: int) -> Any:
        """A convolution of width 3 and its activation."""
        weights = self._weights(self._tensors[f"{name}/weight"])
        found = self._op.convolution(hidden, weights, [stride], [1], [1], [1])
        bias = self._weights(self._tensors[f"{name}/bias"].reshape(1, -1, 1))
        return self._op.gelu(self._op.add(found, bias), "erf")

    def with_positions(self, hidden: Any) -> Any:
        """The encodings of as many positions as there are, added."""
        op = self._op
        count = op.gather(op.shape_of(hidden), self._integers(1), op.constant(np.int64(0)))
        positions = self._weights(self._tensors["position_encodings/encodings"][np.newaxis])
        one = self._integers(1)
        return op.add(hidden, op.slice(positions, self._integers(0), count, one, one))

    def normalised(self, hidden: Any, name: str) -> Any:
        """Layer normalisation."""
        op = self._op
        found = op.mvn(hidden, self._integers(2), True, _EPSILON, "inside_sqrt")
        found = op.multiply(found, self._weights(self._tensors[f"{name}/gamma"]))
        return op.add(found, self._weights(self._tensors[f"{name}/beta"]))

    def _linear(self, hidden: Any, name: str, rows: slice = slice(None)) -> Any:
        op = self._op
        weights = self._weights(self._tensors[f"{name}/weight"][rows])
        return op.add(op.matmul(hidden, weights, False, True), self._weights(self._tensors[f"{name}/bias"][rows]))

    def _attention(self, hidden: Any, name: str) -> Any:
        """Self-attention. CTranslate2 keeps the weights of queries, keys and values one below the other."""
        op, width = self._op, self._width

        def heads(number: int) -> Any:
            rows = slice(number * width, (number + 1) * width)
            found = self._linear(hidden, f"{name}/linear_0", rows)
            return self.swapped(
                op.reshape(found, self._integers(0, 0, self._heads, width // self._heads), True), (0, 2, 1, 3)
            )

        attended = op.scaled_dot_product_attention(heads(0), heads(1), heads(2))
        joined = op.reshape(self.swapped(attended, (0, 2, 1, 3)), self._integers(0, 0, width), True)
        return self._linear(joined, f"{name}/linear_1")

    def layer(self, hidden: Any, name: str) -> Any:
        """One transformer layer, with normalisation before each part."""
        op = self._op
        attended = self._attention(
            self.normalised(hidden, f"{name}/self_attention/layer_norm"), f"{name}/self_attention"
        )
        hidden = op.add(hidden, attended)
        inner = self._linear(self.normalised(hidden, f"{name}/ffn/layer_norm"), f"{name}/ffn/linear_0")
        return op.add(hidden, self._linear(op.gelu(inner, "erf"), f"{name}/ffn/linear_1"))
