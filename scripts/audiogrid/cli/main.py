# PYTHON_ARGCOMPLETE_OK
"""Entry point of the command ``audiogrid``: finds the command that is asked for and runs it."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from importlib import import_module

from audiogrid import __version__
from audiogrid.cli.command import Command, parser_of
from audiogrid.core.command import run
from audiogrid.core.errors import EXIT_BAD_INPUT, InputError

#: Command -> module (and the name of the command in it, where it has two), in the order of the help text.
COMMANDS = {
    "run": "audiogrid.cli.run",
    "align": "audiogrid.cli.run:ALIGN",
    "batch": "audiogrid.cli.batch",
    "plan": "audiogrid.cli.plan",
    "status": "audiogrid.cli.status",
    "search": "audiogrid.cli.search",
    "clips": "audiogrid.cli.clips",
    "compare": "audiogrid.cli.compare",
    "doctor": "audiogrid.cli.doctor",
    "models": "audiogrid.cli.models",
    "bag": "audiogrid.cli.bag",
    "store": "audiogrid.cli.store",
    "speakers": "audiogrid.cli.speakers",
    "corrections": "audiogrid.cli.corrections",
    "score": "audiogrid.cli.score",
    "serve": "audiogrid.cli.serve",
    "init": "audiogrid.cli.init",
}
_END = """start here: audiogrid init talks && cd talks && audiogrid run /data/talks
`audiogrid COMMAND --help` explains a command. Tab completion: eval "$(register-python-argcomplete audiogrid)"
"""


class _ListFormatter(argparse.RawDescriptionHelpFormatter):
    """Gives the names of commands enough room for the longest one, so that each has a line."""

    def add_argument(self, action: argparse.Action) -> None:
        """Note how wide an option or a list of commands is."""
        super().add_argument(action)
        self._action_max_length = max(self._action_max_length, 4 + max(map(len, COMMANDS)))


def load(name: str) -> Command:
    """Returns the command of this name. Raises ``InputError`` with the nearest known one."""
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, 1)
        advice = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(COMMANDS)}"
        raise InputError(f"there is no command {name!r}: {advice}")
    module, _, attribute = COMMANDS[name].partition(":")
    command: Command = getattr(import_module(module), attribute or "COMMAND")
    return command


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of all commands, for the help text and for completion."""
    parser = argparse.ArgumentParser(
        prog="audiogrid",
        description="Turn recordings into accurate, time-stamped transcripts and subtitles.",
        epilog=_END,
        formatter_class=_ListFormatter,
        # The usage names both options; a section for them would push the list off the screen.
        usage="audiogrid [-h] [--version] COMMAND ...",
        add_help=False,
    )
    parser.add_argument("-h", "--help", action="help", help=argparse.SUPPRESS)
    parser.add_argument("--version", action="version", version=f"audiogrid {__version__}", help=argparse.SUPPRESS)
    commands = parser.add_subparsers(metavar="COMMAND", title="commands")
    for name in COMMANDS:
        command = load(name)
        command.add_arguments(commands.add_parser(name, help=command.summary))
    return parser


def call(arguments: list[str]) -> int | None:
    """Run the command that ``arguments`` begin with. Returns its exit code. Raises ``AudiogridError``."""
    if not arguments or arguments[0].startswith("-"):
        parser = build_parser()
        parser.parse_args(arguments)
        parser.print_help(sys.stderr)
        return EXIT_BAD_INPUT
    command = load(arguments[0])
    # What follows `--` is for Snakemake, also where it looks like an option of ours.
    rest = arguments[1:]
    cut = rest.index("--") if "--" in rest else len(rest)
    if rest[cut:] and not command.takes_snakemake_options:
        raise InputError(f"audiogrid {arguments[0]} starts no Snakemake: nothing can follow `--`")
    parser = parser_of(arguments[0], command)
    # Options may stand before, between and after what they belong to.
    options = parser.parse_intermixed_args(rest[:cut])
    return command.run(options, rest[cut + 1 :])


def main() -> None:
    """Run the command line of this process and exit with its code."""
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(build_parser())
    run(call)
