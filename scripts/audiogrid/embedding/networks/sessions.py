"""The networks in onnxruntime, on one thread each: as fast per core as more threads, and the same bytes everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiogrid.core.errors import InputError
from audiogrid.embedding.chunk_voices import EmbeddingOptions, Networks

if TYPE_CHECKING:
    import numpy as np

SEGMENTATION_FILE = "segmentation.onnx"
EMBEDDER_FILE = "embedder.onnx"


def _session(path: Path) -> Any:
    import onnxruntime  # type: ignore[import-untyped]

    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = 1
    # The arena keeps its largest block for ever; tracklets have many lengths.
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"], sess_options=options)
    except Exception as error:  # onnxruntime raises classes of its own, none of them documented.
        reason = str(error).splitlines()[0][:200]
        raise InputError(
            f"{path} is not a network that onnxruntime can run ({reason}); delete its folder and stage it again"
        ) from error


def open_networks(folder: Path, options: EmbeddingOptions | None = None) -> Networks:
    """The two networks that were staged in ``folder``. Raises ``InputError`` when a file is missing or damaged."""
    segmentation, embedder = _session(folder / SEGMENTATION_FILE), _session(folder / EMBEDDER_FILE)

    def segment(wave: np.ndarray) -> np.ndarray:
        found: np.ndarray = segmentation.run(None, {"wave": wave})[0]
        return found

    def embed(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
        found: np.ndarray = embedder.run(None, {"features": features, "weights": weights})[0]
        return found

    return Networks(segment, embed, options or EmbeddingOptions())
