"""``audiogrid init``: lay out a project folder."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from audiogrid.cli.command import Command
from audiogrid.orchestration.new_project import RECORDINGS, lay_out


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which folder."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder to fill; . is this one")


def run(options: argparse.Namespace, rest: list[str]) -> None:
    """Make the files, and say what to do next."""
    made, kept = lay_out(options.folder)
    for name in made:
        print(f"made {options.folder / name}")
    for name in kept:
        print(f"kept {options.folder / name}, which was there")
    here = options.folder.resolve() == Path.cwd()
    enter = "" if here else f"cd {shlex.quote(str(options.folder))} && "
    print(f"Put recordings into {options.folder / RECORDINGS}/, or name others. Next:\n  {enter}audiogrid run")


COMMAND = Command(
    summary="lay out a project folder",
    explanation="Make a project folder: config/config.yaml with every key explained, profiles for this machine and "
    "for Slurm, and a Snakefile that runs the installed workflow. Files that are there stay as they are.",
    example="audiogrid init talks && cd talks && audiogrid run /data/talks",
    add_arguments=add_arguments,
    run=run,
)
