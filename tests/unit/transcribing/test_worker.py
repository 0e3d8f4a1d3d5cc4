"""What a decoding process starts with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from audiogrid.transcribing.worker import worker_environment
from places import SCRIPTS

DECODE = """
import json, sys
from pathlib import Path
import numpy as np
from audiogrid.core.json_values import to_json
from audiogrid.decoding.engine import ChunkAudio, Engine
from audiogrid.decoding.options import DecodeOptions
folder, pcm, threads = sys.argv[1], np.load(sys.argv[2]), int(sys.argv[3])
engine = Engine(Path(folder), threads=threads)
(_, result), = engine.decode([ChunkAudio(pcm, (0, len(pcm)), DecodeOptions(language="es"))])
print(json.dumps(to_json(result)))
"""


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_libraries_are_kept_to_the_threads_of_a_worker_and_blas_to_one(threads):
    variables = worker_environment(threads)
    assert variables["MKL_NUM_THREADS"] == variables["OMP_NUM_THREADS"] == str(threads)
    assert variables["OPENBLAS_NUM_THREADS"] == "1"


def test_a_worker_takes_large_pages_and_keeps_what_else_is_tuned(monkeypatch):
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    assert worker_environment(1)["GLIBC_TUNABLES"] == "glibc.malloc.hugetlb=1"
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.check=3")
    assert worker_environment(1)["GLIBC_TUNABLES"] == "glibc.malloc.check=3:glibc.malloc.hugetlb=1"
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.hugetlb=0")
    assert worker_environment(1)["GLIBC_TUNABLES"] == "glibc.malloc.hugetlb=0"


@pytest.mark.workflow
def test_neither_threads_nor_the_kernel_of_blas_change_a_result(base_model: Path, human_speech, tmp_path: Path):
    import numpy as np

    np.save(tmp_path / "pcm.npy", human_speech("es", 6, skip=20).pcm)
    results = []
    for threads, kernel in ((1, {}), (2, {"OPENBLAS_CORETYPE": "Haswell"}), (4, {"OPENBLAS_CORETYPE": "Prescott"})):
        argv = [sys.executable, "-c", DECODE, str(base_model), str(tmp_path / "pcm.npy"), str(threads)]
        environment = {**os.environ, **worker_environment(threads), **kernel, "PYTHONPATH": str(SCRIPTS)}
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
        results.append(json.loads(done.stdout))
    assert results[0]["segments"]
    assert results[0] == results[1] == results[2]


class Mute:
    """An engine on a broken device: it loads, and hears nothing."""

    device, compute_type = "cuda", "float16"

    def __init__(self, text: str = "") -> None:
        self.text = text

    def decode(self, chunks):
        from audiogrid.records.results import ChunkResult, Segment

        segment = Segment(0, 1, self.text, [], 0.0, 1.0, 0.0, 0.0, "en", 0)
        for index, chunk in enumerate(chunks):
            yield index, ChunkResult(len(chunk.pcm), "en", 1.0, [], [], [segment] if self.text else [])


def test_a_node_that_hears_nothing_is_named_and_one_that_hears_anything_is_trusted():
    import platform

    from audiogrid.core.errors import RetryableError
    from audiogrid.hardware.known_clip import check_model

    with pytest.raises(RetryableError, match=f"{platform.node()} does not transcribe correctly.*doctor"):
        check_model(Mute())
    with pytest.raises(RetryableError, match="! !"):
        check_model(Mute("! ! !"))
    check_model(Mute("not what is said there, in no language at all"))


def test_a_worker_with_another_model_than_planned_decodes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Weights that were replaced in place, size and time kept, as through a hard link to a local folder."""
    from audiogrid.core.errors import InputError
    from audiogrid.decoding import memory_fallback
    from audiogrid.models.registry import REQUIRED, hash_files
    from audiogrid.transcribing import worker

    folder = tmp_path / "model"
    folder.mkdir()
    for name in (*REQUIRED, "vocabulary.txt"):
        (folder / name).write_text(name)
    settings = worker.WorkerSettings(str(folder), hash_files(folder), "cpu", "auto", 1, 0, "store", "own")
    weights = folder / "model.bin"
    state = weights.stat()

    def load(replace: bool):
        if replace:
            weights.write_text("MODEL.BIN")
            os.utime(weights, ns=(state.st_atime_ns, state.st_mtime_ns))
        return Mute()

    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    for replace in (False, True):
        monkeypatch.setattr(memory_fallback, "open_engine", lambda *given, replace=replace: load(replace))
        monkeypatch.setattr(worker, "_start_error", None)
        worker.start(settings)
        assert (worker._start_error is not None) == replace
    with pytest.raises(InputError, match=r"model on .* has changed since the plan was made.*Nothing was decoded"):
        worker.ready()
    monkeypatch.setattr(worker, "_engine", None)
    monkeypatch.setattr(worker, "_settings", None)
