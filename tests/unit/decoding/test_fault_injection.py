"""Faults reach production code through one door, and only if a test asks for them."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from audiogrid.decoding.whisper.device_access import FAULTS_VARIABLE, device_access
from audiogrid.decoding.whisper.devices import Devices
from places import SCRIPTS


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def ask(**entries: Any) -> Devices:
        (tmp_path / "faults.json").write_text(json.dumps(entries))
        monkeypatch.setenv(FAULTS_VARIABLE, str(tmp_path / "faults.json"))
        return device_access()

    return ask


class Engine:
    device = "cpu"

    def decode(self, chunks: list[Any]) -> list[str]:
        return [chunk.name for chunk in chunks]


CHUNKS = [SimpleNamespace(name="a.0000"), SimpleNamespace(name="a.0001")]


def test_only_the_door_imports_the_faults() -> None:
    found = set()
    for path in (SCRIPTS / "audiogrid").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").endswith("fault_injection"):
                found.add(path.stem)
    assert found == {"device_access"}


def test_without_the_variable_the_engine_is_the_real_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FAULTS_VARIABLE, raising=False)
    engine = Engine()
    assert type(device_access()) is Devices
    assert device_access().wrap_engine(engine) is engine


def test_a_fault_of_a_chunk_happens_as_often_as_it_is_asked_for(faulty: Any) -> None:
    engine = faulty(**{"a.0001": {"do": "raise", "times": 1}}).wrap_engine(Engine())
    assert engine.device == "cpu"
    assert engine.decode(CHUNKS[:1]) == ["a.0000"]
    with pytest.raises(RuntimeError, match=r"a\.0001"):
        engine.decode(CHUNKS)
    assert engine.decode(CHUNKS) == ["a.0000", "a.0001"]


def test_simulated_gpus_take_the_place_of_the_machines(faulty: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-b")
    devices = faulty(gpus={"devices": [{"uuid": "GPU-a"}, {"uuid": "GPU-b", "capability": [7, 0], "free": 5}]})
    assert devices.has_driver() and not devices.has_nvidia_smi
    assert [(gpu.uuid, gpu.free) for gpu in devices.gpus()] == [("GPU-b", 5)]
    assert "float16" in devices.compute_types("cuda") and "bfloat16" not in devices.compute_types("cuda")


def test_faults_of_a_device_fit_the_call(faulty: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from audiogrid.decoding.whisper import devices as real

    class Model:
        device, compute_type = "cpu", "int8"

        def encode(self, view: np.ndarray) -> str:
            return f"{len(view)} windows"

        def generate(self, view: np.ndarray) -> list[Any]:
            return [SimpleNamespace(sequences_ids=[[1, 2]], scores=[-1.0], no_speech_prob=0.1)] * len(view)

    monkeypatch.setattr(real, "load_whisper", lambda *_: SimpleNamespace(model=Model()))
    faults = [{"at": "encode", "above": 1, "do": "out_of_memory"}, {"at": "output", "do": "mute"}]
    devices = faulty(device_faults=faults, gpus={"devices": [{"uuid": "GPU-a"}]})
    model = devices.load_whisper(tmp_path, "cuda", "float16", 1).model
    assert (model.device, model.compute_type) == ("cuda", "float16")
    assert model.encode(np.zeros((1, 2))) == "1 windows"
    with pytest.raises(RuntimeError, match="out of memory"):
        model.encode(np.zeros((2, 2)))
    assert model.generate(np.zeros((1, 2)))[0].sequences_ids == [[]]
    on_cpu = devices.load_whisper(tmp_path, "cpu", "int8", 1).model
    assert on_cpu.generate(np.zeros((1, 2)))[0].sequences_ids == [[1, 2]]
