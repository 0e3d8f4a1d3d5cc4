"""What ``make run`` starts: prints the plain Snakemake command, then runs it.

Reads ``AUDIOGRID_AUDIO``, ``AUDIOGRID_RUN`` and ``AUDIOGRID_ARGS`` from the environment, so that no
shell ever interprets a file name.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from audiogrid.core.command import run
from audiogrid.core.errors import InputError
from audiogrid.orchestration.launch import snakemake_arguments
from audiogrid.orchestration.stale_locks import record_driver, remove_stale_locks

ROOT = Path(__file__).resolve().parent.parent


def say(sentence: str) -> None:
    """Print a line on standard error, unbuffered, so that it stays in order with Snakemake's output."""
    print(sentence, file=sys.stderr, flush=True)


def main(arguments: list[str]) -> None:
    """Build the command, remove a stale lock, run Snakemake in the clone."""
    if arguments:
        raise InputError("run.py takes no arguments: use make run AUDIO=folder, or snakemake itself")
    os.chdir(ROOT)
    recordings = os.environ.get("AUDIOGRID_AUDIO", "")
    options = snakemake_arguments(recordings, os.environ.get("AUDIOGRID_RUN", ""), os.environ.get("AUDIOGRID_ARGS", ""))
    remove_stale_locks(Path.cwd(), say)
    record_driver(Path.cwd())
    say("The plain command, after `. .venv/bin/activate`:")
    say(f"  {shlex.join(['snakemake', *options])}")
    # The rules' commands find this environment's Python first.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    # Replace this process with Snakemake, so that signals and the exit code are its own.
    os.execve(sys.executable, [sys.executable, "-m", "snakemake", *options], {**os.environ, "PATH": path})


if __name__ == "__main__":
    run(main)
