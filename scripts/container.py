"""What a container runs: the workflow on the mounted folders /recordings, /results and /models.

Reads RUN, RECORDINGS, CONFIG, MODEL, LANGUAGE, DEVICE, COMPUTE_TYPE, FORMATS and CORES from the
environment (docs/containers.md). Arguments go to Snakemake; ``doctor`` or ``status`` as the first
one start ``scripts/doctor.py`` or ``scripts/status.py`` with the rest.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from audiogrid.core.command import run
from audiogrid.orchestration.container import check_folders, hold_results, program, snakemake_words
from audiogrid.orchestration.stale_locks import DRIVER_NOTE

ROOT = Path(__file__).resolve().parent.parent


def say(sentence: str) -> None:
    """Tell the user, in order with what Snakemake prints."""
    print(sentence, file=sys.stderr, flush=True)


def main(arguments: list[str]) -> None:
    """Check the mounted folders, translate the environment, become Snakemake (or another command)."""
    os.chdir(ROOT)
    # Any number may be the user's, also one without a name.
    os.environ.setdefault("USER", "audiogrid")
    argv = program(arguments)
    if argv is None:
        results = Path("results").resolve()
        check_folders(results, say)
        # Another container's process numbers and host name mean nothing here: who holds the lock file is at work.
        if hold_results(results) and os.environ.get("AUDIOGRID_CONTAINER"):
            (ROOT / DRIVER_NOTE).unlink(missing_ok=True)
        argv = ["-m", "snakemake", *snakemake_words(os.environ, arguments, say)]
    os.execv(sys.executable, [sys.executable, *argv])


if __name__ == "__main__":
    run(main)
