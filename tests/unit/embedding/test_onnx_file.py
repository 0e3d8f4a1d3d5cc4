"""Files written here run in onnxruntime."""

from __future__ import annotations

import numpy as np
import onnxruntime

from audiogrid.embedding.networks.onnx_file import GraphBuilder


def test_a_graph_with_every_kind_of_attribute_runs() -> None:
    graph = GraphBuilder()
    kernel = graph.constant(np.array([[[1.0, 2.0, -3.0]]]))
    value = graph.add("Conv", "x", kernel, kernel_shape=(3,), pads=(1, 1))
    value = graph.add("LeakyRelu", value, alpha=0.5)
    value = graph.add("Transpose", value, perm=(0, 2, 1))
    graph.add("Reshape", value, graph.integers(0, -1), output="y")
    data = graph.model({"x": (1, 1, "n")}, {"y": (1, "n")})
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    for count in (3, 300):
        x = np.arange(count, dtype=np.float32)
        (y,) = session.run(None, {"x": x[None, None]})
        plain = np.convolve(x, [-3.0, 2.0, 1.0], "same")
        np.testing.assert_allclose(y[0], np.where(plain < 0, plain / 2, plain))


def test_the_same_graph_gives_the_same_bytes() -> None:
    def build() -> bytes:
        graph = GraphBuilder()
        graph.add("Add", "x", graph.constant(np.ones(3)), output="y")
        return graph.model({"x": (3,)}, {"y": (3,)})

    assert build() == build()
