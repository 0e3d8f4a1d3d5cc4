"""Collects what one ``embed`` job has to do: the chunks of a shard whose recordings are asked to have speakers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from audiogrid.embedding.chunk_voices import EmbeddingOptions
from audiogrid.embedding.embedders import CAMPPLUS, voices_key
from audiogrid.embedding.worker import PROGRAM
from audiogrid.hardware.cores import usable_memory
from audiogrid.records.plan import Plan, Shard
from audiogrid.transcribing.shard_job import ShardWork, chunks_to_do
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


def worker_settings(model_dir: Path, store: Path, own_store: Path) -> WorkerSettings:
    """Settings of the processes that embed: one thread each."""
    return WorkerSettings(
        model_dir=str(model_dir),
        model_hash=CAMPPLUS.identity,
        device="cpu",
        compute_type="",
        threads=1,
        batch_size=1,
        store=str(store),
        own_store=str(own_store),
        program=PROGRAM,
    )


def process_count(cores: int, ranks: int = 1) -> int:
    """Processes for this job on this machine: one a core, as far as the memory goes."""
    return max(1, min(cores, usable_memory() // ranks // (WORKER_MEMORY_MB * 1_000_000)))
