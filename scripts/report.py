"""Close a run: summary.tsv, failed.tsv and, after a failure, the last lines a person reads.

With `--partial` (after a failed run) the recordings that are complete get their transcripts first.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from audiogrid.closing import (
    Merged,
    MergeSettings,
    facts_from_journals,
    merge_bundle,
    withhold,
    write_failures,
)
from audiogrid.command import run
from audiogrid.ending import read_ending
from audiogrid.log import open_log
from audiogrid.merging import write_summary
from audiogrid.plan import Plan
from audiogrid.progress import RunFolder
from audiogrid.runstate import is_intact
from audiogrid.store import Store


def _up_to_date(folder: RunFolder, plan: Plan, bundle: str) -> bool:
    """Whether a bundle was merged from the shard reports that are there now."""
    path = folder.merged / f"{bundle}.json"
    reports = [folder.shards / f"{shard}.json" for shard in plan.shards_of_bundle[bundle]]
    try:
        newest = max(report.stat().st_mtime_ns for report in reports)
        return path.stat().st_mtime_ns >= newest and is_intact(folder, path)
    except (OSError, ValueError):
        return False


def gather(folder: RunFolder, plan: Plan, store: Store, settings: MergeSettings, *, partial: bool) -> list[Merged]:
    """What became of every bundle; after a failed run, what can be merged is merged now."""
    found = []
    for bundle in plan.bundles:
        if not partial or _up_to_date(folder, plan, bundle.bundle):
            found.append(Merged.read(folder.merged / f"{bundle.bundle}.json"))
        else:
            facts = facts_from_journals(folder, plan, bundle.bundle)
            found.append(merge_bundle(plan, bundle.bundle, facts, store, settings, folder))
            withhold(folder, found[-1])
    return found


def main(argv: list[str]) -> None:
    """Write the tables of a run and say how it ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-dir", type=Path, required=True, help="results/<run>")
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--settings", type=json.loads, required=True, help="fields of MergeSettings, JSON")
    parser.add_argument("--partial", action="store_true", help="the run failed: merge what is complete")
    parser.add_argument("--log", type=Path)
    arguments = parser.parse_args(argv)
    folder = RunFolder(arguments.run_dir)
    plan = Plan.read(folder.plan)
    open_log(arguments.log)
    settings = MergeSettings(**arguments.settings)
    bundles = gather(folder, plan, Store(arguments.store), settings, partial=arguments.partial)
    failures = [failure for merged in bundles for failure in merged.failures]
    # Bundles that were merged before rows named their model lack it.
    models = {recording.recording: plan.model_of(recording) for recording in plan.recordings}
    rows = [{"model": models[row["recording"]], **row} for merged in bundles for row in merged.rows]
    write_failures(folder.failed, failures)
    write_summary(folder.summary, rows)
    if arguments.partial:
        print("\n".join(["", *read_ending(folder).lines]), file=sys.stderr)


if __name__ == "__main__":
    run(main)
