"""The graph of pyannote's segmentation network (version 3.0), built from its checkpoint.

Bredin, "pyannote.audio 2.1 speaker diarization pipeline" (2023) and Plaquet & Bredin, "Powerset multi-class cross
entropy loss for neural speaker diarization" (2023). SincNet filters: Ravanelli & Bengio (2018).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from audiogrid.embedding.networks.onnx_file import GraphBuilder

if TYPE_CHECKING:
    import numpy as np

_SAMPLE_RATE = 16_000
_LEAST_LOW_HZ = 50.0
_LEAST_BAND_HZ = 50.0
_STRIDE = 10
_SLOPE = 0.01
_LAYERS = 4


def sinc_filters(weights: Mapping[str, np.ndarray], prefix: str) -> np.ndarray:
    """Band-pass filters of the first layer, shape ``(80, 1, 251)``: the cosines, then the sines."""
    import numpy as np

    steps = weights[f"{prefix}n_"].astype(np.float64)
    window = weights[f"{prefix}window_"].astype(np.float64)
    low = _LEAST_LOW_HZ + np.abs(weights[f"{prefix}low_hz_"].astype(np.float64))
    high = low + _LEAST_BAND_HZ + np.abs(weights[f"{prefix}band_hz_"].astype(np.float64))
    high = np.clip(high, _LEAST_LOW_HZ, _SAMPLE_RATE / 2)
    band = high - low
    even = (np.sin(high @ steps) - np.sin(low @ steps)) / (steps / 2) * window
    odd = (np.cos(low @ steps) - np.cos(high @ steps)) / (steps / 2) * window
    cosine = np.concatenate([even, 2 * band, even[:, ::-1]], axis=1) / (2 * band)
    sine = np.concatenate([odd, np.zeros_like(band), -odd[:, ::-1]], axis=1) / (2 * band)
    return np.concatenate([cosine, sine])[:, None, :].astype(np.float32)


def _lstm_gates(matrix: np.ndarray) -> np.ndarray:
    """Rows of the four gates in the order of ONNX (input, output, forget, cell); PyTorch has i, f, g, o."""
    import numpy as np

    i, f, g, o = np.split(matrix, 4)
    return np.concatenate([i, o, f, g])


def _lstm(graph: GraphBuilder, weights: Mapping[str, np.ndarray], value: str, layer: int) -> str:
    """A bidirectional layer over ``(frames, batch, features)``."""
    import numpy as np

    def stacked(name: str) -> np.ndarray:
        return np.stack([_lstm_gates(weights[f"lstm.{name}_l{layer}{way}"]) for way in ("", "_reverse")])

    biases = np.concatenate([stacked("bias_ih"), stacked("bias_hh")], axis=1)
    hidden = weights["lstm.weight_hh_l0"].shape[1]
    found = graph.add(
        "LSTM",
        value,
        graph.constant(stacked("weight_ih")),
        graph.constant(stacked("weight_hh")),
        graph.constant(biases),
        hidden_size=hidden,
        direction="bidirectional",
    )
    # (frames, direction, batch, hidden) -> (frames, batch, both directions)
    turned = graph.add("Transpose", found, perm=(0, 2, 1, 3))
    return graph.add("Reshape", turned, graph.integers(0, 0, 2 * hidden))


def build(weights: Mapping[str, np.ndarray]) -> bytes:
    """The ONNX file. Input ``wave``: float32 ``(batch, 1, samples)`` in ±1, any level, at least 991 samples.

    Output ``scores``: log probabilities ``(batch, frames, 7)`` of nobody, A, B, C, A+B, A+C, B+C; frame ``k`` is
    centred at sample ``495 + 270 k``. Raises ``KeyError`` when ``weights`` are those of another network.
    """
    graph = GraphBuilder()

    def norm(value: str, name: str) -> str:
        scale, bias = (graph.constant(weights[f"sincnet.{name}.{part}"]) for part in ("weight", "bias"))
        return graph.add("InstanceNormalization", value, scale, bias, epsilon=1e-5)

    value = norm("wave", "wav_norm1d")
    for index in range(3):
        if index == 0:
            filters = graph.constant(sinc_filters(weights, "sincnet.conv1d.0.filterbank."))
            value = graph.add("Conv", value, filters, strides=(_STRIDE,), kernel_shape=(251,))
            value = graph.add("Abs", value)
        else:
            kernel, bias = (graph.constant(weights[f"sincnet.conv1d.{index}.{part}"]) for part in ("weight", "bias"))
            value = graph.add("Conv", value, kernel, bias, kernel_shape=(5,))
        value = graph.add("MaxPool", value, kernel_shape=(3,), strides=(3,))
        value = graph.add("LeakyRelu", norm(value, f"norm1d.{index}"), alpha=_SLOPE)
    value = graph.add("Transpose", value, perm=(2, 0, 1))
    for layer in range(_LAYERS):
        value = _lstm(graph, weights, value, layer)

    def linear(value: str, name: str) -> str:
        product = graph.add("MatMul", value, graph.constant(weights[f"{name}.weight"].T))
        return graph.add("Add", product, graph.constant(weights[f"{name}.bias"]))

    for index in range(2):
        value = graph.add("LeakyRelu", linear(value, f"linear.{index}"), alpha=_SLOPE)
    value = graph.add("LogSoftmax", linear(value, "classifier"), axis=-1)
    graph.add("Transpose", value, perm=(1, 0, 2), output="scores")
    return graph.model({"wave": ("batch", 1, "samples")}, {"scores": ("batch", "frames", 7)})
