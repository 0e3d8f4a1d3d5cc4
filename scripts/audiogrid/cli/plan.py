"""``audiogrid plan``: what a run would do."""

from __future__ import annotations

import argparse

from audiogrid.cli import run as run_command
from audiogrid.cli.command import Command
from audiogrid.orchestration.start import become_snakemake


def run(options: argparse.Namespace, rest: list[str]) -> None:
    """Start the workflow with the target ``plan``."""
    become_snakemake(run_command.arguments_for(options, ("plan",), rest))


COMMAND = Command(
    summary="say what a run would do: hours, chunks, jobs, cost",
    explanation="Look at the recordings and print what a run would do: hours of audio, chunks, shards, what the store "
    "has already, and the core-hours of the rest. Nothing is decoded. Takes what audiogrid run takes.",
    example="audiogrid plan talks/ --config model=medium",
    add_arguments=run_command.add_arguments,
    run=run,
    takes_snakemake_options=True,
)
