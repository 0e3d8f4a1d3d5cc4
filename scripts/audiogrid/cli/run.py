"""``audiogrid run``: transcribe."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from audiogrid.cli.command import Command, add_snakemake_options, snakemake_words
from audiogrid.core.errors import InputError
from audiogrid.orchestration.launch import config_tail, has_config_file, snakemake_arguments, split_arguments
from audiogrid.orchestration.project import is_project, start_options
from audiogrid.orchestration.start import become_snakemake


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is transcribed, and how Snakemake is started."""
    parser.add_argument(
        "sources", nargs="*", metavar="SOURCE", help="a file, folder, glob, table (.tsv, .csv), s3://..."
    )
    parser.add_argument("--run", metavar="NAME", default="", help="name below results/ (default: made from SOURCE)")
    add_snakemake_options(parser)


def arguments_for(options: argparse.Namespace, targets: Sequence[str], rest: Sequence[str]) -> list[str]:
    """Returns the arguments of ``snakemake`` for sources and options. Raises ``InputError`` if nothing is named."""
    here = Path()
    words = snakemake_words(options, targets, rest)
    start = start_options(options.profile, here)
    for value in options.config:
        if "=" not in value:
            raise InputError(f"--config {value}: write KEY=VALUE, and what to transcribe before --config")
    if options.sources or options.run:
        return snakemake_arguments(options.sources, options.run, words, start=start)
    arguments, config = split_arguments(words)
    named = has_config_file(arguments) or any(value.startswith("recordings=") for value in config)
    if not named and not is_project(here) and not (here / "config" / "config.yaml").is_file():
        raise InputError(
            "name what to transcribe (audiogrid run FOLDER), or make a project folder that says it (audiogrid init DIR)"
        )
    # The configuration says what, and under which name.
    return [*start, *arguments, *config_tail(config)]


def run(options: argparse.Namespace, rest: list[str]) -> None:
    """Start the workflow."""
    become_snakemake(arguments_for(options, (), rest))


COMMAND = Command(
    summary="transcribe recordings",
    explanation="Transcribe recordings into results/NAME/transcripts/. In a project folder (see audiogrid init) its "
    "configuration applies and says what to transcribe unless SOURCE does; elsewhere the defaults apply. "
    "The same command goes on with a run that was interrupted. Other options of Snakemake follow behind "
    "--.",
    example="audiogrid run talks/ 'lectures/*.mp3' --config model=small language=en",
    add_arguments=add_arguments,
    run=run,
    takes_snakemake_options=True,
)
