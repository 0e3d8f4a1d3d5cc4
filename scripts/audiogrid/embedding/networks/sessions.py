"""Opens the networks, on one thread each: as fast per core as more threads, and the same bytes for any count of them.

The embedder runs in onnxruntime. Segmentation runs under OpenVINO in bfloat16 where the processor has that: two thirds
of the time. OpenVINO compiles a network anew for every length of its input and keeps that: 8 MB and 0.1 s of CPU for
each length of segmentation, without end in a worker that gets short recordings. So it is given whole looks only, and
the embedder, whose tracklets have any length, is left to onnxruntime. (OpenVINO also gave no vector at all for
tracklets below 2 s.)
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from audiogrid.core.errors import InputError
from audiogrid.decoding.whisper.encoder import has_bfloat16, openvino_is_installed
from audiogrid.embedding.chunk_voices import EmbeddingOptions, Networks
from audiogrid.embedding.segmentation import LOOK

if TYPE_CHECKING:
    import numpy as np

SEGMENTATION_FILE = "segmentation.onnx"
EMBEDDER_FILE = "embedder.onnx"

Runtime = Literal["onnxruntime", "openvino bfloat16"]


def choose_runtime(samples: int = LOOK) -> Runtime:
    """Returns what runs segmentation on this machine: by a fixed rule, so that equal machines decide alike.

    ``samples``: length of the chunk; one that is shorter than a look is onnxruntime's everywhere.
    """
    is_fast = samples >= LOOK and has_bfloat16() and openvino_is_installed()
    return "openvino bfloat16" if is_fast else "onnxruntime"


def openvino_version() -> str:
    """Returns the version of OpenVINO, which is installed where ``choose_runtime`` chooses it."""
    import openvino

    return str(openvino.__version__)


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


def _in_openvino(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    import numpy as np
    import openvino

    options = {
        "INFERENCE_PRECISION_HINT": "bf16",
        "INFERENCE_NUM_THREADS": 1,
        "NUM_STREAMS": 1,
        # Several worker processes share a machine: each would bind itself to the first cores.
        "ENABLE_CPU_PINNING": False,
    }
    compiled = openvino.Core().compile_model(str(path), "CPU", options)
    return lambda wave: np.array(compiled({"wave": wave})[0])


def open_networks(folder: Path, options: EmbeddingOptions | None = None, runtime: Runtime | None = None) -> Networks:
    """The two networks that were staged in ``folder``; ``runtime``: of whole looks, this machine's if ``None``.

    Raises ``InputError`` when a file is missing or damaged.
    """
    segmentation, embedder = _session(folder / SEGMENTATION_FILE), _session(folder / EMBEDDER_FILE)

    def in_onnxruntime(wave: np.ndarray) -> np.ndarray:
        found: np.ndarray = segmentation.run(None, {"wave": wave})[0]
        return found

    def embed(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
        found: np.ndarray = embedder.run(None, {"features": features, "weights": weights})[0]
        return found

    if (runtime or choose_runtime()) == "onnxruntime":
        return Networks(in_onnxruntime, embed, options or EmbeddingOptions())
    in_openvino = _in_openvino(folder / SEGMENTATION_FILE)

    def in_either(wave: np.ndarray) -> np.ndarray:
        return in_openvino(wave) if wave.shape[-1] == LOOK else in_onnxruntime(wave)

    return Networks(in_either, embed, options or EmbeddingOptions())
