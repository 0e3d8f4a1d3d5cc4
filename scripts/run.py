"""Start the workflow as ``make run`` does: show the plain Snakemake command, run it, pass on its exit code.

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
from audiogrid.orchestration.stale_locks import note_driver, release_stale

ROOT = Path(__file__).resolve().parent.parent


def say(sentence: str) -> None:
    """Tell the user, in order with what Snakemake prints."""
    print(sentence, file=sys.stderr, flush=True)


def main(arguments: list[str]) -> None:
    """Build the command, deal with a stale lock, run Snakemake in the clone."""
    if arguments:
        raise InputError("run.py takes no arguments: use make run AUDIO=folder, or snakemake itself")
    os.chdir(ROOT)
    recordings = os.environ.get("AUDIOGRID_AUDIO", "")
    options = snakemake_arguments(recordings, os.environ.get("AUDIOGRID_RUN", ""), os.environ.get("AUDIOGRID_ARGS", ""))
    release_stale(Path.cwd(), say)
    note_driver(Path.cwd())
    say("The plain command, after `. .venv/bin/activate`:")
    say(f"  {shlex.join(['snakemake', *options])}")
    # The rules' commands find this environment's Python first.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    # Become Snakemake: signals and the exit code need no passing on.
    os.execve(sys.executable, [sys.executable, "-m", "snakemake", *options], {**os.environ, "PATH": path})


if __name__ == "__main__":
    run(main)
