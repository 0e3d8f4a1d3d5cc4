"""Write the tables of a run, search.html and report.html; after a failure also print the last lines of the run.

With `--partial` (after a failed run) all complete recordings are merged first.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from audiogrid.core.atomic_files import write_text
from audiogrid.core.command import run
from audiogrid.core.errors import AudiogridError
from audiogrid.core.log import open_log
from audiogrid.core.stop_note import read_stop
from audiogrid.corrections.corrections_file import list_files
from audiogrid.embedding.link_run import link_run
from audiogrid.merging.differences_table import join_differences, join_names
from audiogrid.merging.ledger_table import join_parts, write_ledger
from audiogrid.merging.merge_bundle import (
    FAILURE_COLUMNS,
    MergedBundle,
    MergeSettings,
    facts_from_journals,
    merge_bundle,
)
from audiogrid.merging.summary_table import SUMMARY_COLUMNS
from audiogrid.merging.superseded import supersede, suspected_bundles
from audiogrid.orchestration.generations import is_intact
from audiogrid.records.journal import list_journals
from audiogrid.records.plan import Plan
from audiogrid.records.plan_files.reader import PlanFile, open_plan
from audiogrid.records.prices import Prices
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.speakers import link_of
from audiogrid.records.store import Store, VoiceStore
from audiogrid.records.written_files import WrittenLists
from audiogrid.reporting.gathered_run import GatheredRun, gather
from audiogrid.reporting.last_lines import read_run_summary
from audiogrid.reporting.notices import kept_transcripts, write_notices
from audiogrid.reporting.report_data import read_report_data
from audiogrid.reporting.report_page import render_report
from audiogrid.searching.build_index import build_index, remove_index


def _up_to_date(folder: RunFolder, plan: PlanFile, bundle: str, corrections: Mapping[str, list[Path]]) -> bool:
    """Whether a bundle was merged from the shard reports and the corrections that are there now."""
    path = folder.merged / f"{bundle}.json"
    reports = [folder.shards / f"{shard}.json" for shard in plan.shards_of_bundle[bundle]]
    own = [file for name in plan.names_of(bundle) for file in corrections.get(name, ())] if corrections else []
    try:
        newest = max(file.stat().st_mtime_ns for file in [*reports, *own])
        return path.stat().st_mtime_ns >= newest and is_intact(folder, path)
    except (OSError, ValueError):
        return False


def _merge_unless_done(
    folder: RunFolder,
    plan: PlanFile,
    store: Store,
    settings: MergeSettings,
    corrections: Path | None,
    *,
    is_stopped: bool,
) -> tuple[list[str], Callable[[str], MergedBundle | None], int]:
    """Returns the bundles that a failed run has something of, a function that merges one, and recordings in others.

    The function returns ``None`` for a bundle that is merged already. ``is_stopped``: the run was stopped on purpose;
    bundles of which nothing was decoded then wait. In another failed run they have failed.
    """
    if is_stopped:
        # What nobody has tried to decode is no gap.
        settings = replace(settings, allow_gaps=False)
    journals = list_journals(folder.journal)
    corrected = list_files(corrections) if corrections is not None else {}
    reports = {path.stem for path in folder.shards.glob("*.json")} if folder.shards.is_dir() else set()
    begun = journals.keys() | reports
    bundles = [
        bundle.bundle
        for bundle in plan.bundles
        if not is_stopped or not begun.isdisjoint(plan.shards_of_bundle[bundle.bundle])
    ]

    def merge(bundle: str) -> MergedBundle | None:
        if _up_to_date(folder, plan, bundle, corrected):
            return None
        part = plan.of_bundle(bundle)
        facts = facts_from_journals(folder, part, bundle, journals)
        return merge_bundle(part, bundle, facts, store, settings, folder, corrections)

    reached = set(bundles)
    left = sum(bundle.recordings for bundle in plan.bundles if bundle.bundle not in reached)
    return bundles, merge, left


def _link(folder: RunFolder, plan: Plan, store: VoiceStore, settings: MergeSettings, log: logging.Logger) -> None:
    """Link the voices that the failed run has found. Where that fails, too, everything else is still reported."""
    try:
        link_run(folder, plan, store, settings.speakers, allow_gaps=settings.allow_gaps)
    except AudiogridError as error:
        log.warning("%s", error)
        print(f"warning: {error}", file=sys.stderr)


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-dir", type=Path, required=True, help="results/<run>")
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--settings", type=json.loads, required=True, help="fields of MergeSettings, JSON")
    parser.add_argument("--corrections", default="", help="folder with what a person changed in transcripts")
    parser.add_argument("--prices", type=json.loads, default={}, help="fields of Prices, JSON")
    parser.add_argument("--partial", action="store_true", help="the run failed: merge what is complete")
    parser.add_argument("--log", type=Path)
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    """Write the tables and the page of a run; after a failure also print its last lines."""
    arguments = _arguments(argv)
    folder = RunFolder(arguments.run_dir)
    # A run may fail before planning; the page then says so.
    plan = None if arguments.partial and not folder.plan.is_file() else open_plan(folder.plan)
    log = open_log(arguments.log)
    gathered = GatheredRun()
    if plan is not None:
        settings = MergeSettings(**arguments.settings)
        store = Store(arguments.store, folder.own_store)
        if arguments.partial and link_of(settings.speakers):
            _link(folder, plan.whole(), VoiceStore(store.root, store.own), settings, log)
        corrections = Path(arguments.corrections) if arguments.corrections else None
        gathered = _tables(folder, plan, store, settings, corrections, is_partial=arguments.partial)
    data = read_report_data(folder, plan, gathered)
    page = render_report(data, folder.root.name, folder.config, Prices(**arguments.prices))
    write_text(folder.report, page)
    if arguments.partial:
        print("\n".join(["", *read_run_summary(folder).lines]), file=sys.stderr)


def _tables(
    folder: RunFolder,
    plan: PlanFile,
    store: Store,
    settings: MergeSettings,
    corrections: Path | None,
    *,
    is_partial: bool,
) -> GatheredRun:
    """Write the tables of a run, and the search index. Returns what its bundles amount to."""
    bundles, merge, left = [bundle.bundle for bundle in plan.bundles], None, 0
    stop = read_stop(folder.stop) if is_partial else None
    if is_partial:
        bundles, merge, left = _merge_unless_done(
            folder, plan, store, settings, corrections, is_stopped=stop is not None
        )
    counts = {name: plan.bundle[name].recordings for name in bundles}
    gathered = gather(folder, counts, merge, is_stopped=stop is not None)
    gathered.waiting += left
    if stop is not None:
        replace(stop, waiting=gathered.waiting).write(folder.stop)
    join_parts(folder.failed, FAILURE_COLUMNS, gathered.failed)
    moved = supersede(folder, plan, gathered.suspects)
    suspects = suspected_bundles(plan, WrittenLists(folder), gathered.suspects)
    write_notices(folder, moved, gathered.total.edited, kept_transcripts(folder, gathered.lost, suspects))
    write_ledger(folder, bundles)
    if settings.search:
        build_index(folder, bundles)
    else:
        remove_index(folder)
    join_differences(folder, bundles)
    join_names(folder, bundles)
    join_parts(folder.summary, SUMMARY_COLUMNS, gathered.summary)
    return gathered


if __name__ == "__main__":
    run(main)
