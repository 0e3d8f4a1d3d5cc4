"""``audiogrid bag``: a run as a package for archives."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields, replace
from pathlib import Path

from audiogrid.archiving.bag_options import RECORDINGS, BagOptions, bag_options, checked_options
from audiogrid.archiving.deposit import make_bag, workflow_files
from audiogrid.cli.command import Command
from audiogrid.cli.run_argument import find_run
from audiogrid.orchestration.installation import workflow_home
from audiogrid.records.run_folder import RunFolder
from audiogrid.reporting.recorded_settings import recorded_setting


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which run, where to, and what the bag holds; what is not given is that of `publish` in the configuration."""
    parser.add_argument("run", metavar="RUN", help="name or folder of a run")
    parser.add_argument("--out", type=Path, metavar="DIR", help="the bag (default: bag/ in the run's folder)")
    parser.add_argument(
        "--recordings",
        choices=list(RECORDINGS),
        metavar="HOW",
        help="name (default), hash: read them, or copy them into the bag",
    )
    parser.add_argument("--mets", action="store_true", default=None, help="add METS with PREMIS per recording")
    parser.add_argument("--base-url", metavar="URL", help="where data/ will be on the web, for IIIF")
    parser.add_argument("--date", metavar="DATE", help="of publication (default: the end of the run)")
    parser.add_argument("--title", metavar="TEXT", help="what the package is called")
    parser.add_argument("--party", dest="responsible_party", metavar="WHO", help="who answers for it")
    parser.add_argument("--license", metavar="TEXT", help="a licence: its address, or words")


def _options(folder: RunFolder, given: argparse.Namespace) -> BagOptions:
    options = bag_options(recorded_setting(folder, "publish"), recorded_setting(folder, "format_options"))
    chosen = {field.name: getattr(given, field.name) for field in fields(BagOptions)}
    return checked_options(replace(options, **{name: value for name, value in chosen.items() if value is not None}))


def run(options: argparse.Namespace, rest: list[str]) -> None:
    """Make the bag and say what it holds. Raises ``InputError`` if there is nothing to pack, or no place for it."""
    folder = find_run(options.run)
    chosen = _options(folder, options)
    done = make_bag(folder, options.out or folder.bag, chosen, workflow_files(workflow_home()))
    account = done.account
    delivered = len(account.recordings) - account.missing
    again = f", {done.reused} of them as they were" if done.reused else ""
    print(f"{done.path}: a bag of {delivered} recording(s), {done.files} file(s), {done.size / 1e6:.1f} MB{again}")
    if account.missing:
        print(f"{account.missing} recording(s) have no transcript: {folder.failed} says why", file=sys.stderr)
    for name, why in done.left_out.items():
        print(f"not in the bag: {name}: {why}", file=sys.stderr)
    if not chosen.base_url:
        print(
            "IIIF manifests need to know where the bag's data/ will be on the web: --base-url says it. Until then they "
            "name a host that does not exist.",
            file=sys.stderr,
        )


COMMAND = Command(
    summary="pack a run for an archive: BagIt, RO-Crate, IIIF, METS",
    explanation="Make a bag (BagIt) of the transcripts and tables of a run, with checksums, a description as RO-Crate, "
    "a IIIF manifest per recording and, if asked for, METS. See docs/archiving.md.",
    example="audiogrid bag talks --mets --base-url https://archive.example.org/talks",
    add_arguments=add_arguments,
    run=run,
)
