"""The workflow from elsewhere: another working folder, a module, a git repository, an installed package."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import runs
from media import write_wav
from places import ROOT
from workspaces import Workspace

pytestmark = pytest.mark.workflow

MODULE = """
configfile: "config/config.yaml"

module audiogrid:
    snakefile:
        {snakefile!r}
    config:
        config

use rule * from audiogrid
"""
NOTHING = "Nothing to be done"


@pytest.fixture
def project(tmp_path: Path, base_model: Path) -> Iterator[Workspace]:
    """A folder that is no clone, with Whisper base staged in it."""
    folder = tmp_path.resolve() / "pro ject"
    (folder / "models").mkdir(parents=True)
    (folder / "models" / "base").symlink_to(base_model, target_is_directory=True)
    workspace = Workspace(folder)
    try:
        yield workspace
    finally:
        workspace.close()


@pytest.fixture
def say(speech) -> Callable[[Path, str], None]:
    def write(path: Path, sentence: str) -> None:
        path.parent.mkdir(exist_ok=True)
        write_wav(path, speech(sentences=[sentence]).pcm)

    return write


def test_one_clone_serves_other_folders_and_may_move(bare_workspace: Workspace, project: Workspace, say) -> None:
    clone = bare_workspace.path
    say(project.path / "talks" / "night.wav", "The night train left the station on time.")
    settings = ("--config", "run=x", "recordings=talks", "language=en", "formats=txt")

    def start(*options: str) -> str:
        """Snakemake with the profile of the clone, wherever that is now."""
        return project.run("snakemake", "--profile", f"{clone}/profiles/local", *options, *settings).stdout

    start("-s", f"{clone}/workflow/Snakefile")
    run = project.path / "results" / "x"
    assert "night train" in runs.text(run, "night")
    assert (project.path / ".snakemake").is_dir()
    assert not (clone / "results").exists() and not (clone / ".snakemake").exists()

    # The same from a third place, with Snakemake's own option for it.
    options = ("-s", f"{clone}/workflow/Snakefile", "-d", str(project.path))
    there = bare_workspace.run("snakemake", "--profile", f"{clone}/profiles/local", *options, *settings)
    assert NOTHING in there.stdout

    clone = clone.rename(clone.with_name("moved clone"))
    assert NOTHING in start("-s", f"{clone}/workflow/Snakefile")
    assert "python" not in json.loads((run / "plan.json").read_text())
    project.path = project.path.rename(project.path.with_name("moved project"))
    assert NOTHING in start("-s", f"{clone}/workflow/Snakefile")

    # As a module, and as a module whose files Snakemake reads from a git repository: what is done counts there, too.
    (project.path / "config").mkdir()
    (project.path / "config" / "config.yaml").write_text("run: y\n")
    (project.path / "Snakefile").write_text(MODULE.format(snakefile=f"{clone}/workflow/Snakefile"))
    done = start()
    assert NOTHING in done and "lacks its handlers" in done


def test_what_snakedeploy_writes_runs(bare_workspace: Workspace, project: Workspace, say, tmp_path: Path) -> None:
    """`snakedeploy deploy-workflow` copies config/ and profiles/ and writes a module whose files come from git."""
    clone = bare_workspace.path

    def git(*words: str) -> None:
        identity = ("-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "init.defaultBranch=main")
        subprocess.run(["git", *identity, "-C", str(clone), *words], check=True, capture_output=True)

    git("init")
    git("add", "workflow", "environment.yml")
    git("commit", "-m", "all")
    git("tag", "v1")
    shutil.copytree(clone / "config", project.path / "config")
    shutil.copytree(clone / "profiles", project.path / "profiles")
    (project.path / "workflow").mkdir()
    source = f"git+file://{clone}/workflow/Snakefile@v1"
    (project.path / "workflow" / "Snakefile").write_text(MODULE.format(snakefile=source))
    say(project.path / "talks" / "night.wav", "The night train left the station on time.")
    # The package is installed in the environment of Snakemake; here its library is found in the clone.
    env = {"PYTHONPATH": str(clone / "scripts")}
    settings = ("--config", "run=x", "recordings=talks", "language=en", "formats=txt")
    project.run("snakemake", "--profile", "profiles/local", *settings, env=env)
    assert "night train" in runs.text(project.path / "results" / "x", "night")


def test_a_partly_failed_run_of_a_project_made_by_init(
    bare_workspace: Workspace, project: Workspace, say, tmp_path: Path
) -> None:
    env = {"PYTHONPATH": str(bare_workspace.path / "scripts")}
    audiogrid = ("python", "-m", "audiogrid.cli")
    project.run(*audiogrid, "init", ".", env=env)
    say(project.path / "recordings" / "good.wav", "The night train left the station on time.")
    say(project.path / "recordings" / "bad.wav", "Nobody will ever read this sentence.")
    (project.path / "recordings" / "broken.wav").write_bytes(b"RIFF")
    faults = tmp_path / "faults" / "faults.json"
    faults.parent.mkdir()
    faults.write_text(json.dumps({"bad.0000": {"do": "raise"}}))
    settings = ("--config", "language=en", "formats=txt")
    done = project.run(*audiogrid, "run", *settings, env={**env, "AUDIOGRID_FAULTS": str(faults)}, code=1)
    assert "snakemake --profile profiles/local --config language=en formats=txt" in done.stdout
    run = project.path / "results" / "pro_ject"
    assert "night train" in runs.text(run, "good")
    assert not (run / "transcripts" / "bad.txt").exists()
    assert "lacks its handlers" not in done.stdout
    assert [row["recording"] for row in runs.table(run / "failed.tsv")] == ["bad"]
    assert "1 of 3 recording(s) transcribed" in done.stdout

    # Nothing failed any more, and still one recording is left out: the run says so and fails.
    done = project.run(*audiogrid, "run", *settings, env=env, code=1)
    assert "2 of 3 recording(s) transcribed" in done.stdout and "1 recording(s) rejected" in done.stdout
    assert (run / "transcripts" / "bad.txt").is_file()
    (project.path / "recordings" / "broken.wav").unlink()
    project.run(*audiogrid, "run", *settings, env=env)
    status = project.run(*audiogrid, "status", env=env)
    assert "2 of 2 recording(s) transcribed" in status.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Programs of an environment with audiogrid as a wheel; its dependencies are those of the tests."""
    folder = tmp_path_factory.mktemp("installed").resolve()
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(ROOT)]
    subprocess.run([*pip, *build], check=True, capture_output=True)
    (wheel,) = folder.glob("audiogrid-*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "env")], check=True)
    python = folder / "env" / "bin" / "python"
    install = ["--python", str(python), "install", "--no-deps", str(wheel)]
    subprocess.run([*pip, *install], check=True, capture_output=True)
    import numpy

    (packages,) = (folder / "env" / "lib").glob("python*/site-packages")
    (packages / "dependencies.pth").write_text(f"{Path(numpy.__file__).parents[1]}\n")
    return python.parent


def test_an_installed_package_makes_and_runs_a_project(installed: Path, project: Workspace, say) -> None:
    env = {"PATH": f"{installed}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": ""}
    talks = project.path / "talks"
    project.run("audiogrid", "init", "talks", env=env)
    (talks / "models").symlink_to(project.path / "models", target_is_directory=True)
    say(project.path / "spoken" / "night.wav", "The night train left the station on time.")
    project.path = talks
    settings = ("--config", "language=en", "formats=txt")
    done = project.run("audiogrid", "run", "../spoken", "--run", "first", *settings, env=env)
    assert "night train" in runs.text(talks / "results" / "first", "night")
    assert str(ROOT) not in done.stdout

    # Outside a project the packaged workflow applies, and results appear where the user stands.
    project.path = elsewhere = talks.parent / "spoken"
    (elsewhere / "models").symlink_to(talks / "models", target_is_directory=True)
    plan = project.run(
        "audiogrid", "plan", "night.wav", "--config", "language=en", f"store={talks}/results/store", env=env
    )
    assert "--snakefile" in plan.stdout and "audiogrid/snakemake/workflow/Snakefile" in plan.stdout
    assert "plan for results/night.wav" in plan.stdout
    asked = project.run("audiogrid", "run", env=env, code=2)
    assert "name what to transcribe" in asked.stdout
