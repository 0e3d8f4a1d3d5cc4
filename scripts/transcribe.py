"""Transcribe one shard: every chunk that is not in the store is decoded into it.

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
from dataclasses import dataclass, replace
from pathlib import Path

from audiogrid.core.command import run
from audiogrid.core.errors import AudiogridError, RetryableError
from audiogrid.core.log import open_log
from audiogrid.hardware.cores import divide, usable_cores, usable_memory
from audiogrid.hardware.device_choice import choose_device
from audiogrid.hardware.node_share import NodeShare
from audiogrid.records.journal import Journal
from audiogrid.records.plan import Plan
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.store import Store
from audiogrid.reporting.progress import RunProgress
from audiogrid.reporting.progress_bar import ProgressDisplay
from audiogrid.transcribing.coordinator import Coordinator
from audiogrid.transcribing.protocol import Link, Registration
from audiogrid.transcribing.rank import WorkerRank
from audiogrid.transcribing.retrying_pool import WorkerPool
from audiogrid.transcribing.scheduler import Limits
from audiogrid.transcribing.shard_job import collect, transcribe, write_report
from audiogrid.transcribing.signals import TerminatedError, handle_signals
from audiogrid.transcribing.worker import WorkerSettings

# Starting Python, loading the model and the last write need this much of a job's time.
MARGIN_SECONDS = 30.0


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-dir", type=Path, required=True, help="results/<run>")
    parser.add_argument("--chunks-dir", type=Path, help="where the audio was split (default: chunks/ in the run-dir)")
    parser.add_argument("--shard", required=True)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument(
        "--accept-revisions",
        type=json.loads,
        default=[],
        help="earlier revisions of the decoding code whose stored results are used, JSON",
    )
    parser.add_argument("--model-dir", type=Path, required=True)
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--compute-type", default="auto")
    parser.add_argument("--cores", type=int, default=0, help="cores to use (0: all this process may use)")
    parser.add_argument("--processes", type=int, default=0, help="worker processes (0: choose)")
    parser.add_argument("--threads", type=int, default=0, help="threads per worker process (0: choose)")
    parser.add_argument("--batch-size", type=int, default=0, help="windows decoded at once (0: choose)")
    parser.add_argument("--attempts", type=int, default=2, help="tries per chunk")
    parser.add_argument("--chunk-timeout-minutes", type=float, default=0.0, help="0: by length")
    parser.add_argument("--minutes", type=float, default=0.0, help="the job's time limit (0: none)")
    parser.add_argument(
        "--examine", choices=["yes", "no"], default="no", help="decode a known clip before trusting this machine"
    )
    parser.add_argument(
        "--allow-gaps", choices=["yes", "no"], default="no", help="leave failed chunks to merge as gaps"
    )
    parser.add_argument("--generation", type=int, default=1)
    parser.add_argument("--mpi-tasks", type=int, default=0, help="ranks of the MPI job that this is one of (0: no MPI)")
    parser.add_argument(
        "--mpi-silence-seconds", type=float, default=120.0, help="a rank without a message for so long is lost"
    )
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--log", type=Path)
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    """Transcribe the shard and write its report. Raises ``RetryableError`` that names the chunks that failed.

    In an MPI job rank 0 does this, and the other ranks decode what it assigns.
    """
    began = time.monotonic()
    arguments = _arguments(argv)
    if not arguments.mpi_tasks:
        _lead(arguments, began, Coordinator(), NodeShare(usable_cores(), 1))
        return
    from audiogrid.transcribing.mpi import World

    with World(arguments.mpi_tasks) as world:
        share = world.share_of_node(arguments.device)
        if share.gpus is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(share.gpus)
        if world.rank:
            _follow(arguments, world.link, share)
            world.is_closed = True
            return
        coordinator = Coordinator(world.link, arguments.mpi_silence_seconds)
        try:
            _lead(arguments, began, coordinator, share)
        finally:
            lost = coordinator.close()
            world.is_closed = not lost
        if lost:
            raise RetryableError(f"{', '.join(map(str, lost))} did not end in time; all results are in the store")


@dataclass(frozen=True)
class Workers:
    """Worker processes of this rank, the settings of each, and warnings about the choice of device."""

    processes: int
    settings: WorkerSettings
    warnings: tuple[str, ...] = ()


def _workers(arguments: argparse.Namespace, share: NodeShare, planned_hash: str) -> Workers:
    """Returns the worker processes of this rank: chooses the device, and divides cores and GPUs among processes.

    A rank whose device cannot be used has no process, if other ranks can do its work. Alone, it raises the error.
    """
    cores = min(arguments.cores or share.cores, share.cores)
    model_bytes = (arguments.model_dir / "model.bin").stat().st_size
    division = divide(cores, model_bytes, usable_memory() // share.ranks, arguments.processes, arguments.threads)
    settings = WorkerSettings(
        model_dir=str(arguments.model_dir),
        model_hash=planned_hash,
        device="cpu",
        compute_type=arguments.compute_type,
        threads=division.threads,
        batch_size=arguments.batch_size,
        store=str(arguments.store),
        own_store=str(RunFolder(arguments.run_dir).own_store),
        examine=arguments.examine == "yes",
    )
    if arguments.device == "cuda" and share.gpus == []:
        # There are more ranks than GPUs on this node: this one has nothing to decode on.
        return Workers(0, settings)
    try:
        choice = choose_device(
            arguments.device, arguments.model_dir, arguments.compute_type, division.threads, share.gpus
        )
    except AudiogridError as error:
        if arguments.mpi_tasks <= 1:
            raise
        return Workers(0, settings, (str(error),))
    settings = replace(settings, device=choice.device, why=choice.why)
    if choice.device == "cpu":
        return Workers(division.processes, settings, choice.warnings)
    # One process per GPU, whatever ``processes`` is: a second one on the same GPU gains nothing.
    count = len(choice.gpus)
    settings = replace(
        settings,
        gpus=choice.gpus,
        # Each of them has just decoded the clip.
        examine=False,
        threads=arguments.threads or max(1, min(4, cores // count)),
        reserve=(division.processes, division.threads) if arguments.device == "auto" else (0, 0),
    )
    return Workers(count, settings, choice.warnings)


def _registration(workers: Workers) -> Registration:
    return Registration(socket.gethostname(), os.getpid(), workers.processes, workers.settings.threads)


def _follow(arguments: argparse.Namespace, link: Link, share: NodeShare) -> None:
    """Decode what rank 0 assigns until it ends the job."""
    plan = Plan.read(RunFolder(arguments.run_dir).plan)
    workers = _workers(arguments, share, plan.models[plan.shard[arguments.shard].model])
    limits = Limits(arguments.attempts, arguments.chunk_timeout_minutes * 60)
    worker_rank = WorkerRank(link, _registration(workers), limits, arguments.mpi_silence_seconds)
    check = handle_signals(worker_rank)

    def make_pool(count: int) -> WorkerPool:
        for sentence in workers.warnings:
            worker_rank.warn(sentence)
        return WorkerPool(workers.settings, count, limits.attempts, worker_rank.timeout, worker_rank.warn)

    worker_rank.run(make_pool, check, TerminatedError)


def _lead(arguments: argparse.Namespace, began: float, coordinator: Coordinator, share: NodeShare) -> None:
    """Transcribe the shard, together with the other ranks of ``coordinator`` if there are any."""
    log = open_log(arguments.log)
    folder = RunFolder(arguments.run_dir, arguments.chunks_dir)
    progress = RunProgress(folder)
    plan = progress.plan
    shard = plan.shard[arguments.shard]
    store = Store(arguments.store, folder.own_store)
    work = collect(plan, shard, folder.chunks, store, arguments.accept_revisions)
    workers = _workers(arguments, share, work.model_hash)
    settings = workers.settings
    log.info("device: %s", f"{settings.device} ({settings.why})" if settings.why else "none on this rank")
    log.info("%d chunks, %d process(es) of %d thread(s)", len(shard.chunks), workers.processes, settings.threads)
    coordinator.wait_for_ranks(_registration(workers))
    for rank in coordinator.others.values():
        log.info("%s: %d process(es) of %d thread(s)", rank, rank.processes, rank.threads)
    limits = Limits(
        attempts=arguments.attempts,
        chunk_timeout=arguments.chunk_timeout_minutes * 60,
        ends_at=began + arguments.minutes * 60 - MARGIN_SECONDS if arguments.minutes else math.inf,
    )
    journal = Journal(folder.journal, shard.shard, shard.spec)
    with ProgressDisplay(progress) as meter:

        def warn(sentence: str) -> None:
            log.warning(sentence)
            journal.warning(sentence)
            meter.say(sentence)

        for sentence in workers.warnings:
            warn(sentence)
        try:
            report = transcribe(
                work, store, journal, settings, workers.processes, limits, warn, meter.tick, coordinator
            )
        except AudiogridError as error:
            journal.end(str(error))
            raise
    log.info("%d outcomes in %.1f s, decoded with %s", len(report.outcomes), report.seconds, report.made)
    if report.stopped_by:
        raise RetryableError(
            f"shard {shard.shard} stopped early because {report.stopped_by}; finished chunks are in the store, "
            "and the retry decodes the others"
        )
    if report.failed and arguments.allow_gaps == "no":
        causes = "; ".join(f"{chunk}: {cause}" for chunk, cause in sorted(report.failed.items())[:5])
        more = f" and {len(report.failed) - 5} more" if len(report.failed) > 5 else ""
        raise RetryableError(
            f"shard {shard.shard}: {len(report.failed)} chunk(s) failed ({causes}{more}); all others are in the store"
        )
    write_report(arguments.output, work, report, arguments.generation)
    print(f"shard {shard.shard}: {len(report.outcomes)} chunk(s) in {report.seconds:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    run(main)
