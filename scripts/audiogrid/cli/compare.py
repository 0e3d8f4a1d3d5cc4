"""``audiogrid compare``: error rates of several models or options on a sample."""

from __future__ import annotations

import argparse

from audiogrid.cli import run as run_command
from audiogrid.cli.command import Command
from audiogrid.orchestration.start import become_snakemake


def run(options: argparse.Namespace, rest: list[str]) -> None:
    """Start the workflow with the target ``compare``."""
    become_snakemake(run_command.arguments_for(options, ("compare",), rest))


COMMAND = Command(
    summary="compare models and options on a sample of the recordings",
    explanation="Decode a sample with every variant of the configuration, under every condition, and write "
    "results/NAME/compare.html. Needs the extra `compare` (pip install 'audiogrid[compare]'). Takes what "
    "audiogrid run takes.",
    example="audiogrid compare calls.tsv --config 'variants={turbo: {model: turbo}}'",
    add_arguments=run_command.add_arguments,
    run=run,
    takes_snakemake_options=True,
)
