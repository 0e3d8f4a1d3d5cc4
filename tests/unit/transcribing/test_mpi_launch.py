import os
import subprocess
import sys

import pytest

from audiogrid.transcribing.mpi_launch import is_mpi, mpi_resources, start_command
from places import SCRIPTS


@pytest.mark.parametrize("tasks", [0, 1])
def test_one_rank_is_the_ordinary_job(tasks):
    mpi = {"tasks": tasks, "launcher": "auto"}
    assert not is_mpi(mpi)
    assert start_command(mpi, 4, on_cluster=True) == "python"
    # Their mere presence would make it an MPI job for the cluster's executor.
    assert mpi_resources(mpi) == {}


@pytest.mark.parametrize(
    ("launcher", "on_cluster", "command"),
    [
        ("auto", False, "mpirun --bind-to none -n 3 python -m mpi4py"),
        ("auto", True, "srun --mpi=pmix --cpus-per-task=4 -n 3 python -m mpi4py"),
        ("srun --mpi=pmi2 -N 2", True, "srun --mpi=pmi2 -N 2 -n 3 python -m mpi4py"),
    ],
)
def test_several_ranks_are_started_by_a_launcher(launcher, on_cluster, command):
    mpi = {"tasks": 3, "launcher": launcher}
    assert start_command(mpi, 4, on_cluster) == command
    assert mpi_resources(mpi)["tasks"] == 3


def test_without_mpi4py_the_error_says_what_to_install(tmp_path):
    (tmp_path / "mpi4py").mkdir()
    (tmp_path / "mpi4py" / "__init__.py").write_text("raise ImportError('No module named mpi4py')")
    options = ["--run-dir=x", "--shard=s0001", "--store=x", "--model-dir=x", "--output=x", "--mpi-tasks=2"]
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "transcribe.py"), *options],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "pip install '.[mpi]'" in done.stderr
    assert "Traceback" not in done.stderr
