"""Collects what one ``embed`` job has to do: the chunks of a shard whose recordings are asked to have speakers."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from audiogrid.embedding.chunk_voices import EmbeddingOptions
from audiogrid.embedding.embedders import CAMPPLUS, voices_key
from audiogrid.embedding.worker import PROGRAM
from audiogrid.hardware.cores import usable_memory
from audiogrid.hardware.node_share import NodeShare
from audiogrid.records.plan import Plan, Shard
from audiogrid.records.run_folder import RunFolder
from audiogrid.transcribing.shard_job import ShardWork, chunks_to_do
from audiogrid.transcribing.shard_workers import Workers
from audiogrid.transcribing.worker import Job, WorkerSettings

#: The most that one process holds, with a chunk of half an hour.
WORKER_MEMORY_MB = 500


def collect_voices(plan: Plan, shard: Shard, chunks_root: Path, wanted: Sequence[str]) -> ShardWork:
    """Returns jobs and keys for the ``wanted`` chunks of a shard, from the manifests of its bundles.

    Raises ``RetryableError`` when a manifest is missing.
    """
    work = ShardWork(shard, CAMPPLUS.identity)
    options = EmbeddingOptions().identity()
    for chunk, folder, _ in chunks_to_do(plan, work, chunks_root, wanted):
        key = voices_key(chunk, CAMPPLUS.identity, options)
        work.facts.keys[chunk.chunk] = key
        work.jobs.append(Job(chunk, key, str(folder), {}))
    return work


def embedding_workers(arguments: argparse.Namespace, share: NodeShare) -> Workers:
    """Returns the processes that embed on this rank: one a core, of one thread each, as far as the memory goes.

    ``arguments``: of the command `embed`.
    """
    cores = min(arguments.cores or share.cores, share.cores)
    settings = WorkerSettings(
        model_dir=str(arguments.model_dir),
        model_hash=CAMPPLUS.identity,
        device="cpu",
        compute_type="",
        threads=1,
        batch_size=1,
        store=str(arguments.store),
        own_store=str(RunFolder(arguments.run_dir).own_store),
        program=PROGRAM,
    )
    memory = usable_memory() // share.ranks
    return Workers(max(1, min(cores, memory // (WORKER_MEMORY_MB * 1_000_000))), settings)


class Sentences:
    """Prints what a job has to say on standard error; a run shows the progress of its transcribe jobs only."""

    def say(self, sentence: str) -> None:
        """Print a sentence."""
        print(sentence, file=sys.stderr, flush=True)

    def tick(self) -> None:
        """Nothing changes between sentences."""

    def __enter__(self) -> Sentences:
        return self

    def __exit__(self, *error: object) -> None:
        pass
