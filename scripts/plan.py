"""Make the plan of a run from what probe found, or show it (`--show`)."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from audiogrid.config.budget import Budget
from audiogrid.core.atomic_files import write_json
from audiogrid.core.command import run
from audiogrid.core.json_values import to_json
from audiogrid.core.log import open_log
from audiogrid.core.tsv import escape_cell
from audiogrid.embedding.chunk_voices import EmbeddingOptions
from audiogrid.embedding.embedders import CAMPPLUS, voices_key
from audiogrid.hardware.cores import usable_cores
from audiogrid.models.languages import known_languages
from audiogrid.planning.bundles_and_shards import plan_recordings, recordings_of
from audiogrid.planning.plan_settings import make_settings, settle_recordings
from audiogrid.planning.plan_summary import ModelSpeed, plan_summary_lines
from audiogrid.planning.prompt_remarks import add_prompt_remarks
from audiogrid.planning.store_preview import StoreLookup
from audiogrid.planning.throughput import embedding_speed, expected_speed
from audiogrid.planning.transcript_folders import is_divided
from audiogrid.planning.voices_preview import VoicesPreview, add_voices
from audiogrid.probing.collecting import collections_paused
from audiogrid.probing.probe import ProbeReport, write_rejected
from audiogrid.records.chunks import Chunk
from audiogrid.records.identified_languages import read_identified
from audiogrid.records.plan import Plan
from audiogrid.records.plan_files.reader import open_plan
from audiogrid.records.plan_files.writer import write_plan
from audiogrid.records.prices import Prices
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.store import Store, VoiceStore
from audiogrid.splitting.cut_cache import KnownCuts


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-dir", type=Path, required=True, help="results/<run>")
    parser.add_argument(
        "--model-dir", type=Path, nargs="+", required=True, help="folders of staged models, the run's first"
    )
    parser.add_argument("--settings", type=json.loads, help="the parts of the configuration that shape the plan, JSON")
    parser.add_argument(
        "--languages", type=Path, nargs="*", default=[], help="languages.json, where languages were identified"
    )
    parser.add_argument("--rejected", type=Path, help="rejected.tsv: what probe and this step leave out, with reasons")
    parser.add_argument("--store", type=Path, help="with --show: where to look for what is decoded already")
    parser.add_argument(
        "--accept-revisions",
        type=json.loads,
        default=[],
        help="with --show: earlier revisions of the decoding code whose results count, JSON",
    )
    parser.add_argument("--speakers", type=json.loads, help="with --show: the key of the configuration, JSON")
    parser.add_argument("--prices", type=json.loads, default={}, help="with --show: fields of Prices, JSON")
    parser.add_argument("--budget", type=json.loads, default={}, help="with --show: fields of Budget, JSON")
    parser.add_argument("--show", action="store_true", help="only say what the plan amounts to")
    parser.add_argument("--log", type=Path)
    return parser.parse_args(argv)


def _previous(folder: RunFolder) -> Plan | None:
    """Bundles and shards of the last time; a plan that cannot be read is as good as none."""
    try:
        return open_plan(folder.last_plan).without_recordings()
    except Exception:
        return None


@collections_paused()
def main(argv: list[str]) -> None:
    """Write ``plan.json`` (and a copy that survives Snakemake's clearing of outputs)."""
    arguments = _arguments(argv)
    folder = RunFolder(arguments.run_dir)
    if arguments.show:
        _show(arguments, folder)
        return
    log = open_log(arguments.log)
    wanted = arguments.settings
    settings = make_settings(wanted, arguments.model_dir)
    probed = ProbeReport.read(folder.probe)
    routed = settle_recordings(
        recordings_of(probed.recordings, settings.chunk_minutes),
        settings,
        wanted,
        {name: one for path in arguments.languages for name, one in read_identified(path).items()},
        {model_dir.name: known_languages(model_dir) for model_dir in arguments.model_dir},
    )
    recordings, shortened = add_prompt_remarks(routed.recordings, settings, arguments.model_dir)
    warnings = [*routed.warnings, *shortened]
    rejected = [*probed.rejected, *routed.refused]
    if arguments.rejected:
        write_rejected(arguments.rejected, rejected)
    for rejection in routed.refused:
        print(f"rejected {escape_cell(rejection.path)}: {escape_cell(rejection.reason)}", file=sys.stderr)
        log.warning("rejected %s: %s", escape_cell(rejection.path), escape_cell(rejection.reason))
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    previous = _previous(folder)
    plan = plan_recordings(recordings, settings, previous, rejected=len(rejected), warnings=warnings)
    plan = replace(plan, divided=is_divided(folder, previous, len(recordings)))
    write_plan(plan, folder.plan, folder.last_plan)
    speeds = _speeds(arguments.model_dir, folder)
    for line in plan_summary_lines(plan, speeds, usable_cores()):
        log.info(line)
    # What was expected, for the report to compare with.
    write_json(folder.estimate, {"speeds": to_json(speeds), "cores": usable_cores()})
    print(f"planned {len(plan.recordings)} recording(s), {len(plan.shards)} shard(s)", file=sys.stderr)


def _show(arguments: argparse.Namespace, folder: RunFolder) -> None:
    """Print what a plan amounts to. It is read by part, bundle after bundle."""
    plan, budget = open_plan(folder.plan), Budget(**arguments.budget)
    print(f"plan for {folder.root}:")
    preview, voices = None, None
    if arguments.store:
        store = Store(arguments.store, folder.own_store)
        accepted = arguments.accept_revisions
        lookup = StoreLookup(plan.settings, store, accepted, keeps_recordings=budget.is_limited)
        preview = lookup.found
        voices = VoicesPreview(*embedding_speed(folder.root.parent, CAMPPLUS.identity))
        is_embedded = _voices_in(VoiceStore(arguments.store, folder.own_store))
        cuts = KnownCuts(folder.root.parent, folder.root)
        for bundle in (one.bundle for one in plan.bundles):
            recordings = plan.recordings_of(bundle)
            known = cuts.of(bundle, recordings)
            names = (name for name in plan.shards_of_bundle[bundle] if not lookup.is_waiting(name))
            lookup.add(recordings, known, map(plan.whole_shard, names))
            add_voices(voices, recordings, known, arguments.speakers, is_embedded)
    speeds = _speeds(arguments.model_dir, folder)
    prices = Prices(**arguments.prices)
    lines = plan_summary_lines(plan, speeds, usable_cores(), preview, prices, voices, budget)
    print("\n".join(f"  {line}" for line in lines))


def _voices_in(store: VoiceStore) -> Callable[[Chunk], bool]:
    """Returns a function that tells whether the voices of a chunk are in a store."""
    options = EmbeddingOptions().identity()
    return lambda chunk: store.exists(voices_key(chunk, CAMPPLUS.identity, options))


def _speeds(model_dirs: list[Path], folder: RunFolder) -> dict[str, ModelSpeed]:
    return {model_dir.name: ModelSpeed(*expected_speed(model_dir, folder.root.parent)) for model_dir in model_dirs}


if __name__ == "__main__":
    run(main)
