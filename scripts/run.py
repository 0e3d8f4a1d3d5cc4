"""What ``make run`` starts: prints the plain Snakemake command, then runs it.

Reads ``AUDIOGRID_AUDIO``, ``AUDIOGRID_RUN`` and ``AUDIOGRID_ARGS`` from the environment, so that no
shell ever interprets a file name.
"""

from __future__ import annotations

import os
from pathlib import Path

from audiogrid.core.command import run
from audiogrid.core.errors import InputError
from audiogrid.orchestration.launch import parse_words, snakemake_arguments
from audiogrid.orchestration.start import become_snakemake

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str]) -> None:
    """Build the command, remove a stale lock, run Snakemake in the clone."""
    if arguments:
        raise InputError("run.py takes no arguments: use make run AUDIO=folder, or snakemake itself")
    os.chdir(ROOT)
    words = parse_words(os.environ.get("AUDIOGRID_ARGS", ""))
    recordings, name = os.environ.get("AUDIOGRID_AUDIO", ""), os.environ.get("AUDIOGRID_RUN", "")
    become_snakemake(snakemake_arguments(recordings, name, words), ", after `. .venv/bin/activate`")


if __name__ == "__main__":
    run(main)
