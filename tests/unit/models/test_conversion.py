"""Models from elsewhere: folders and hub models in either format."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from audiogrid.core.errors import InputError, RetryableError
from audiogrid.models import conversion
from audiogrid.models.hub import HubModel, parse_hub_name, wanted_files
from audiogrid.models.languages import known_languages
from audiogrid.models.registry import Registry, folder_name, load_registry, open_staged, read_record
from audiogrid.models.staging import stage

EMPTY = Registry({}, {}, Path("models.yaml"))
NAME = "some.one/fine-tuned@4f5e6d7"


class Shelf:
    """A hub that is a folder; it counts what is fetched."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fetched: list[str] = []

    def names(self, model: HubModel) -> list[str]:
        assert str(model) == NAME
        return sorted(path.name for path in self.folder.iterdir())

    def fetch(self, model: HubModel, name: str, folder: Path) -> None:
        self.fetched.append(name)
        (folder / name).write_bytes((self.folder / name).read_bytes())


class NoHub:
    def names(self, model: HubModel) -> list[str]:
        raise OSError("no route to host\nmore lines")

    def fetch(self, model: HubModel, name: str, folder: Path) -> None:
        raise AssertionError


def filled(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


def test_names_of_the_hub_have_a_revision():
    assert parse_hub_name(NAME) == HubModel("some.one/fine-tuned", "4f5e6d7")
    for value in ("org/name", "name@1", "a/b/c@1", "../x@1", "org/name@", "org/na me@1", "org/name@a/b", "-x/y@1"):
        assert parse_hub_name(value) is None
    assert folder_name(NAME, EMPTY).startswith("some.one_fine-tuned-")
    assert folder_name(NAME, EMPTY) != folder_name(NAME + "8", EMPTY)


def test_what_is_wanted_of_a_repository():
    assert wanted_files(["README.md", "model.bin", "config.json", "model.safetensors"]) == ["config.json", "model.bin"]
    both = ["config.json", "pytorch_model.bin", "model.safetensors", "flax_model.msgpack", "run.py"]
    assert wanted_files(both) == ["config.json", "model.safetensors"]
    sharded = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"]
    assert wanted_files(sharded) == sharded
    assert wanted_files(["config.json", "model.safetensors.index.json"]) == []


def test_a_converted_model_of_the_hub_is_fetched_once_and_held(tmp_path):
    files = {"config__json": "{}", "model__bin": "w", "tokenizer__json": "[]", "vocabulary__txt": "a", "run__py": "x"}
    shelf = Shelf(filled(tmp_path / "hub", **files))
    staged = stage(NAME, EMPTY, tmp_path / "models", hub=shelf, say=lambda _: None)
    assert staged.source == f"hub:{NAME}"
    assert sorted(path.name for path in staged.path.iterdir()) == [
        "audiogrid.json",
        "config.json",
        "model.bin",
        "tokenizer.json",
        "vocabulary.txt",
    ]
    assert stage(NAME, EMPTY, tmp_path / "models", hub=NoHub(), say=lambda _: None) == staged
    # What was recorded at first staging is what it must be from then on.
    (staged.path / "model.bin").write_text("v")
    with pytest.raises(InputError, match=r"model\.bin has SHA-256"):
        open_staged(staged.path)


def test_a_hub_that_is_away_and_a_repository_without_a_model(tmp_path):
    with pytest.raises(RetryableError) as caught:
        stage(NAME, EMPTY, tmp_path / "models", hub=NoHub())
    assert NAME in str(caught.value) and "no route to host" in str(caught.value) and "more" not in str(caught.value)
    with pytest.raises(InputError, match="neither a CTranslate2 model"):
        stage(NAME, EMPTY, tmp_path / "models", hub=Shelf(filled(tmp_path / "hub", README__md="x")))
    with pytest.raises(InputError, match=r"not a folder.*org/name@revision"):
        stage("some.one/fine-tuned", EMPTY, tmp_path / "models")
    assert list((tmp_path / "models").iterdir()) == []


def test_what_counts_as_a_checkpoint(tmp_path):
    whisper = json.dumps({"model_type": "whisper"})
    assert conversion.is_checkpoint(filled(tmp_path / "a", config__json=whisper, model__safetensors=""))
    assert not conversion.is_checkpoint(
        filled(tmp_path / "b", config__json=whisper, model__safetensors="", model__bin="")
    )
    assert not conversion.is_checkpoint(filled(tmp_path / "c", config__json=whisper))
    for number, config in enumerate(('{"model_type": "bert"}', "[]", "{broken", '"whisper"')):
        assert not conversion.is_checkpoint(filled(tmp_path / str(number), config__json=config, model__safetensors=""))


def test_without_the_packages_the_error_has_the_command(tmp_path, monkeypatch):
    source = filled(tmp_path / "tuned", config__json='{"model_type": "whisper"}', model__safetensors="x")
    monkeypatch.setattr(conversion, "find_spec", lambda name: None)
    with pytest.raises(InputError) as caught:
        stage(str(source), EMPTY, tmp_path / "models")
    for words in (str(source), "torch and transformers are missing", "pip install '.[convert]'"):
        assert words in str(caught.value)
    assert list((tmp_path / "models").iterdir()) == []


def test_entries_of_a_registry_of_ones_own(tmp_path):
    registry = tmp_path / "models.yaml"
    registry.write_text("models:\n  tuned: {path: /some/where, quantization: int8, languages: 1}\n")
    spec = load_registry(registry).get("tuned")
    assert (spec.path, spec.quantization, spec.multilingual) == ("/some/where", "int8", False)
    for entry, words in {
        "{path: /x, quantisation: int8}": "unknown key 'quantisation'",
        "{path: /x, quantization: int7}": "quantization 'int7'",
        "{repo: a/b}": "needs repo and revision, or path",
    }.items():
        registry.write_text(f"models:\n  tuned: {entry}\n")
        with pytest.raises(InputError, match=words):
            load_registry(registry)


@pytest.fixture
def checkpoint(tmp_path, base_model) -> Path:
    """A Whisper checkpoint of Transformers, small and untrained."""
    if not all(find_spec(name) for name in ("torch", "transformers")):
        pytest.skip("torch and transformers are not here: pip install '.[convert]' (no part of the test extra: 1 GB)")
    import torch
    import transformers

    torch.manual_seed(1)
    sizes = {"d_model": 64, "encoder_layers": 2, "decoder_layers": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    model = transformers.WhisperForConditionalGeneration(
        transformers.WhisperConfig(vocab_size=51_865, **sizes, **heads)
    )
    model.save_pretrained(tmp_path / "tuned")
    (tmp_path / "tuned" / "tokenizer.json").write_bytes((base_model / "tokenizer.json").read_bytes())
    return tmp_path / "tuned"


def test_a_checkpoint_is_converted_and_quantised_on_request(checkpoint, tmp_path, speech):
    from audiogrid.decoding.engine import ChunkAudio, Engine
    from audiogrid.decoding.options import DecodeOptions

    registry = tmp_path / "models.yaml"
    registry.write_text(f"models:\n  small: {{path: '{checkpoint}', quantization: int8}}\n")
    whole = stage(str(checkpoint), EMPTY, tmp_path / "models", say=lambda _: None)
    small = stage("small", load_registry(registry), tmp_path / "models", say=lambda _: None)
    assert read_record(whole.path)["source"] == f"converted:{checkpoint}"
    assert (small.path / "model.bin").stat().st_size < 0.7 * (whole.path / "model.bin").stat().st_size
    assert known_languages(whole.path) == known_languages(small.path) and "hi" in known_languages(small.path)
    engine = Engine(small.path)
    pcm = speech(sentences=["The library opens at nine."]).pcm
    ((_, result),) = engine.decode([ChunkAudio(pcm, (0, len(pcm)), DecodeOptions(language="en"))])
    # It has learnt nothing: that it runs is what counts.
    assert len(result.windows) == 1 and result.windows[0].readings
    # Nothing is converted again until the checkpoint changes.
    assert stage(str(checkpoint), EMPTY, tmp_path / "models", say=pytest.fail) == whole
    (checkpoint / "README.md").write_text("x")
    said: list[str] = []
    assert stage(str(checkpoint), EMPTY, tmp_path / "models", say=said.append).hash == whole.hash
    assert "has changed" in said[0]
    (checkpoint / "model.safetensors").write_bytes(b"rubbish")
    with pytest.raises(InputError, match="cannot be converted"):
        stage(str(checkpoint), EMPTY, tmp_path / "models", say=said.append)


def test_a_machine_without_a_network_is_told_so_in_a_sentence(monkeypatch, tmp_path):
    import huggingface_hub

    class NotConnectedError(Exception):
        """Of an HTTP library: no OSError."""

    def refuse(*args: object, **options: object) -> None:
        raise NotConnectedError("Name or service not known")

    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_files", refuse)
    with pytest.raises(RetryableError, match="Name or service not known"):
        stage(NAME, EMPTY, tmp_path / "models")
