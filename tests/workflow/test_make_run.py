"""`make run` from the outside: hostile names, the plain command it shows, exit codes, stale locks."""

from __future__ import annotations

import shlex
import sys

import pytest

from media import write_wav

pytestmark = pytest.mark.workflow

HOSTILE = "-a $(touch pwned) \"b\" 'c': 1.0 #x"


def make_run(workspace, *words: str, code: int = 0):
    """`make run` with this environment instead of one of the clone's own; make's code for any failure is 2."""
    return workspace.run("make", "run", f"ENV={sys.executable}", "SETUP=true", *words, code=code)


@pytest.fixture
def folder(workspace, speech) -> str:
    target = workspace.path / HOSTILE
    target.mkdir()
    write_wav(target / "-x 'y'.wav", speech(sentences=["The night train left the station on time."]).pcm)
    return HOSTILE


def test_hostile_folder_is_transcribed_and_the_shown_command_does_the_same(workspace, folder: str) -> None:
    done = make_run(workspace, f"AUDIO={folder}", "ARGS=--config language=en")
    run = workspace.path / "results" / "a_touch_pwned_b_c_1.0_x"
    assert "night train" in (run / "transcripts" / "_x__y_.txt").read_text()
    shown = next(line.strip() for line in done.stdout.splitlines() if line.startswith("  snakemake "))
    assert shlex.split(shown)[0] == "snakemake"
    again = workspace.run("bash", "-c", shown)
    assert "Nothing to be done" in again.stdout
    assert not (workspace.path / "pwned").exists()


def test_missing_folder_fails_with_its_name(workspace) -> None:
    done = make_run(workspace, "AUDIO=/no such/folder", code=2)
    assert "/no such/folder does not exist" in done.stdout


def test_stale_lock_is_removed_and_a_living_one_respected(workspace, folder: str) -> None:
    locks = workspace.path / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    (locks / "0.output.lock").write_text("results/x/summary.tsv\n")
    imposter = workspace.path / "snakemake"
    imposter.write_text("import time; print('ready', flush=True); time.sleep(600)")
    living = workspace.start("python", str(imposter))
    assert living.stdout and living.stdout.readline() == "ready\n"
    done = make_run(workspace, f"AUDIO={folder}", "ARGS=-n", code=2)
    assert f"process {living.pid}" in done.stdout and any(locks.iterdir())
    workspace.kill(living)
    living.wait()
    done = make_run(workspace, f"AUDIO={folder}", "ARGS=-n")
    assert "removed the lock" in done.stdout
    assert not locks.exists() or not any(locks.iterdir())
    assert (workspace.path / ".snakemake" / "audiogrid_driver.json").is_file()
