"""The command that starts a transcribe job of several ranks, and its resources on a cluster."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from typing import Any

from audiogrid.hardware.cores import usable_cores
from audiogrid.transcribing.mpi_library import find_mpi

# Ranks choose their cores themselves; Open MPI would bind each to a single one.
_BINDING = "--bind-to none"
# Debian's and most sites' Slurm and Open MPI meet over PMIx.
ON_A_CLUSTER = "srun --mpi=pmix"
# Open MPI 4 and 5 refuse to run as root, as in a container, and to start more ranks than there are cores.
_AS_ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
_MORE_RANKS_THAN_CORES = {
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}


def is_mpi(mpi: Mapping[str, Any]) -> bool:
    """Returns whether the section ``mpi`` of the configuration asks for several ranks."""
    return bool(mpi["tasks"] > 1)


def local_launcher(tasks: int) -> str:
    """Returns the command that starts ``tasks`` ranks on this machine, without their number."""
    variables = dict(_AS_ROOT) if os.geteuid() == 0 else {}
    if tasks > usable_cores():
        variables |= _MORE_RANKS_THAN_CORES
    mpi = find_mpi()
    program = "mpirun"
    if mpi is not None:
        variables |= mpi.environment()
        program = shlex.quote(str(mpi.mpirun))
    settings = "".join(f"{name}={shlex.quote(value)} " for name, value in variables.items())
    return f"{'env ' if settings else ''}{settings}{program} {_BINDING}"


def start_command(mpi: Mapping[str, Any], threads: int, on_cluster: bool) -> str:
    """Returns the command that runs the script: Python alone, or a launcher that starts every rank with it.

    ``threads``: cores of a rank. ``python -m mpi4py`` ends the whole job when a rank raises; without
    it the others would wait for ever.
    """
    if not is_mpi(mpi):
        return "python"
    launcher = mpi["launcher"]
    if launcher == "auto":
        # srun does not take the cores of a task from the job.
        launcher = f"{ON_A_CLUSTER} --cpus-per-task={threads}" if on_cluster else local_launcher(mpi["tasks"])
    return f"{launcher} -n {mpi['tasks']} python -m mpi4py"


def mpi_resources(mpi: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the resources by which Snakemake's executors know an MPI job; none for a job of one rank."""
    return {"mpi": mpi["launcher"], "tasks": mpi["tasks"]} if is_mpi(mpi) else {}
