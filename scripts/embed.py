"""Embed one shard: voice vectors of every chunk whose recording is asked to have speakers, into the store.

Over several nodes: start the same command as ranks of one MPI job, with `--mpi-tasks` saying how many.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import socket
import sys
import time
from pathlib import Path

from audiogrid.core.command import run
from audiogrid.core.errors import AudiogridError, RetryableError
from audiogrid.core.log import open_log
from audiogrid.embedding.embed_shard import collect_voices, process_count, worker_settings
from audiogrid.hardware.cores import usable_cores
from audiogrid.records.journal import Journal
from audiogrid.records.plan import Plan
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.speakers import embedded_chunks
from audiogrid.records.store import VoiceStore
from audiogrid.transcribing.coordinator import Coordinator
from audiogrid.transcribing.protocol import Link, Registration
from audiogrid.transcribing.rank import WorkerRank
from audiogrid.transcribing.retrying_pool import WorkerPool
from audiogrid.transcribing.scheduler import Limits
from audiogrid.transcribing.shard_job import transcribe, write_report
from audiogrid.transcribing.signals import TerminatedError, handle_signals

# Starting Python, loading the networks and the last write need this much of a job's time.
MARGIN_SECONDS = 15.0


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-dir", type=Path, required=True, help="results/<run>")
    parser.add_argument("--shard", required=True)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--model-dir", type=Path, required=True, help="the staged speaker networks")
    parser.add_argument("--speakers", type=json.loads, required=True, help="the key of the configuration, JSON")
    parser.add_argument("--cores", type=int, default=0, help="cores to use (0: all this process may use)")
    parser.add_argument("--attempts", type=int, default=2, help="tries per chunk")
    parser.add_argument("--chunk-timeout-minutes", type=float, default=0.0, help="0: by length")
    parser.add_argument("--minutes", type=float, default=0.0, help="the job's time limit (0: none)")
    parser.add_argument(
        "--allow-gaps", choices=["yes", "no"], default="no", help="leave failed chunks to merge, without speakers"
    )
    parser.add_argument("--mpi-tasks", type=int, default=0, help="ranks of the MPI job that this is one of (0: no MPI)")
    parser.add_argument(
        "--mpi-silence-seconds", type=float, default=120.0, help="a rank without a message for so long is lost"
    )
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--log", type=Path)
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    """Embed the shard and write its report. Raises ``RetryableError`` that names the chunks that failed.

    In an MPI job rank 0 does this, and the other ranks embed what it assigns.
    """
    began = time.monotonic()
    arguments = _arguments(argv)
    if not arguments.mpi_tasks:
        _lead(arguments, began, Coordinator(), _processes(arguments, usable_cores(), 1))
        return
    from audiogrid.transcribing.mpi import World

    with World(arguments.mpi_tasks) as world:
        share = world.share_of_node("cpu")
        processes = _processes(arguments, share.cores, share.ranks)
        if world.rank:
            _follow(arguments, world.link, processes)
            world.is_closed = True
            return
        coordinator = Coordinator(world.link, arguments.mpi_silence_seconds)
        try:
            _lead(arguments, began, coordinator, processes)
        finally:
            lost = coordinator.close()
            world.is_closed = not lost
        if lost:
            raise RetryableError(f"{', '.join(map(str, lost))} did not end in time; all results are in the store")


def _processes(arguments: argparse.Namespace, cores: int, ranks: int) -> int:
    return process_count(min(arguments.cores or cores, cores), ranks)


def _registration(processes: int) -> Registration:
    return Registration(socket.gethostname(), os.getpid(), processes, 1)


def _follow(arguments: argparse.Namespace, link: Link, processes: int) -> None:
    """Embed what rank 0 assigns until it ends the job."""
    limits = Limits(arguments.attempts, arguments.chunk_timeout_minutes * 60)
    rank = WorkerRank(link, _registration(processes), limits, arguments.mpi_silence_seconds)
    check = handle_signals(rank)

    def make_pool(count: int) -> WorkerPool:
        own_store = RunFolder(arguments.run_dir).own_store
        settings = worker_settings(arguments.model_dir, arguments.store, own_store)
        return WorkerPool(settings, count, limits.attempts, rank.timeout, rank.warn)

    rank.run(make_pool, check, TerminatedError)


def _lead(arguments: argparse.Namespace, began: float, coordinator: Coordinator, processes: int) -> None:
    """Embed the shard, together with the other ranks of ``coordinator`` if there are any."""
    log = open_log(arguments.log)
    folder = RunFolder(arguments.run_dir)
    plan = Plan.read(folder.plan)
    shard = plan.shard[arguments.shard]
    wanted = embedded_chunks(plan, shard.shard, arguments.speakers)
    work = collect_voices(plan, shard, folder.chunks, wanted)
    log.info("%d chunks, %d process(es)", len(work.jobs), processes)
    coordinator.wait_for_ranks(_registration(processes))
    limits = Limits(
        attempts=arguments.attempts,
        chunk_timeout=arguments.chunk_timeout_minutes * 60,
        ends_at=began + arguments.minutes * 60 - MARGIN_SECONDS if arguments.minutes else math.inf,
    )
    journal = Journal(folder.voices_journal, shard.shard, shard.spec)

    def warn(sentence: str) -> None:
        log.warning(sentence)
        journal.warning(sentence)
        print(sentence, file=sys.stderr)

    store = VoiceStore(arguments.store, folder.own_store)
    settings = worker_settings(arguments.model_dir, arguments.store, folder.own_store)
    try:
        report = transcribe(work, store, journal, settings, processes, limits, warn, lambda: None, coordinator)
    except AudiogridError as error:
        journal.end(str(error))
        raise
    log.info("%d outcomes in %.1f s, embedded with %s", len(report.outcomes), report.seconds, report.made)
    if report.stopped_by:
        raise RetryableError(
            f"speakers of shard {shard.shard} stopped early because {report.stopped_by}; finished chunks are in the "
            "store, and the retry embeds the others"
        )
    if report.failed and arguments.allow_gaps == "no":
        causes = "; ".join(f"{chunk}: {cause}" for chunk, cause in sorted(report.failed.items())[:5])
        raise RetryableError(
            f"speakers of shard {shard.shard}: {len(report.failed)} chunk(s) failed ({causes}); all others are in the "
            "store. Run the same command again, or set speakers: none"
        )
    write_report(arguments.output, work, report, 1)
    print(
        f"speakers of shard {shard.shard}: {len(report.outcomes)} chunk(s) in {report.seconds:.1f} s", file=sys.stderr
    )


if __name__ == "__main__":
    run(main)
