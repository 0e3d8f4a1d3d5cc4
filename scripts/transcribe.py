"""Transcribe one shard: every chunk that is not in the store is decoded into it.

Over several nodes: start the same command as ranks of one MPI job, with `--mpi-tasks` saying how many.
"""

from __future__ import annotations

import argparse
import json

from audiogrid.core.command import run
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.store import Store
from audiogrid.reporting.attempts import sum_journals
from audiogrid.reporting.progress import RunProgress
from audiogrid.reporting.progress_bar import ProgressDisplay
from audiogrid.transcribing.shard_command import ShardStage, add_model_arguments, run_shard, shard_parser
from audiogrid.transcribing.shard_job import collect
from audiogrid.transcribing.shard_workers import decoding_workers


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = shard_parser(__doc__)
    parser.add_argument(
        "--accept-revisions",
        type=json.loads,
        default=[],
        help="earlier revisions of the decoding code whose stored results are used, JSON",
    )
    add_model_arguments(parser)
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    """Transcribe the shard and write its report; see ``run_shard``."""
    arguments = _arguments(argv)
    store = Store(arguments.store, RunFolder(arguments.run_dir).own_store)
    stage = ShardStage(
        subject="shard {}",
        decodes="decodes",
        advice="",
        margin_seconds=30.0,
        device=arguments.device,
        workers=lambda plan, shard, share: decoding_workers(
            arguments, share, plan.models[shard.model], plan.settings.options.get("encoder", "auto")
        ),
        store=store,
        journal=lambda folder: folder.journal,
        work=lambda plan, shard, folder: collect(plan, shard, folder.chunks, store, arguments.accept_revisions),
        display=lambda folder, plan: ProgressDisplay(RunProgress(folder, plan)),
    )
    try:
        run_shard(arguments, stage)
    finally:
        # Whoever reports on the run then need not read what was noted of every chunk.
        sum_journals(RunFolder(arguments.run_dir).journal, arguments.shard)


if __name__ == "__main__":
    run(main)
