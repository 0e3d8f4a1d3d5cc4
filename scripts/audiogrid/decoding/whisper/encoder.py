"""Runs Whisper's encoder: in CTranslate2, or on a CPU under OpenVINO, which can be faster and more exact.

Measured with Whisper base, core-seconds per window of 30 s on an AMD EPYC (Zen 4, AVX512-BF16; `benchmarks/model.py`):
CTranslate2 int8 0.79, OpenVINO float32 0.92, bfloat16 0.49. On Intel with AMX: 0.56, 0.59 and 0.18. bfloat16 is also
nearer to float32 than int8 is (mean difference of the output 0.013 against 0.058). Either way the output goes to
CTranslate2's decoder.

OpenVINO gives the same bits for any number of threads, and one window at a time is as fast as several.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Collection
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from audiogrid.core.errors import InputError
from audiogrid.decoding.whisper.encoder_graph import build_encoder
from audiogrid.decoding.whisper.weights import encoder_tensors, has_float_encoder

EncoderName = Literal["ctranslate2", "openvino bfloat16", "openvino float32"]
# Processors with one of these compute in bfloat16; others would have to imitate it, slowly.
_BFLOAT16_FLAGS = {"amx_bf16", "avx512_bf16"}
# Compute types of CTranslate2 that already give up some precision for speed.
_REDUCED_TYPES = {"auto", "int8", "int8_float32", "int8_bfloat16", "bfloat16"}


def processor_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> set[str]:
    """Returns the flags of this machine's processor, as Linux names them; empty where the system does not say."""
    try:
        with cpuinfo.open() as file:
            line = next((line for line in file if line.startswith("flags")), "")
    except OSError:
        return set()
    return set(line.partition(":")[2].split())


def has_bfloat16(flags: Collection[str] | None = None) -> bool:
    """Returns whether the processor computes in bfloat16; ``flags``: its own, this machine's if ``None``."""
    return bool(_BFLOAT16_FLAGS & set(processor_flags() if flags is None else flags))


@cache
def openvino_is_installed() -> bool:
    """Returns whether OpenVINO can be imported here; a package whose libraries do not load is as good as none."""
    try:
        import openvino  # noqa: F401
    except Exception:
        return False
    return True


def choose_encoder(
    wanted: str, device: str, compute_type: str, folder: Path, flags: Collection[str], installed: Callable[[], bool]
) -> EncoderName:
    """Returns what ``decoding.encoder`` becomes: by a fixed rule, so that equal machines decide alike.

    ``wanted``: ``auto``, ``ctranslate2`` or ``openvino``; ``compute_type``: as asked of CTranslate2; ``flags``: of the
    processor; ``installed``: tells whether OpenVINO is, and is called only where it matters, because it takes a moment.
    ``auto`` is OpenVINO in bfloat16 where the processor has that and the model's encoder is stored in floating point,
    else CTranslate2. Raises ``InputError`` when ``openvino`` was asked for and cannot be had.
    """
    if wanted == "ctranslate2" or device != "cpu":
        return "ctranslate2"
    bfloat16 = has_bfloat16(flags)
    if wanted == "auto":
        pays = bfloat16 and compute_type in _REDUCED_TYPES and has_float_encoder(folder) and installed()
        return "openvino bfloat16" if pays else "ctranslate2"
    if not installed():
        raise InputError(
            f"decoding.encoder is openvino, which is not installed on {platform.node()}: "
            "pip install openvino, or use 'auto'"
        )
    if not has_float_encoder(folder):
        raise InputError(
            f"decoding.encoder is openvino, but the encoder of the model in {folder} is stored in int8: "
            "use 'auto' or 'ctranslate2'"
        )
    return "openvino bfloat16" if bfloat16 and compute_type in _REDUCED_TYPES else "openvino float32"


def load_openvino(folder: Path, name: EncoderName, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """Returns the encoder of the model in ``folder`` as a function.

    It turns features of shape ``(1, mels, frames)`` into output of shape ``(1, frames / 2, width)``. Raises
    ``InputError`` when ``model.bin`` is damaged.
    """
    import openvino

    options: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": "bf16" if name == "openvino bfloat16" else "f32",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        # Several worker processes share a machine: each would bind itself to the first cores.
        "ENABLE_CPU_PINNING": False,
    }
    graph = build_encoder(encoder_tensors(folder))
    compiled = openvino.Core().compile_model(graph, "CPU", options)

    def encode(features: np.ndarray) -> np.ndarray:
        return np.array(compiled(np.ascontiguousarray(features, dtype=np.float32))[0])

    return encode
