"""Merge one bundle: stitch the chunks of each of its recordings and write every wanted format."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from audiogrid.core.command import run
from audiogrid.core.log import open_log
from audiogrid.merging.merge_bundle import MergeSettings, facts_from_reports, merge_bundle, require_all_chunks
from audiogrid.records.plan_files.reader import open_plan
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.store import Store
from audiogrid.reporting.bundle_sum_files import write_bundle_sum


def main(argv: list[str]) -> None:
    """Write transcripts and ``merged/<bundle>.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-dir", type=Path, required=True, help="results/<run>")
    parser.add_argument("--bundle", required=True)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--settings", type=json.loads, required=True, help="fields of MergeSettings, JSON")
    parser.add_argument("--corrections", default="", help="folder with what a person changed in transcripts")
    parser.add_argument("--generation", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--log", type=Path)
    arguments = parser.parse_args(argv)
    log = open_log(arguments.log)
    folder = RunFolder(arguments.run_dir)
    plan = open_plan(folder.plan).of_bundle(arguments.bundle)
    facts = facts_from_reports(folder, plan, arguments.bundle)
    store = Store(arguments.store, folder.own_store)
    settings = MergeSettings(**arguments.settings)
    # Without any for this bundle, the folder need not be listed, which may have very many.
    corrections = Path(arguments.corrections) if arguments.corrections and settings.corrections else None
    merged = merge_bundle(plan, arguments.bundle, facts, store, settings, folder, corrections)
    for failure in merged.failures:
        log.warning("%s", failure)
    require_all_chunks(merged, folder, plan)
    merged.write(arguments.output, arguments.generation)
    write_bundle_sum(folder, merged)
    log.info("merged %d recording(s)", len(merged.files))
    print(f"bundle {arguments.bundle}: {len(merged.files)} transcript(s) written", file=sys.stderr)


if __name__ == "__main__":
    run(main)
