"""On a real GPU: what the simulated ones of tests/faults/test_gpus.py cannot show. Needs one; CI has none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from audiogrid.hardware import device_choice as devices
from audiogrid.hardware.known_clip import try_clip
from places import SCRIPTS
from require import require

pytestmark = pytest.mark.gpu

DECODE = """
import json, sys
from pathlib import Path
import numpy as np
from audiogrid.decoding.memory_fallback import AdaptiveEngine, EngineSettings
from audiogrid.decoding.engine import ChunkAudio
from audiogrid.decoding.options import DecodeOptions
folder, pcm, batch_size, compute_type = sys.argv[1], np.load(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
engine = AdaptiveEngine(Path(folder), EngineSettings("cuda", compute_type, 1, batch_size))
(_, result), = engine.decode([ChunkAudio(pcm, (0, len(pcm)), DecodeOptions(language="en"))])
text = " ".join(segment.text.strip() for segment in result.segments)
print(json.dumps({"text": text, "batch_size": engine.batch_size, "compute_type": engine.compute_type,
                  "adapted": engine.adapted, "gpu": str(engine.gpu)}))
"""


@pytest.fixture(scope="module")
def gpu() -> str:
    """UUID of a GPU that can be used."""
    search = devices.find_gpus()
    require("gpu", search.gpus, search.cause or "an NVIDIA GPU and pip install '.[cuda]'")
    return search.gpus[0]


def decode(model: Path, pcm: Path, batch_size: int, compute_type: str = "auto", **more: str) -> dict[str, object]:
    argv = [sys.executable, "-c", DECODE, str(model), str(pcm), str(batch_size), compute_type]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS), **more}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_known_clip_is_read(gpu, base_model):
    result = try_clip(base_model, "cuda", "auto", gpu=gpu)
    assert result.is_right, result
    assert result.device == "cuda" and gpu in result.gpu
    decision = devices.choose_device("cuda", base_model)
    assert gpu in decision.gpus and not decision.warnings


def test_every_type_that_the_gpu_has_reads_speech(gpu, base_model, speech, tmp_path):
    import jiwer

    spoken = speech(seconds=60, seed=7)
    np.save(tmp_path / "pcm.npy", spoken.pcm)
    for compute_type in ("float16", "int8_float16", "bfloat16", "int8_bfloat16", "int8", "float32"):
        answer = decode(base_model, tmp_path / "pcm.npy", 8, compute_type, XDG_CACHE_HOME=str(tmp_path))
        assert jiwer.wer(spoken.text.lower(), str(answer["text"]).lower()) < 0.2, compute_type
        assert gpu in str(answer["gpu"])


def test_real_out_of_memory_ends_in_a_smaller_batch(gpu, base_model, speech, tmp_path):
    """All but 1.5 GB of the GPU is taken by another process, and far too many windows are asked for."""
    np.save(tmp_path / "pcm.npy", speech(seconds=1500, seed=8).pcm)
    holder = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("hold_memory.py")), "1.5"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SCRIPTS), "CUDA_VISIBLE_DEVICES": gpu},
    )
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        less = decode(base_model, tmp_path / "pcm.npy", 64, "float32", XDG_CACHE_HOME=str(tmp_path))
    finally:
        holder.communicate("\n")
    assert less["adapted"] and int(str(less["batch_size"])) < 64
    plenty = decode(base_model, tmp_path / "pcm.npy", 8, "float32", XDG_CACHE_HOME=str(tmp_path / "other"))
    assert not plenty["adapted"]
    assert len(str(less["text"])) == pytest.approx(len(str(plenty["text"])), rel=0.02)
