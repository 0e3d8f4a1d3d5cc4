"""``audiogrid store prune``: remove results that no run refers to."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from audiogrid.cli.command import Command
from audiogrid.cli.run_argument import RESULTS
from audiogrid.core.errors import InputError
from audiogrid.orchestration.stale_locks import is_locked
from audiogrid.reporting.recorded_settings import run_store
from audiogrid.reporting.store_usage import plan_folders, referenced_keys, runs_of, unreferenced
from audiogrid.serving.removal import keys_of_service


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which store, and whether to remove anything."""
    parser.add_argument("action", choices=["prune"], help="prune: remove results that the plan of no run refers to")
    parser.add_argument("--store", type=Path, help="default: results/store")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder with the runs (default: results)")
    parser.add_argument(
        "--state",
        type=Path,
        default=Path("service"),
        help="of `audiogrid serve`, whose jobs refer to results (service)",
    )
    parser.add_argument("--yes", action="store_true", help="remove them; without it, only say what would be removed")


def run(options: argparse.Namespace, rest: list[str]) -> None:
    """Say what no run refers to, and remove it with ``--yes``. Raises ``InputError`` while a run is going on."""
    store = options.store or options.results / "store"
    if not store.is_dir():
        raise InputError(f"there is no store at {store.absolute()}: name it with --store")
    runs = [run for run in runs_of(options.results) if run_store(run).resolve() == store.resolve()]
    if not runs and not options.state.is_dir():
        raise InputError(f"no run in {options.results.absolute()} uses {store}: if all of it can go, remove the folder")
    if is_locked(Path.cwd()):
        raise InputError("a run is going on here, or was killed: wait for its end, or finish it, before you prune")
    keys = {key for run in runs for folder in plan_folders(run) for key in referenced_keys(folder)}
    jobs = keys_of_service(options.state)
    found = unreferenced(store, keys | jobs)
    names = ", ".join([*(run.root.name for run in runs), *(["the service"] if jobs else [])])
    print(f"{store}: {found.kept} result(s) that the plans of {names} refer to")
    verb = "removed" if options.yes else "to be removed"
    if options.yes:
        for path in found.files:
            path.unlink(missing_ok=True)
    print(f"{verb}: {len(found.files)} file(s), {found.size / 1e6:.1f} MB")
    if found.files and not options.yes:
        print(
            "--yes removes them. Runs in other folders that share this store are not seen here and would decode again.",
            file=sys.stderr,
        )


COMMAND = Command(
    summary="remove results of the store that no run refers to",
    explanation="Say which finished chunks in the store the plan of no run in results/ refers to (runs whose folders "
    "were removed, models and options that are no longer used), and remove them with --yes.",
    example="audiogrid store prune --yes",
    add_arguments=add_arguments,
    run=run,
)
