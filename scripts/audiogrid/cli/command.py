"""What a command of ``audiogrid`` consists of, and the options that several share."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """One command. ``summary``: a line in the list of commands; ``explanation`` and ``example``: its help text.

    ``run`` takes the parsed options and the words behind ``--``, which are for Snakemake. It returns the exit code.
    """

    summary: str
    explanation: str
    example: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, list[str]], int | None]
    takes_snakemake_options: bool = False


class _HelpFormatter(argparse.HelpFormatter):
    """Wraps explanations, and leaves the lines of examples as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if text.startswith(_EXAMPLE) else super()._fill_text(text, width, indent)


_EXAMPLE = "example:"


def parser_of(name: str, command: Command) -> argparse.ArgumentParser:
    """Returns the parser of one command."""
    parser = argparse.ArgumentParser(
        prog=f"audiogrid {name}",
        description=command.explanation,
        epilog=f"{_EXAMPLE}\n  {command.example}",
        formatter_class=_HelpFormatter,
    )
    command.add_arguments(parser)
    return parser


def add_snakemake_options(parser: argparse.ArgumentParser) -> None:
    """Options of the commands that start Snakemake; all others of Snakemake's follow behind ``--``."""
    parser.add_argument("--profile", default="local", help="local, slurm, or a profile of your own (default: local)")
    parser.add_argument("--cores", metavar="N", help="cores to use on this machine (default: all)")
    parser.add_argument("-n", "--dry-run", action="store_true", help="only list the jobs")
    parser.add_argument("--configfile", metavar="FILE", help="a configuration that overrides the project's")
    parser.add_argument(
        "--config", metavar="KEY=VALUE", nargs="+", action="extend", default=[], help="keys of the configuration"
    )


def snakemake_words(options: argparse.Namespace, targets: Sequence[str], rest: Sequence[str]) -> list[str]:
    """Returns arguments of ``snakemake``: targets, the shared options, and the words behind ``--``."""
    words = list(targets)
    if options.cores:
        words += ["--cores", options.cores]
    if options.dry_run:
        words.append("--dry-run")
    if options.configfile:
        words += ["--configfile", options.configfile]
    words += rest
    return [*words, "--config", *options.config] if options.config else words
