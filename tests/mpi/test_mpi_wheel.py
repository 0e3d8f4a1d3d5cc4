"""MPI from a wheel, without an administrator, and the site's beside it."""

from __future__ import annotations

import ast
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from audiogrid.core.errors import InputError
from audiogrid.transcribing import mpi_launch
from audiogrid.transcribing.mpi_library import Mpi, fetch_mpi, find_mpi
from require import require

pytestmark = pytest.mark.mpi

HELLO = """
from mpi4py.MPI import COMM_WORLD, Get_library_version
version = Get_library_version().split(",")[0]
everybody = COMM_WORLD.gather(version)
if everybody:
    print(everybody)
"""


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python environment's folder with Open MPI from the wheel."""
    folder = tmp_path_factory.mktemp("environment")
    try:
        fetch_mpi(folder)
    except InputError as error:
        require("mpi wheel", False, str(error))
    return folder


def start(mpi: Mpi, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The library that each of three ranks has; one core must do for them, and root must be allowed."""
    monkeypatch.setattr(mpi_launch, "find_mpi", lambda: mpi)
    monkeypatch.setattr(mpi_launch, "usable_cores", lambda: 1)
    argv = [*shlex.split(mpi_launch.local_launcher(3)), "-n", "3", sys.executable, "-c", HELLO]
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("OMPI_", "PMIX_", "PRTE_"))}
    done = subprocess.run(argv, env=kept, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return ast.literal_eval(done.stdout)


def test_ranks_start_with_the_wheel_where_nothing_else_is(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mpi = find_mpi({"PATH": "/nowhere"}, prefix)
    assert mpi is not None
    assert start(mpi, monkeypatch) == ["Open MPI v5.0.11"] * 3


def test_the_sites_mpi_is_used_where_both_are(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require("mpi", shutil.which("mpirun"), "apt-get install openmpi-bin")
    mpi = find_mpi(os.environ, prefix)
    assert mpi is not None and not mpi.is_from_wheel
    said = start(mpi, monkeypatch)
    assert len(said) == 3 and "Open MPI v5.0.11" not in said
