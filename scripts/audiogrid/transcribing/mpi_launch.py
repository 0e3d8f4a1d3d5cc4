"""The command that starts a transcribe job of several ranks, and its resources on a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Ranks choose their cores themselves; Open MPI would bind each to a single one.
ON_THIS_MACHINE = "mpirun --bind-to none"
# Debian's and most sites' Slurm and Open MPI meet over PMIx.
ON_A_CLUSTER = "srun --mpi=pmix"


def is_mpi(mpi: Mapping[str, Any]) -> bool:
    """Returns whether the section ``mpi`` of the configuration asks for several ranks."""
    return bool(mpi["tasks"] > 1)


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
        launcher = f"{ON_A_CLUSTER} --cpus-per-task={threads}" if on_cluster else ON_THIS_MACHINE
    return f"{launcher} -n {mpi['tasks']} python -m mpi4py"


def mpi_resources(mpi: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the resources by which Snakemake's executors know an MPI job; none for a job of one rank."""
    return {"mpi": mpi["launcher"], "tasks": mpi["tasks"]} if is_mpi(mpi) else {}
