"""Copy the results of a run to object storage: what is not there yet, or is there as another version."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from audiogrid.archiving.bag_options import bag_options
from audiogrid.archiving.deposit import make_bag, workflow_files
from audiogrid.core.command import run
from audiogrid.core.errors import InputError, RetryableError
from audiogrid.core.log import open_log
from audiogrid.orchestration.installation import workflow_home
from audiogrid.records.bags import PAYLOAD, bag_files
from audiogrid.records.run_folder import RunFolder
from audiogrid.remote.publishing import publish, publish_settings, target
from audiogrid.remote.storage_services import storage_addresses
from audiogrid.reporting.recorded_settings import recorded_setting

_SHOWN = 3


def main(argv: list[str]) -> None:
    """Upload and say what was done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-dir", type=Path, required=True, help="results/<run>")
    parser.add_argument("--to", required=True, help=f"{storage_addresses()}; the run's name is added")
    parser.add_argument("--as", dest="form", choices=["files", "bag"], default="files", help="bag: docs/archiving.md")
    parser.add_argument("--log", type=Path)
    arguments = parser.parse_args(argv)
    if not arguments.run_dir.is_dir():
        raise InputError(f"{arguments.run_dir} is not there; give the folder of a run, such as results/samples")
    log = open_log(arguments.log)
    to = target(arguments.to, arguments.run_dir.name)
    as_bag = arguments.form == "bag"
    if as_bag:
        done = publish(arguments.run_dir, to, _make_bag(arguments.run_dir), PAYLOAD)
    else:
        done = publish(arguments.run_dir, to)
    for name, reason in done.failed.items():
        log.warning("not uploaded: %s: %s", name, reason)
    if done.failed:
        causes = [f"  {name}: {reason}" for name, reason in list(done.failed.items())[:_SHOWN]]
        total = len(done.files) + len(done.failed)
        sentence = f"{len(done.failed)} of {total} result file(s) are not in {to.public}, which the same command mends:"
        raise (InputError if done.refused else RetryableError)("\n".join([sentence, *causes]))
    if done.others:
        raise InputError(
            f"{len(done.others)} file(s) in {to.public} are not in this bag, which makes it invalid. This command "
            f"deletes nothing there; remove them: {', '.join(done.others[:_SHOWN])}"
        )
    same = len(done.files) - len(done.fresh)
    print(f"published in {to.public}: {len(done.fresh)} file(s) uploaded, {same} there already", file=sys.stderr)


def _make_bag(run_dir: Path) -> list[list[tuple[str, Path]]]:
    """Make the run's bag. Returns its files in the order in which they are uploaded. Raises as ``make_bag`` does."""
    folder = RunFolder(run_dir)
    wish = recorded_setting(folder, "publish")
    options = bag_options(wish, recorded_setting(folder, "format_options"))
    make_bag(folder, folder.bag, options, workflow_files(workflow_home()), publish_settings(wish).wish)
    return bag_files(folder.bag)


if __name__ == "__main__":
    run(main)
