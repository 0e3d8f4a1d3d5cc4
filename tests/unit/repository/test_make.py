"""The Makefile and the environment it makes, without installing anything."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from places import ROOT

HOSTILE = [
    "plain",
    "with blanks  inside",
    "-leading dash",
    "$HOME $(shell touch pwned) $$ ${x} $(touch pwned)",
    "`touch pwned`; touch pwned & | > pwned",
    'it\'s "quoted" \\ back # hash = equals: colon',
    "new\nline",
    "Gespräch 会議 \U0001f3a4",
    "%s * ? [a] ~ !",
]


@pytest.fixture
def echo(tmp_path: Path) -> Path:
    """Stands in for Python: writes what it was given to a file."""
    script = tmp_path / "echo"
    script.write_text('#!/bin/sh\nprintf "%s\\0" "$AUDIOGRID_AUDIO" "$AUDIOGRID_RUN" "$AUDIOGRID_ARGS" "$@" > "$OUT"\n')
    script.chmod(0o755)
    return script


def make(folder: Path, echo: Path, *words: str, **environment: str) -> list[str]:
    shutil.copy(ROOT / "Makefile", folder / "Makefile")
    out = folder / "out"
    command = ["make", "-C", str(folder), f"ENV={echo}", "SETUP=true", *words]
    clean = {
        key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "AUDIO", "RUN", "ARGS", "MODEL"))
    }
    subprocess.run(command, check=True, capture_output=True, env={**clean, "OUT": str(out), **environment})
    return out.read_text().split("\0")[:-1]


@pytest.mark.parametrize("text", HOSTILE)
def test_values_arrive_unchanged_and_unexecuted(tmp_path: Path, echo: Path, text: str) -> None:
    got = make(tmp_path, echo, "run", f"AUDIO={text}", f"RUN={text}", f"ARGS={text}")
    assert got == [text, text, text, "scripts/run.py"]
    assert make(tmp_path, echo, "run", AUDIO=text)[0] == text
    assert make(tmp_path, echo, "models", f"MODEL={text}")[3:] == ["scripts/stage_model.py", f"--model={text}"]
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run", "audio=folder"], "AUDIO=/any/folder"),
        (["run", "Audio=folder"], "AUDIO=/any/folder"),
        (["run", "run=name"], "RUN=name"),
        (["batch", "batch=name"], "capitals"),
        (["models", "model=small"], "capitals"),
        (["run", "recordings=folder"], "AUDIO=/any/folder"),
        (["run", "folder"], "Unknown: folder. Values have names: make run AUDIO=/any/folder"),
        (["run", "here"], "AUDIO=/any/folder"),
        (["batch", "hearings"], "make batch BATCH=name"),
    ],
)
def test_words_that_make_would_ignore_are_told_what_to_type(
    tmp_path: Path, echo: Path, words: list[str], told: str
) -> None:
    # A folder of this name is a target that is up to date.
    (tmp_path / "here").mkdir()
    with pytest.raises(subprocess.CalledProcessError) as failed:
        make(tmp_path, echo, *words)
    assert told in failed.value.stderr.decode()
    assert not (tmp_path / "out").exists()


def test_variables_of_the_shell_are_no_mistake(tmp_path: Path, echo: Path) -> None:
    assert make(tmp_path, echo, "run", model="x", recordings="y") == ["", "", "", "scripts/run.py"]


def test_without_values_all_are_empty(tmp_path: Path, echo: Path) -> None:
    assert make(tmp_path, echo, "run") == ["", "", "", "scripts/run.py"]


def test_args_reach_pytest_as_words(tmp_path: Path, echo: Path) -> None:
    assert make(tmp_path, echo, "models")[3:] == ["scripts/stage_model.py", "--model=base"]
    pytest_options = ["-m", "pytest", "-n", "3", "--no-loadscope-reorder"]
    assert make(tmp_path, echo, "test", "ARGS=tests/unit -k name")[3:] == [*pytest_options, "tests/unit", "-k", "name"]


def test_help_names_every_target() -> None:
    listed = subprocess.run(["make", "-s", "-C", str(ROOT), "help"], check=True, capture_output=True, text=True).stdout
    for target in ("run", "test", "bench", "check", "setup", "clean"):
        assert f"make {target} " in listed


@pytest.fixture
def environment(tmp_path: Path) -> ModuleType:
    """``scripts/environment.py``, looking at a folder of its own."""
    spec = importlib.util.spec_from_file_location("environment_under_test", ROOT / "scripts" / "environment.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.ROOT, module.VENV = tmp_path, tmp_path / ".venv"
    (tmp_path / "pyproject.toml").write_text("a")
    (tmp_path / "constraints.txt").write_text("b")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").touch()
    return module


def finish(environment: ModuleType, level: str) -> None:
    (environment.VENV / f"audiogrid-{level}.stamp").write_text(environment.fingerprint(level))


def test_environment_is_ready_until_what_it_is_made_of_changes(environment: ModuleType) -> None:
    assert not environment.is_ready("run")
    finish(environment, "run")
    assert environment.is_ready("run") and not environment.is_ready("test")
    os.utime(environment.ROOT / "pyproject.toml", (1, 1))
    assert environment.is_ready("run")
    (environment.ROOT / "constraints.txt").write_text("c")
    assert not environment.is_ready("run")


def test_higher_level_serves_lower_ones(environment: ModuleType) -> None:
    finish(environment, "dev")
    assert environment.is_ready("run") and environment.is_ready("test") and environment.is_ready("dev")


def test_moved_clone_has_no_environment(environment: ModuleType, tmp_path: Path) -> None:
    finish(environment, "run")
    (environment.VENV / "audiogrid-home").write_text(str(tmp_path))
    assert not environment.moved()
    environment.ROOT = tmp_path / "elsewhere"
    shutil.copytree(tmp_path, environment.ROOT, ignore=shutil.ignore_patterns("elsewhere"))
    environment.VENV = environment.ROOT / ".venv"
    assert environment.moved() and not environment.is_ready("run")


def test_old_python_is_told_what_to_do(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(environment.sys, "version_info", (3, 9, 2))
    monkeypatch.setattr(environment.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit) as caught:
        environment.find_python()
    assert caught.value.code == 2
    assert "3.11 or newer is needed" in capsys.readouterr().err
    monkeypatch.setattr(environment.shutil, "which", lambda name: f"/usr/bin/{name}" if name == "python3.12" else None)
    assert environment.find_python() == "/usr/bin/python3.12"


def test_missing_venv_module_is_told_what_to_do(
    environment: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(SystemExit):
        environment.check_venv(str(python))
    assert "apt-get install python3-venv" in capsys.readouterr().err
    environment.check_venv(sys.executable)


def test_failure_shows_the_log(environment: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "setup.log"
    log.touch()
    with pytest.raises(SystemExit):
        environment.run_quietly([sys.executable, "-c", "print('the reason'); raise SystemExit(3)"], log, "pip install")
    err = capsys.readouterr().err
    assert "the reason" in err and "exit code 3" in err and str(log) in err
    environment.run_quietly([sys.executable, "-c", "print('quiet')"], log, "pip install")
    assert capsys.readouterr().err == ""
