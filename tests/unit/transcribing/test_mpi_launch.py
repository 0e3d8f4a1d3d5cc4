import os
import subprocess
import sys
from pathlib import Path

import pytest

from audiogrid.transcribing import mpi_launch
from audiogrid.transcribing.mpi_launch import is_mpi, mpi_resources, start_command
from audiogrid.transcribing.mpi_library import Mpi
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
        ("auto", True, "srun --mpi=pmix --cpus-per-task=4 -n 3 python -m mpi4py"),
        ("srun --mpi=pmi2 -N 2", True, "srun --mpi=pmi2 -N 2 -n 3 python -m mpi4py"),
    ],
)
def test_several_ranks_are_started_by_a_launcher(launcher, on_cluster, command):
    mpi = {"tasks": 3, "launcher": launcher}
    assert start_command(mpi, 4, on_cluster) == command
    assert mpi_resources(mpi)["tasks"] == 3


@pytest.mark.parametrize(("cores", "root"), [(2, False), (4, False), (2, True)])
def test_on_this_machine_its_mpi_starts_them(monkeypatch, cores, root):
    """More ranks than cores, and root, are what Open MPI refuses unless it is told otherwise."""
    monkeypatch.setattr(mpi_launch, "usable_cores", lambda: cores)
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
    monkeypatch.setattr(mpi_launch, "find_mpi", lambda: Mpi(Path("/opt/my mpi/bin/mpirun"), True))
    monkeypatch.setattr(Mpi, "environment", lambda self: {"MPI4PY_LIBMPI": "lib"})
    command = start_command({"tasks": 3, "launcher": "auto"}, 4, on_cluster=False)
    assert command.startswith("env ")
    assert command.endswith(" '/opt/my mpi/bin/mpirun' --bind-to none -n 3 python -m mpi4py")
    assert ("oversubscribe" in command) == (cores < 3)
    assert ("ALLOW_RUN_AS_ROOT" in command) == root
    assert "MPI4PY_LIBMPI=lib " in command


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
