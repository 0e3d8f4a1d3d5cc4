"""What the commands of shards share: arguments, one process or MPI ranks, and how a shard ends."""

from __future__ import annotations

import argparse
import math
import os
import socket
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from audiogrid.core.errors import AudiogridError, RetryableError
from audiogrid.core.log import open_log
from audiogrid.core.stop_note import read_stop
from audiogrid.hardware.cores import usable_cores
from audiogrid.hardware.node_share import NodeShare
from audiogrid.records.journal import Journal
from audiogrid.records.plan import Plan, Shard
from audiogrid.records.plan_files.reader import PlanFile, open_plan
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.store import ResultStore
from audiogrid.transcribing.coordinator import Coordinator
from audiogrid.transcribing.protocol import Link, Registration
from audiogrid.transcribing.rank import WorkerRank
from audiogrid.transcribing.retrying_pool import WorkerPool
from audiogrid.transcribing.scheduler import Limits
from audiogrid.transcribing.shard_job import ShardReport, ShardWork, transcribe, write_report
from audiogrid.transcribing.shard_workers import Workers
from audiogrid.transcribing.signals import TerminatedError, handle_signals

# Causes of failed chunks that the error of a job names.
_NAMED = 5


class Display(Protocol):
    """Where the user of a job reads how it goes on."""

    def say(self, sentence: str) -> None:
        """Show a sentence."""

    def tick(self) -> None:
        """Update what is shown; called often."""


@dataclass(frozen=True)
class ShardStage:
    """What the commands differ in.

    ``subject``: what messages call the shard ``{}``. ``decodes``: the verb for what is done with a chunk. ``advice``:
    what else a user can do about failed chunks. ``margin_seconds``: starting Python, loading the model and the last
    write need so much of a job's time. ``device``: what ranks on one node divide among them besides cores.
    ``workers``: the worker processes of this rank. ``store``, ``journal`` and ``work``: where results go, where the
    course of events goes, and what is to be done. ``display``: from the plan to what the user sees. ``part``: the
    part of the plan that the work needs to know.
    """

    subject: str
    decodes: str
    advice: str
    margin_seconds: float
    device: str
    workers: Callable[[Plan, Shard, NodeShare], Workers]
    store: ResultStore[Any]
    journal: Callable[[RunFolder], Path]
    work: Callable[[Plan, Shard, RunFolder], ShardWork]
    display: Callable[[RunFolder, PlanFile], AbstractContextManager[Display]]
    part: Callable[[PlanFile, str], Plan] = PlanFile.of_shard


def shard_parser(description: str | None) -> argparse.ArgumentParser:
    """Returns a parser of the arguments that the commands have in common."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--run-dir", type=Path, required=True, help="results/<run>")
    parser.add_argument("--chunks-dir", type=Path, help="where the audio was split (default: chunks/ in the run-dir)")
    parser.add_argument("--shard", required=True)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--model-dir", type=Path, required=True)
    parser.add_argument("--cores", type=int, default=0, help="cores to use (0: all this process may use)")
    parser.add_argument("--attempts", type=int, default=2, help="tries per chunk")
    parser.add_argument("--chunk-timeout-minutes", type=float, default=0.0, help="0: by length")
    parser.add_argument("--minutes", type=float, default=0.0, help="the job's time limit (0: none)")
    parser.add_argument("--allow-gaps", choices=["yes", "no"], default="no", help="leave failed chunks to merge")
    parser.add_argument("--generation", type=int, default=1)
    parser.add_argument("--mpi-tasks", type=int, default=0, help="ranks of the MPI job that this is one of (0: no MPI)")
    parser.add_argument(
        "--mpi-silence-seconds", type=float, default=120.0, help="a rank without a message for so long is lost"
    )
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--log", type=Path)
    return parser


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what commands that run the model have in common."""
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--compute-type", default="auto")
    parser.add_argument("--processes", type=int, default=0, help="worker processes (0: choose)")
    parser.add_argument("--processes-per-gpu", type=int, default=1, help="worker processes on each GPU")
    parser.add_argument("--threads", type=int, default=0, help="threads per worker process (0: choose)")
    parser.add_argument("--batch-size", type=int, default=0, help="windows decoded at once (0: choose)")
    parser.add_argument(
        "--examine", choices=["yes", "no"], default="no", help="decode a known clip before trusting this machine"
    )


def run_shard(arguments: argparse.Namespace, stage: ShardStage) -> None:
    """Work through a shard and write its report. Raises ``RetryableError`` that names the chunks that failed.

    In an MPI job rank 0 does this, and the other ranks work on what it assigns. ``arguments``: of ``shard_parser``.
    """
    began = time.monotonic()
    if not arguments.mpi_tasks:
        _lead(arguments, stage, began, Coordinator(), NodeShare(usable_cores(), 1))
        return
    from audiogrid.transcribing.mpi import World

    with World(arguments.mpi_tasks) as world:
        share = world.share_of_node(stage.device)
        if share.gpus is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(share.gpus)
        if world.rank:
            _follow(arguments, stage, world.link, share)
            world.is_closed = True
            return
        coordinator = Coordinator(world.link, arguments.mpi_silence_seconds)
        try:
            _lead(arguments, stage, began, coordinator, share)
        finally:
            lost = coordinator.close()
            world.is_closed = not lost
        if lost:
            raise RetryableError(f"{', '.join(map(str, lost))} did not end in time; all results are in the store")


def _registration(workers: Workers) -> Registration:
    return Registration(socket.gethostname(), os.getpid(), workers.processes, workers.settings.threads)


def _follow(arguments: argparse.Namespace, stage: ShardStage, link: Link, share: NodeShare) -> None:
    """Work on what rank 0 assigns until it ends the job."""
    plan = open_plan(RunFolder(arguments.run_dir).plan).of_shard(arguments.shard)
    workers = stage.workers(plan, plan.shard[arguments.shard], share)
    limits = Limits(arguments.attempts, arguments.chunk_timeout_minutes * 60)
    rank = WorkerRank(link, _registration(workers), limits, arguments.mpi_silence_seconds)
    check = handle_signals(rank)

    def make_pool(count: int) -> WorkerPool:
        for sentence in workers.warnings:
            rank.warn(sentence)
        return WorkerPool(workers.settings, count, limits.attempts, rank.timeout, rank.warn)

    rank.run(make_pool, check, TerminatedError)


def _lead(
    arguments: argparse.Namespace, stage: ShardStage, began: float, coordinator: Coordinator, share: NodeShare
) -> None:
    """Work through the shard, together with the other ranks of ``coordinator`` if there are any."""
    log = open_log(arguments.log)
    folder = RunFolder(arguments.run_dir, arguments.chunks_dir)
    if stop := read_stop(folder.stop):
        raise RetryableError(f"{stage.subject.format(arguments.shard)} is not begun: {stop.reason}")
    whole = open_plan(folder.plan)
    plan = stage.part(whole, arguments.shard)
    shard = plan.shard[arguments.shard]
    work = stage.work(plan, shard, folder)
    workers = stage.workers(plan, shard, share)
    settings = workers.settings
    log.info("device: %s", _device(workers))
    log.info("%d chunks, %d process(es) of %d thread(s)", len(work.facts.keys), workers.processes, settings.threads)
    coordinator.wait_for_ranks(_registration(workers))
    for rank in coordinator.others.values():
        log.info("%s: %d process(es) of %d thread(s)", rank, rank.processes, rank.threads)
    limits = Limits(
        attempts=arguments.attempts,
        chunk_timeout=arguments.chunk_timeout_minutes * 60,
        ends_at=began + arguments.minutes * 60 - stage.margin_seconds if arguments.minutes else math.inf,
    )
    journal = Journal(stage.journal(folder), shard.shard, shard.spec)
    with stage.display(folder, whole) as display:

        def warn(sentence: str) -> None:
            log.warning(sentence)
            journal.warning(sentence)
            display.say(sentence)

        for sentence in workers.warnings:
            warn(sentence)
        try:
            report = transcribe(
                work,
                stage.store,
                journal,
                settings,
                workers.processes,
                limits,
                warn,
                display.tick,
                coordinator,
                folder.stop,
            )
        except AudiogridError as error:
            journal.end(str(error))
            raise
    log.info("%d outcomes in %.1f s, made with %s", len(report.outcomes), report.seconds, report.made)
    _check(report, stage, shard, is_gap_allowed=arguments.allow_gaps == "yes")
    write_report(arguments.output, work, report, arguments.generation)
    subject = stage.subject.format(shard.shard)
    print(f"{subject}: {len(report.outcomes)} chunk(s) in {report.seconds:.1f} s", file=sys.stderr)


def _device(workers: Workers) -> str:
    settings = workers.settings
    if not workers.processes:
        return "none on this rank"
    return f"{settings.device} ({settings.why})" if settings.why else settings.device


def _check(report: ShardReport, stage: ShardStage, shard: Shard, is_gap_allowed: bool) -> None:
    """Raise ``RetryableError`` if the shard is not finished."""
    subject = stage.subject.format(shard.shard)
    if report.stopped_by:
        raise RetryableError(
            f"{subject} stopped early because {report.stopped_by}; finished chunks are in the store, "
            f"and the retry {stage.decodes} the others"
        )
    if report.failed and not is_gap_allowed:
        causes = "; ".join(f"{chunk}: {cause}" for chunk, cause in sorted(report.failed.items())[:_NAMED])
        more = f" and {len(report.failed) - _NAMED} more" if len(report.failed) > _NAMED else ""
        raise RetryableError(
            f"{subject}: {len(report.failed)} chunk(s) failed ({causes}{more}); all others are in the store"
            f"{stage.advice}"
        )
