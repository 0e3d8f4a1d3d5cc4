"""What a run needs and this machine lacks, found out before anything is decoded, cut or submitted.

Each check raises ``InputError`` or ``RetryableError`` with one sentence: what is missing, and what to do.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from audiogrid.core.errors import InputError, RetryableError
from audiogrid.core.extras import install_command
from audiogrid.hardware.cores import usable_cores
from audiogrid.hardware.device_choice import GpuSearch, find_gpus
from audiogrid.models.conversion import is_checkpoint, require_converter
from audiogrid.models.registry import RECORD_NAME
from audiogrid.transcribing.mpi_launch import is_mpi
from audiogrid.transcribing.mpi_library import Mpi, fetch_mpi, find_mpi

# A controller under load takes its time; one that is down answers after Slurm's own timeout of 10 s.
SLURM_SECONDS = 40.0


def check_machine(
    settings: Mapping[str, Any],
    executor: str,
    on_cluster: bool,
    targets: Collection[str],
    warn: Callable[[str], None],
    models: Mapping[str, str] | None = None,
) -> None:
    """Raise ``InputError`` or ``RetryableError`` if this machine lacks something that the run needs.

    ``settings``: the resolved configuration; ``executor``: of Snakemake (``local``, ``slurm``); ``targets``: what
    Snakemake was asked for; ``warn`` gets a line about what is done without being asked for; ``models``: folder in
    ``models/`` -> model as the configuration names it.
    """
    check_converter(models or {})
    if "plan" in targets:
        return
    if executor == "slurm":
        check_slurm()
    if is_mpi(settings["mpi"]):
        check_mpi(settings["mpi"], on_cluster, warn)
    if not on_cluster and settings["device"] == "cuda":
        check_gpu()
    if "compare" in targets:
        check_extra("jiwer", "compare", "snakemake compare")


def check_extra(module: str, extra: str, wanted_by: str) -> None:
    """Raise ``InputError`` if a module of an extra of the project is not installed."""
    if find_spec(module) is None:
        raise InputError(f"{wanted_by} needs {module}, which is not installed: run {install_command(extra)}")


def check_converter(models: Mapping[str, str], staged: Path = Path("models")) -> None:
    """Raise ``InputError`` if a folder with a checkpoint has to be converted and the packages for it are missing."""
    for name, value in models.items():
        if not (staged / name / RECORD_NAME).is_file() and is_checkpoint(Path(value).expanduser()):
            require_converter(value)


def check_slurm(timeout: float = SLURM_SECONDS) -> None:
    """Raise if Slurm's commands are missing (``InputError``) or its controller does not answer (``RetryableError``)."""
    for program in ("sbatch", "squeue"):
        if shutil.which(program) is None:
            raise InputError(
                f"the jobs of this run go to Slurm, but {os.uname().nodename} has no {program}: start it on a login "
                "node of the cluster, or without --profile slurm to work on this machine"
            )
    try:
        argv = ["squeue", "--noheader", "--format=%i", f"--user={os.geteuid()}"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        reason = f"squeue gave no answer in {timeout:.0f} s"
    else:
        if done.returncode == 0:
            return
        reason = " ".join(done.stderr.split())[:300] or f"squeue ended with exit code {done.returncode}"
    raise RetryableError(
        f"the jobs of this run go to Slurm, which does not answer on {os.uname().nodename}: {reason}. "
        "Start again when `squeue` works there, or without --profile slurm to work on this machine"
    )


def check_mpi(
    mpi: Mapping[str, Any],
    on_cluster: bool,
    warn: Callable[[str], None],
    find: Callable[[], Mpi | None] = find_mpi,
    fetch: Callable[[], Mpi] = fetch_mpi,
) -> None:
    """Raise ``InputError`` if ranks cannot be started here. Takes Open MPI from a wheel if the machine has no MPI."""
    if find_spec("mpi4py") is None:
        raise InputError(
            f"mpi: {{tasks: N}} needs mpi4py, which is not installed: run {install_command('mpi')}, or set "
            "mpi: {tasks: 0}"
        )
    if mpi["launcher"] != "auto":
        program = shlex.split(mpi["launcher"])[0]
        # On a cluster the launcher runs in the job, on a node that may have other programs than this one.
        if not on_cluster and shutil.which(program) is None:
            raise InputError(
                f"mpi.launcher is {mpi['launcher']!r}, but {os.uname().nodename} has no command {program!r}"
            )
        return
    if on_cluster:
        return
    found = find()
    if found is None:
        found = fetch()
        warn(f"no MPI on this machine: Open MPI from a wheel is used, in {found.mpirun.parent.parent}")
    check_mpi_library(found)
    if mpi["tasks"] > usable_cores():
        warn(f"mpi: {mpi['tasks']} ranks share {usable_cores()} core(s) of this machine; they gain nothing over fewer")


def check_mpi_library(mpi: Mpi) -> None:
    """Raise ``InputError`` if mpi4py cannot load the library of ``mpi``; tried in a child process."""
    code = "import mpi4py.MPI"
    argv = [sys.executable, "-c", code]
    environment = {**os.environ, **mpi.environment()}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, cwd=Path.cwd())
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        raise InputError(
            f"mpi: {{tasks: N}}: there is {mpi.mpirun}, but mpi4py cannot load its library ({reason}); load the site's "
            "MPI module, or set MPI4PY_LIBMPI to the path of libmpi.so"
        )


def check_gpu(find: Callable[[], GpuSearch] = find_gpus) -> None:
    """Raise if ``device: cuda`` is set and this machine shows no GPU."""
    search = find()
    if search.cause:
        kind = InputError if search.is_setup else RetryableError
        raise kind(
            f"device: cuda is set, but {os.uname().nodename} has no GPU that can be used: {search.cause}. Correct that "
            "(`audiogrid doctor` tells more), or set device: auto or cpu"
        )
