"""``audiogrid batch``: several configurations one after another."""

from __future__ import annotations

import argparse
from pathlib import Path

from audiogrid.cli.command import Command
from audiogrid.orchestration.batches import find_batches
from audiogrid.orchestration.project import start_options
from audiogrid.orchestration.start import run_batches


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which batches, and the profile of all."""
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="name in config/batches/, or a file (default: all there)"
    )
    parser.add_argument("--profile", default="local", help="local, slurm, or a profile of your own (default: local)")


def run(options: argparse.Namespace, rest: list[str]) -> int:
    """Run the batches. Returns a failure code if one failed."""
    batches = find_batches(options.names)
    return run_batches(batches, rest, start_options(options.profile, Path()), "audiogrid batch ")


COMMAND = Command(
    summary="run several configurations one after another",
    explanation="Run each configuration file in config/batches/, or those that are named, one after another, also "
    "after one that failed. Options and targets of Snakemake follow behind --.",
    example="audiogrid batch hearings talks -- plan",
    add_arguments=add_arguments,
    run=run,
    takes_snakemake_options=True,
)
