"""Embed one shard: voice vectors of every chunk whose recording is asked to have speakers, into the store.

Over several nodes: start the same command as ranks of one MPI job, with `--mpi-tasks` saying how many.
"""

from __future__ import annotations

import argparse
import json

from audiogrid.core.command import run
from audiogrid.embedding.embed_shard import Sentences, collect_voices, embedding_workers
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.speakers import embedded_chunks
from audiogrid.records.store import VoiceStore
from audiogrid.reporting.attempts import sum_journals
from audiogrid.transcribing.shard_command import ShardStage, run_shard, shard_parser


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = shard_parser(__doc__)
    parser.add_argument("--speakers", type=json.loads, required=True, help="the key of the configuration, JSON")
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    """Embed the shard and write its report; see ``run_shard``."""
    arguments = _arguments(argv)
    stage = ShardStage(
        subject="speakers of shard {}",
        decodes="embeds",
        advice=". Run the same command again, or set speakers: none",
        margin_seconds=15.0,
        device="cpu",
        workers=lambda plan, shard, share: embedding_workers(arguments, share),
        store=VoiceStore(arguments.store, RunFolder(arguments.run_dir).own_store),
        journal=lambda folder: folder.voices_journal,
        work=lambda plan, shard, folder: collect_voices(
            plan, shard, folder.chunks, embedded_chunks(plan, shard.shard, arguments.speakers)
        ),
        display=lambda folder, plan: Sentences(),
    )
    try:
        run_shard(arguments, stage)
    finally:
        sum_journals(RunFolder(arguments.run_dir).voices_journal, arguments.shard)


if __name__ == "__main__":
    run(main)
