"""Copy the results of a run to object storage: what is not there yet, or is there as another version."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from audiogrid.core.command import run
from audiogrid.core.errors import InputError, RetryableError
from audiogrid.core.log import open_log
from audiogrid.remote.publishing import publish, target
from audiogrid.remote.storage_services import storage_addresses

_SHOWN = 3


def main(argv: list[str]) -> None:
    """Upload and say what was done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-dir", type=Path, required=True, help="results/<run>")
    parser.add_argument("--to", required=True, help=f"{storage_addresses()}; the run's name is added")
    parser.add_argument("--log", type=Path)
    arguments = parser.parse_args(argv)
    if not arguments.run_dir.is_dir():
        raise InputError(f"{arguments.run_dir} is not there; give the folder of a run, such as results/samples")
    log = open_log(arguments.log)
    to = target(arguments.to, arguments.run_dir.name)
    done = publish(arguments.run_dir, to)
    for name, reason in done.failed.items():
        log.warning("not uploaded: %s: %s", name, reason)
    if done.failed:
        causes = [f"  {name}: {reason}" for name, reason in list(done.failed.items())[:_SHOWN]]
        total = len(done.files) + len(done.failed)
        sentence = f"{len(done.failed)} of {total} result file(s) are not in {to.public}, which the same command mends:"
        raise (InputError if done.refused else RetryableError)("\n".join([sentence, *causes]))
    same = len(done.files) - len(done.fresh)
    print(f"published in {to.public}: {len(done.fresh)} file(s) uploaded, {same} there already", file=sys.stderr)


if __name__ == "__main__":
    run(main)
