"""Align one shard: what recordings are said to contain is held against their audio, into the store.

Over several nodes: start the same command as ranks of one MPI job, with `--mpi-tasks` saying how many.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

from audiogrid.aligning.align_shard import collect_texts
from audiogrid.aligning.worker import PROGRAM
from audiogrid.core.command import run
from audiogrid.embedding.embed_shard import Sentences
from audiogrid.hardware.node_share import NodeShare
from audiogrid.records.plan import Plan, Shard
from audiogrid.records.plan_files.reader import PlanFile
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.store import AlignedStore, Store
from audiogrid.transcribing.shard_command import ShardStage, add_model_arguments, run_shard, shard_parser
from audiogrid.transcribing.shard_workers import Workers, decoding_workers


def _workers(arguments: argparse.Namespace, plan: Plan, shard: Shard, share: NodeShare) -> Workers:
    encoder = plan.settings.options.get("encoder", "auto")
    workers = decoding_workers(arguments, share, plan.models[shard.model], encoder)
    return replace(workers, settings=replace(workers.settings, program=PROGRAM))


def main(argv: list[str]) -> None:
    """Align the shard and write its report; see ``run_shard``."""
    parser = shard_parser(__doc__)
    add_model_arguments(parser)
    parser.add_argument("--word-times", choices=["normal", "fine"], default="normal", help="fine: align every word")
    parser.add_argument("--glossary", default="", help="file of terms that are judged by the audio; empty: none")
    arguments = parser.parse_args(argv)
    own = RunFolder(arguments.run_dir).own_store
    stage = ShardStage(
        subject="texts of shard {}",
        decodes="aligns",
        advice=". Run the same command again, or leave column text and key glossary empty",
        margin_seconds=30.0,
        device=arguments.device,
        workers=lambda plan, shard, share: _workers(arguments, plan, shard, share),
        store=AlignedStore(arguments.store, own),
        journal=lambda folder: folder.aligned_journal,
        work=lambda plan, shard, folder: collect_texts(
            plan,
            shard,
            folder,
            Store(arguments.store, own),
            fine=arguments.word_times == "fine",
            glossary=arguments.glossary,
        ),
        display=lambda folder, plan: Sentences(),
        # A text is looked for in all that was heard of its recording.
        part=PlanFile.of_shard_and_neighbours,
    )
    run_shard(arguments, stage)


if __name__ == "__main__":
    run(main)
