"""The graph of CAM++ (3D-Speaker's multilingual speaker embedder), built from its checkpoint.

Wang et al., "CAM++: A Fast and Efficient Network for Speaker Verification Using Context-Aware Masking" (2023). Built
from that description: its last layer is a batch norm and nothing after it (some copies add a ReLU there, which changes
every similarity).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from audiogrid.embedding.networks.onnx_file import GraphBuilder

if TYPE_CHECKING:
    import numpy as np

_EPSILON = 1e-5
# Layers and dilation of the three dense blocks.
_BLOCKS = ((12, 1), (24, 2), (16, 2))
# Frames that share a local context.
_PART = 100


class _CamPlusPlus:
    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self.weights = weights
        self.graph = GraphBuilder()
        self.part_of_frame = ""

    def norm(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """A batch norm as factor and summand per channel."""
        import numpy as np

        mean, variance = (self.weights[f"{name}.running_{part}"].astype(np.float64) for part in ("mean", "var"))
        factor = 1 / np.sqrt(variance + _EPSILON)
        if f"{name}.weight" not in self.weights:
            return factor, -mean * factor
        factor = factor * self.weights[f"{name}.weight"]
        return factor, self.weights[f"{name}.bias"] - mean * factor

    def conv(self, value: str, name: str, norm: str = "", **attributes: Sequence[int]) -> str:
        """A convolution; a batch norm right after it becomes part of its weights."""
        kernel = self.weights[f"{name}.weight"]
        bias = self.weights.get(f"{name}.bias")
        if norm:
            factor, summand = self.norm(norm)
            kernel = kernel * factor.reshape(-1, *[1] * (kernel.ndim - 1))
            bias = summand if bias is None else bias * factor + summand
        constants = [self.graph.constant(kernel)] + ([] if bias is None else [self.graph.constant(bias)])
        return self.graph.add("Conv", value, *constants, output="", kernel_shape=kernel.shape[2:], **attributes)

    def relu(self, value: str) -> str:
        return self.graph.add("Relu", value)

    def norm_relu(self, value: str, name: str) -> str:
        """A batch norm that no convolution precedes, and a ReLU."""
        factor, summand = (self.graph.constant(part.reshape(1, -1, 1)) for part in self.norm(name))
        return self.relu(self.graph.add("Add", self.graph.add("Mul", value, factor), summand))

    def residual(self, value: str, name: str, stride: int) -> str:
        """Two 3x3 convolutions beside a shortcut; ``stride`` is along the frequencies."""
        found = self.conv(value, f"{name}.conv1", f"{name}.bn1", strides=(stride, 1), pads=(1, 1, 1, 1))
        found = self.conv(self.relu(found), f"{name}.conv2", f"{name}.bn2", pads=(1, 1, 1, 1))
        if f"{name}.shortcut.0.weight" in self.weights:
            value = self.conv(value, f"{name}.shortcut.0", f"{name}.shortcut.1", strides=(stride, 1))
        return self.relu(self.graph.add("Add", found, value))

    def head(self, value: str) -> str:
        """Features ``(batch, frames, 80)`` to 320 channels."""
        add, integers = self.graph.add, self.graph.integers
        value = add("Unsqueeze", add("Transpose", value, perm=(0, 2, 1)), integers(1))
        value = self.relu(self.conv(value, "head.conv1", "head.bn1", pads=(1, 1, 1, 1)))
        for layer in ("layer1", "layer2"):
            value = self.residual(value, f"head.{layer}.0", 2)
            value = self.residual(value, f"head.{layer}.1", 1)
        value = self.relu(self.conv(value, "head.conv2", "head.bn2", strides=(2, 1), pads=(1, 1, 1, 1)))
        return add("Reshape", value, integers(0, 320, -1))

    def parts(self, value: str) -> str:
        """For every frame the number of its part: 0 for the first 100 frames, 1 for the next, ..."""
        import numpy as np

        add = self.graph.add
        length = add("Squeeze", add("Slice", add("Shape", value), *map(self.graph.integers, (2, 3))))
        zero, one = (self.graph.constant(np.array(number, dtype=np.int64)) for number in (0, 1))
        frames = add("Range", zero, length, one)
        return add("Div", frames, self.graph.integers(_PART))

    def dense_layer(self, value: str, name: str, dilation: int) -> str:
        """One layer of a dense block: 32 new channels, each weighted by a gate that looks at its surroundings."""
        add = self.graph.add
        value = self.norm_relu(value, f"{name}.nonlinear1.batchnorm")
        value = self.relu(self.conv(value, f"{name}.linear1", f"{name}.nonlinear2.batchnorm"))
        cam = f"{name}.cam_layer"
        local = self.conv(value, f"{cam}.linear_local", dilations=(dilation,), pads=(dilation, dilation))
        everywhere = add("ReduceMean", value, axes=(2,), keepdims=1)
        nearby = add("AveragePool", value, kernel_shape=(_PART,), strides=(_PART,), ceil_mode=1, count_include_pad=0)
        # One column for each part: expanded to all frames only when the gates are known.
        gates = self.relu(self.conv(add("Add", everywhere, nearby), f"{cam}.linear1"))
        gates = add("Sigmoid", self.conv(gates, f"{cam}.linear2"))
        return add("Mul", local, add("Gather", gates, self.part_of_frame, axis=2))

    def frames(self, value: str) -> str:
        """Features to 512 channels per frame (every second one of the features)."""
        value = self.head(value)
        value = self.conv(value, "xvector.tdnn.linear", "xvector.tdnn.nonlinear.batchnorm", strides=(2,), pads=(2, 2))
        value = self.relu(value)
        self.part_of_frame = self.parts(value)
        for number, (layers, dilation) in enumerate(_BLOCKS, 1):
            for layer in range(1, layers + 1):
                new = self.dense_layer(value, f"xvector.block{number}.tdnnd{layer}", dilation)
                value = self.graph.add("Concat", value, new, axis=1)
            transit = f"xvector.transit{number}"
            value = self.conv(self.norm_relu(value, f"{transit}.nonlinear.batchnorm"), f"{transit}.linear")
        return self.norm_relu(value, "xvector.out_nonlinear.batchnorm")

    def embedding(self, value: str) -> None:
        """Weighted mean and unbiased deviation over the frames, and the last layer: 192 values."""
        import numpy as np

        add = self.graph.add
        one, tiny = (self.graph.constant(np.array(number, dtype=np.float32)) for number in (1.0, 1e-12))
        weights = add("Unsqueeze", "weights", self.graph.integers(1))
        total = add("ReduceSum", weights, self.graph.integers(2), keepdims=1)

        def mean(numbers: str, divisor: str) -> str:
            product = add("Mul", numbers, weights)
            return add("Div", add("ReduceSum", product, self.graph.integers(2), keepdims=1), divisor)

        centre = mean(value, total)
        apart = add("Sub", value, centre)
        variance = mean(add("Mul", apart, apart), add("Max", add("Sub", total, one), one))
        pooled = add("Concat", centre, add("Sqrt", add("Max", variance, tiny)), axis=1)
        found = self.conv(pooled, "xvector.dense.linear", "xvector.dense.nonlinear.batchnorm")
        add("Squeeze", found, self.graph.integers(2), output="vectors")


def build(weights: Mapping[str, np.ndarray]) -> bytes:
    """The ONNX file. Inputs: ``features`` ``(batch, frames, 80)``, see ``filterbank``; ``weights`` ``(batch, halves)``,
    with ``halves = (frames + 1) // 2``: 1 for a frame that counts, 0 for one that does not.

    Output ``vectors``: float32 ``(batch, 192)``, not normalised. Raises ``KeyError`` when ``weights`` are those of
    another network.
    """
    network = _CamPlusPlus(weights)
    network.embedding(network.frames("features"))
    shapes = {"features": ("batch", "frames", 80), "weights": ("batch", "halves")}
    return network.graph.model(shapes, {"vectors": ("batch", weights["xvector.dense.linear.weight"].shape[0])})
