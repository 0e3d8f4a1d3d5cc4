"""Make the plan of a run from what probe found, or show it (`--show`)."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

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
from audiogrid.planning.store_preview import preview_store
from audiogrid.planning.throughput import embedding_speed, expected_speed
from audiogrid.planning.transcript_folders import is_divided
from audiogrid.planning.voices_preview import VoicesPreview, preview_voices
from audiogrid.probing.collecting import collections_paused
from audiogrid.probing.probe import ProbeReport, write_rejected
from audiogrid.records.chunks import Chunk
from audiogrid.records.identified_languages import read_identified
from audiogrid.records.plan import Plan
from audiogrid.records.plan_files.reader import open_plan, read_plan
from audiogrid.records.plan_files.writer import write_plan
from audiogrid.records.prices import Prices
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.store import Store, VoiceStore
from audiogrid.splitting.cut_cache import CutIdentity, read_cuts


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
        plan = read_plan(folder.plan)
        print(f"plan for {folder.root}:")
        preview = voices = None
        if arguments.store:
            cuts = read_cuts(folder.root.parent, plan.recordings)
            preview = preview_store(plan, cuts, Store(arguments.store, folder.own_store), arguments.accept_revisions)
            voices = _voices(plan, cuts, folder, arguments.store, arguments.speakers)
        lines = plan_summary_lines(
            plan,
            _speeds(arguments.model_dir, folder),
            usable_cores(),
            preview,
            Prices(**arguments.prices),
            voices,
            Budget(**arguments.budget),
        )
        print("\n".join(f"  {line}" for line in lines))
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


def _voices(
    plan: Plan, cuts: Mapping[CutIdentity, Sequence[Chunk]], folder: RunFolder, store: Path, speakers: Any
) -> VoicesPreview:
    """What embedding the voices of a plan will cost. ``speakers``: the key of the configuration."""
    known, options = VoiceStore(store, folder.own_store), EmbeddingOptions().identity()

    def is_stored(chunk: Chunk) -> bool:
        return known.exists(voices_key(chunk, CAMPPLUS.identity, options))

    return preview_voices(plan, cuts, speakers, is_stored, embedding_speed(folder.root.parent, CAMPPLUS.identity))


def _speeds(model_dirs: list[Path], folder: RunFolder) -> dict[str, ModelSpeed]:
    return {model_dir.name: ModelSpeed(*expected_speed(model_dir, folder.root.parent)) for model_dir in model_dirs}


if __name__ == "__main__":
    run(main)
