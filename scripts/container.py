"""Entry point of the container images: runs the workflow on the mounted folders /recordings, /results and /models.

Reads RUN, RECORDINGS, CONFIG, MODEL, LANGUAGE, DEVICE, COMPUTE_TYPE, FORMATS and CORES from the
environment (docs/containers.md). Arguments go to Snakemake; ``doctor`` or ``status`` as the first
one start ``scripts/doctor.py`` or ``scripts/status.py`` with the rest.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from audiogrid.core.command import run
from audiogrid.orchestration.container import check_folders, container_arguments, lock_results, other_command
from audiogrid.orchestration.stale_locks import DRIVER_RECORD
from audiogrid.orchestration.start import snakemake_environment

ROOT = Path(__file__).resolve().parent.parent


def say(sentence: str) -> None:
    """Print a line on standard error, unbuffered, so that it stays in order with Snakemake's output."""
    print(sentence, file=sys.stderr, flush=True)


def main(arguments: list[str]) -> None:
    """Check the mounted folders, turn the environment into arguments, run Snakemake (or another command)."""
    os.chdir(ROOT)
    argv = other_command(arguments)
    if argv is None:
        results = Path("results").resolve()
        check_folders(results, say)
        # Process ids and host name of another container mean nothing here: only the file lock tells who is running.
        if lock_results(results) and os.environ.get("AUDIOGRID_CONTAINER"):
            (ROOT / DRIVER_RECORD).unlink(missing_ok=True)
        argv = ["-m", "snakemake", *container_arguments(os.environ, arguments, say)]
    os.execve(sys.executable, [sys.executable, *argv], snakemake_environment())


if __name__ == "__main__":
    run(main)
