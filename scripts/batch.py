"""Run several batches as ``make batch`` does: each in a Snakemake of its own, going on after a failed one.

Reads ``AUDIOGRID_BATCH`` and ``AUDIOGRID_ARGS`` from the environment, so that no shell ever interprets a file name.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

from audiogrid.core.command import run
from audiogrid.core.errors import EXIT_DONE, EXIT_RETRY, InputError
from audiogrid.orchestration.batches import batch_arguments, find_batches, result_lines, run_all
from audiogrid.orchestration.stale_locks import remove_stale_locks

ROOT = Path(__file__).resolve().parent.parent


def say(sentence: str) -> None:
    """Print a line on standard error, unbuffered, so that it stays in order with Snakemake's output."""
    print(sentence, file=sys.stderr, flush=True)


def main(arguments: list[str]) -> int:
    """Run the batches and report how each ended. Returns a failure code if one failed."""
    if arguments:
        raise InputError("batch.py takes no arguments: use make batch BATCH=name, or snakemake itself")
    os.chdir(ROOT)
    batches = find_batches(os.environ.get("AUDIOGRID_BATCH", ""))
    extra = os.environ.get("AUDIOGRID_ARGS", "")
    # The rules' commands find this environment's Python first.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"

    def start(batch: Path) -> int:
        options = batch_arguments(batch, extra)
        remove_stale_locks(Path.cwd(), say)
        say(f"\n{batch}: {shlex.join(['snakemake', *options])}")
        with subprocess.Popen(
            [sys.executable, "-m", "snakemake", *options], env={**os.environ, "PATH": path}
        ) as snakemake:
            try:
                return snakemake.wait()
            except KeyboardInterrupt:
                # Snakemake receives the interrupt, too, and ends its jobs cleanly.
                snakemake.wait()
                raise

    results = run_all(batches, start, time.monotonic)
    say("")
    for line in result_lines(results, batches):
        say(line)
    return EXIT_DONE if all(one.code == 0 for one in results) and len(results) == len(batches) else EXIT_RETRY


if __name__ == "__main__":
    run(main)
