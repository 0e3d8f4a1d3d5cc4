"""``audiogrid doctor``: examine this machine."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from audiogrid.cli.command import Command
from audiogrid.core.atomic_files import write_json
from audiogrid.core.errors import EXIT_BAD_INPUT, EXIT_DONE
from audiogrid.core.json_values import to_json

if TYPE_CHECKING:
    from audiogrid.hardware.doctor import Verdict


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to examine."""
    parser.add_argument("--model-dir", type=Path, default=Path("models/base"), help="default: models/base")
    parser.add_argument("--folder", type=Path, default=Path("results"), help="where results and store will be")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="as in the configuration")
    parser.add_argument("--compute-type", default="auto", metavar="TYPE", help="as in the configuration")
    parser.add_argument("--short", action="store_true", help="leave out what takes time: full hashes, file system")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the verdicts to this file")


def _verdicts(options: argparse.Namespace) -> Iterator[Verdict]:
    """Yields each verdict as soon as it is known."""
    from audiogrid.embedding.known_voices import check_speakers
    from audiogrid.hardware.doctor import run_checks

    yield from run_checks(
        options.model_dir, options.folder, options.device, options.compute_type, full=not options.short
    )
    if not options.short:
        yield check_speakers(options.model_dir.parent)


def run(options: argparse.Namespace, rest: list[str]) -> int:
    """Print the verdicts. The exit code says whether one of them is ``wrong``."""
    verdicts = []
    for verdict in _verdicts(options):
        print(verdict, flush=True)
        verdicts.append(verdict)
    if options.json:
        write_json(options.json, to_json(verdicts), indent=1)
    return EXIT_BAD_INPUT if any(verdict.state == "wrong" for verdict in verdicts) else EXIT_DONE


COMMAND = Command(
    summary="examine this machine: libraries, device, model, file system",
    explanation="Examine this machine and print one verdict per line: libraries, device, model, a known clip that is "
    "decoded, speakers that are told apart, file system. Exit code 2 if something is wrong. On a cluster run it as "
    "a job on each kind of node.",
    example="srun -p gpu --gpus=1 audiogrid doctor --device cuda",
    add_arguments=add_arguments,
    run=run,
)
