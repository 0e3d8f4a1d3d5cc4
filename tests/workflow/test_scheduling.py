"""How often Snakemake looks for jobs to start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.workflow

SNAKEFILE = """
from audiogrid.orchestration.executor import lift_default_rate

rule all:
    input: expand("{n}.done", n=range(12))

rule one:
    output: touch("{n}.done")
    shell: "sleep 0.3"

onstart:
    lift_default_rate(workflow.scheduler)
    select = workflow.scheduler.job_selector

    def noted(jobs):
        with open("looks", "a") as file:
            print(len(jobs), file=file)
        return select(jobs)

    workflow.scheduler.job_selector = noted
"""


def looks(folder: Path, *options: str) -> list[int]:
    """Runs twelve short jobs one by one. Returns how many waited each time that Snakemake looked at them."""
    folder.mkdir()
    (folder / "Snakefile").write_text(SNAKEFILE)
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *options]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2] / "scripts")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [int(line) for line in (folder / "looks").read_text().split()]


def test_snakemake_looks_at_waiting_jobs_once_for_each_that_ends(tmp_path: Path) -> None:
    assert sum(count > 1 for count in looks(tmp_path / "free")) <= 13


def test_a_limit_that_somebody_has_set_stays(tmp_path: Path) -> None:
    assert len(looks(tmp_path / "limited", "--max-jobs-per-timespan", "50/1s")) > 13
