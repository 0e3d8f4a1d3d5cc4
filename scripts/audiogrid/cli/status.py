"""``audiogrid status``: how far a run is."""

from __future__ import annotations

import argparse
from pathlib import Path

from audiogrid.cli.command import Command
from audiogrid.cli.run_argument import find_run, known_runs
from audiogrid.core.errors import InputError
from audiogrid.reporting.recorded_settings import run_store
from audiogrid.reporting.status import status_lines, text_so_far


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which run, and whether to print text."""
    parser.add_argument(
        "run", nargs="?", metavar="RUN", help="name or folder of a run (default: every run in results/)"
    )
    parser.add_argument("--text", metavar="RECORDING", help="print what is transcribed of this recording so far")
    parser.add_argument("--store", type=Path, help="with --text: default is the store that the run was started with")


def run(options: argparse.Namespace, rest: list[str]) -> None:
    """Print the state of one run, or of all."""
    if options.text is not None:
        if options.run is None:
            raise InputError("--text RECORDING needs RUN, too: audiogrid status RUN --text RECORDING")
        folder = find_run(options.run)
        print("\n".join(text_so_far(folder, options.text, options.store or run_store(folder))))
        return
    for folder in [find_run(options.run)] if options.run else known_runs():
        print("\n".join(status_lines(folder)))


COMMAND = Command(
    summary="say how far a run is",
    explanation="Say how far a run is, at any moment and from any terminal, or print the text of a recording as far "
    "as it is transcribed.",
    example="audiogrid status talks --text keynote",
    add_arguments=add_arguments,
    run=run,
)
