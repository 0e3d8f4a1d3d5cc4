"""Commands of the project under a real ``mpirun``, on this machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from places import SCRIPTS

# All ranks on this machine, however few cores it has, also for root in a container.
OPEN_MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}


def interpreter(ranks: int) -> list[str]:
    """The words that start Python over so many ranks; 0: without MPI."""
    return (
        ["mpirun", "--bind-to", "none", "-n", str(ranks), sys.executable, "-m", "mpi4py"] if ranks else [sys.executable]
    )


def python(folder: Path, script: str, *options: str) -> str:
    """Run a command of the project in ``folder`` to its end. Returns its messages."""
    argv = [sys.executable, str(SCRIPTS / script), *options]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr
