import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from audiogrid.core.errors import InputError, RetryableError
from audiogrid.models import registry as models
from audiogrid.models import staging
from audiogrid.models.registry import FileSpec, ModelSpec, Registry
from places import ROOT

FILES = {"config.json": b"{}", "model.bin": b"weights" * 100, "tokenizer.json": b"[]", "vocabulary.txt": b"a\nb\n"}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source model"
    folder.mkdir()
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def registry(source: Path) -> Registry:
    files = {name: FileSpec(len(data), models.file_hash(source / name)) for name, data in FILES.items()}
    toy = ModelSpec("toy", "nobody/toy", "0" * 40, True, files)
    package = "toy_model_for_tests"
    parts = {name: [f"{package}/data/{name}"] for name in FILES}
    parts["model.bin"] = [f"{package}/data/model.bin.part1", f"{package}/data/model.bin.part2"]
    packed = ModelSpec("packed", "nobody/packed", "0" * 40, True, files, parts)
    return Registry({"toy": toy, "packed": packed}, {"t": "toy"}, Path("models.yaml"))


def hub(spec: ModelSpec, name: str, folder: Path) -> None:
    (folder / name).write_bytes(FILES[name])


def no_hub(spec: ModelSpec, name: str, folder: Path) -> None:
    raise OSError("no route to host.\nmore lines")


def quiet(sentence: str) -> None:
    assert sentence


def put(value: str, registry: Registry, folder: Path, fetch: staging.Fetch = no_hub) -> models.StagedModel:
    return staging.stage(value, registry, folder, fetch=fetch, say=quiet)


def test_hub_files_are_verified_and_recorded(registry: Registry, tmp_path: Path) -> None:
    staged = put("toy", registry, tmp_path / "models", hub)
    assert staged.path == tmp_path / "models" / "toy"
    assert staged.source == f"hub:nobody/toy@{'0' * 40}"
    assert {path.name for path in staged.path.iterdir()} == {*FILES, models.RECORD_NAME}
    assert models.verify(staged.path) == staged
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["toy"]


def test_staging_twice_fetches_once_and_keeps_the_files(registry: Registry, tmp_path: Path) -> None:
    first = put("toy", registry, tmp_path, hub)
    inode = (first.path / "model.bin").stat().st_ino
    assert put("t", registry, tmp_path, no_hub) == first
    assert (first.path / "model.bin").stat().st_ino == inode


def test_without_any_source_the_error_says_what_to_do(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(RetryableError) as caught:
        put("toy", registry, tmp_path / "models")
    text = str(caught.value)
    assert "'toy'" in text and "no route to host" in text and "more lines" not in text
    assert str(tmp_path / "models" / "toy") in text and "model:" in text
    assert list((tmp_path / "models").iterdir()) == []


def test_wrong_hash_names_both_and_stages_nothing(registry: Registry, tmp_path: Path) -> None:
    def liar(spec: ModelSpec, name: str, folder: Path) -> None:
        (folder / name).write_bytes(FILES[name][::-1] if name == "model.bin" else FILES[name])

    with pytest.raises(InputError, match=r"model\.bin") as caught:
        put("toy", registry, tmp_path / "models", liar)
    wanted = registry.get("toy").files["model.bin"].sha256
    (tmp_path / "reversed").write_bytes(FILES["model.bin"][::-1])
    assert str(wanted) in str(caught.value)
    assert models.file_hash(tmp_path / "reversed") in str(caught.value)
    assert list((tmp_path / "models").iterdir()) == []


def test_unknown_hash_is_recorded_but_the_size_binds(registry: Registry, tmp_path: Path) -> None:
    spec = registry.get("toy")
    open_files = {name: FileSpec(file.size, None) for name, file in spec.files.items()}
    open_registry = Registry({"toy": ModelSpec("toy", spec.repo, spec.revision, True, open_files)}, {}, Path("m"))
    staged = put("toy", open_registry, tmp_path / "models", hub)
    assert models.read_record(staged.path)["files"]["model.bin"]["sha256"] == spec.files["model.bin"].sha256

    def short(spec: ModelSpec, name: str, folder: Path) -> None:
        (folder / name).write_bytes(FILES[name][:-1])

    with pytest.raises(InputError, match="bytes, but"):
        put("toy", open_registry, tmp_path / "other", short)


def test_local_folder_is_staged_under_a_safe_name(registry: Registry, source: Path, tmp_path: Path) -> None:
    staged = put(str(source), registry, tmp_path / "models")
    assert staged.path.name.startswith("source_model-")
    assert staged.hash == put("toy", registry, tmp_path / "models", hub).hash


def test_changed_local_folder_is_staged_again(registry: Registry, source: Path, tmp_path: Path) -> None:
    first = put(str(source), registry, tmp_path / "models")
    (source / "model.bin").unlink()
    (source / "model.bin").write_bytes(b"other weights")
    second = put(str(source), registry, tmp_path / "models")
    assert second.path == first.path and second.hash != first.hash
    assert (second.path / "model.bin").read_bytes() == b"other weights"
    assert [path.name for path in (tmp_path / "models").iterdir()] == [first.path.name]


def test_staged_copy_survives_the_loss_of_its_origin(registry: Registry, source: Path, tmp_path: Path) -> None:
    first = put(str(source), registry, tmp_path / "models")
    for path in source.iterdir():
        path.unlink()
    source.rmdir()
    assert put(str(source), registry, tmp_path / "models") == first


def test_links_into_a_cache_are_followed(registry: Registry, source: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()
    for name in FILES:
        (snapshot / name).symlink_to(source / name)
    staged = put(str(snapshot), registry, tmp_path / "models")
    assert not any((staged.path / name).is_symlink() for name in FILES)


def test_missing_local_folder_is_an_input_error(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a folder"):
        put(str(tmp_path / "nowhere"), registry, tmp_path / "models")


def test_packages_are_joined_in_order(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "site" / "toy_model_for_tests" / "data"
    data.mkdir(parents=True)
    (data.parent / "__init__.py").touch()
    for name, content in FILES.items():
        if name != "model.bin":
            (data / name).write_bytes(content)
    (data / "model.bin.part1").write_bytes(FILES["model.bin"][:300])
    (data / "model.bin.part2").write_bytes(FILES["model.bin"][300:])
    monkeypatch.syspath_prepend(tmp_path / "site")
    staged = put("packed", registry, tmp_path / "models")
    assert staged.source == "packages:toy_model_for_tests"
    assert (staged.path / "model.bin").read_bytes() == FILES["model.bin"]


def test_missing_package_is_named_and_the_hub_is_next(registry: Registry, tmp_path: Path) -> None:
    spec = registry.get("packed")
    parts = {name: [f"never_installed_anywhere/{name}"] for name in FILES}
    absent = ModelSpec("absent", spec.repo, spec.revision, True, spec.files, parts)
    lacking = Registry({"absent": absent}, {}, Path("m"))
    with pytest.raises(RetryableError, match="never-installed-anywhere"):
        put("absent", lacking, tmp_path)
    assert put("absent", lacking, tmp_path, hub).source.startswith("hub:")


def test_files_put_there_by_hand_are_adopted(registry: Registry, tmp_path: Path) -> None:
    folder = tmp_path / "toy"
    folder.mkdir()
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    assert put("toy", registry, tmp_path).source == "by hand"


def test_wrong_or_missing_files_put_there_by_hand_stay_and_are_named(registry: Registry, tmp_path: Path) -> None:
    folder = tmp_path / "toy"
    folder.mkdir()
    (folder / "model.bin").write_bytes(b"something")
    with pytest.raises(InputError, match=r"config\.json, tokenizer\.json, vocabulary\.txt not found"):
        put("toy", registry, tmp_path, hub)
    for name in set(FILES) - {"model.bin"}:
        (folder / name).write_bytes(FILES[name])
    with pytest.raises(InputError, match=r"model\.bin of model 'toy' has SHA-256"):
        put("toy", registry, tmp_path, hub)
    assert (folder / "model.bin").read_bytes() == b"something"


@pytest.mark.parametrize("damage", ["flip", "remove", "record"])
def test_damaged_staged_model_is_renewed(registry: Registry, tmp_path: Path, damage: str) -> None:
    first = put("toy", registry, tmp_path / "models", hub)
    if damage == "flip":
        (first.path / "model.bin").write_bytes(FILES["model.bin"][::-1])
    elif damage == "remove":
        (first.path / "tokenizer.json").unlink()
    else:
        (first.path / models.RECORD_NAME).write_text("{")
    assert put("toy", registry, tmp_path / "models", hub).hash == first.hash
    assert models.verify(first.path).hash == first.hash
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["toy"]


def test_model_that_the_registry_pins_anew_is_renewed(registry: Registry, tmp_path: Path) -> None:
    put("toy", registry, tmp_path, hub)
    spec = registry.get("toy")
    (tmp_path / "new").write_bytes(b"new weights")
    files = {**spec.files, "model.bin": FileSpec(11, models.file_hash(tmp_path / "new"))}
    newer = Registry({"toy": ModelSpec("toy", "nobody/toy", "1" * 40, True, files)}, {}, Path("m"))

    def new_hub(spec: ModelSpec, name: str, folder: Path) -> None:
        (folder / name).write_bytes(b"new weights" if name == "model.bin" else FILES[name])

    assert (put("toy", newer, tmp_path, new_hub).path / "model.bin").read_bytes() == b"new weights"


def test_many_at_once_agree(registry: Registry, tmp_path: Path) -> None:
    gate = threading.Barrier(6)
    results: list[object] = []

    def slow_hub(spec: ModelSpec, name: str, folder: Path) -> None:
        if name == "config.json":
            gate.wait()
        hub(spec, name, folder)

    def work() -> None:
        try:
            results.append(put("toy", registry, tmp_path, slow_hub))
        except BaseException as error:
            results.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(isinstance(result, models.StagedModel) for result in results), results
    assert len(set(results)) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"toy", "source model"}


def test_remains_of_a_killed_staging_are_swept(registry: Registry, tmp_path: Path) -> None:
    import socket

    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    host = socket.gethostname()
    for pid in (dead.pid, os.getpid()):
        (tmp_path / "models" / f".staging-{host}-{pid}-00000000").mkdir(parents=True)
    (tmp_path / "models" / f".staging-elsewhere-{dead.pid}-00000000").mkdir()
    put("toy", registry, tmp_path / "models", hub)
    left = {path.name for path in (tmp_path / "models").iterdir()}
    assert left == {"toy", f".staging-{host}-{os.getpid()}-00000000", f".staging-elsewhere-{dead.pid}-00000000"}


def test_command_ends_with_code_2_for_an_unknown_model(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "scripts" / "stage_model.py"), "--model", "bsae"]
    done = subprocess.run(
        [*command, "--registry", str(ROOT / "config" / "models.yaml"), "--models-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: model: 'bsae'") and "did you mean base" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.workflow
def test_real_base_loads_from_its_folder(base_model: Path) -> None:
    assert models.verify(base_model).hash == "368391b205205ddba0a1696f7e408130ad6432cf442588919dc80f7ad31225de"
    assert models.open_staged(base_model).multilingual is True
