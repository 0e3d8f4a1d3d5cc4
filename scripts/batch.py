"""Run several batches as ``make batch`` does: each in a Snakemake of its own, going on after a failed one.

Reads ``AUDIOGRID_BATCH`` and ``AUDIOGRID_ARGS`` from the environment, so that no shell ever interprets a file name.
"""

from __future__ import annotations

import os
from pathlib import Path

from audiogrid.core.command import run
from audiogrid.core.errors import InputError
from audiogrid.orchestration.batches import find_batches, parse_names
from audiogrid.orchestration.launch import PROFILE, parse_words
from audiogrid.orchestration.start import run_batches

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str]) -> int:
    """Run the batches and report how each ended. Returns a failure code if one failed."""
    if arguments:
        raise InputError("batch.py takes no arguments: use make batch BATCH=name, or snakemake itself")
    os.chdir(ROOT)
    batches = find_batches(parse_names(os.environ.get("AUDIOGRID_BATCH", "")))
    words = parse_words(os.environ.get("AUDIOGRID_ARGS", ""))
    return run_batches(batches, words, ("--profile", PROFILE), "make batch BATCH=")


if __name__ == "__main__":
    run(main)
