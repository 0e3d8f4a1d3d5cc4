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
from audiogrid.hardware.device_choice import decide
from audiogrid.hardware.node_share import NodeShare
from audiogrid.records.journal import Journal
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.store import Store
from audiogrid.reporting.progress import RunProgress
from audiogrid.reporting.progress_bar import ProgressDisplay
from audiogrid.transcribing.coordinator import Team
from audiogrid.transcribing.pool import WorkerPool
from audiogrid.transcribing.protocol import Hello, Link
from audiogrid.transcribing.rank import Follower
from audiogrid.transcribing.scheduler import Limits
from audiogrid.transcribing.shard_job import TerminatedError, collect, listen, transcribe, write_report
from audiogrid.transcribing.worker import WorkerSettings

# Python, the model and the last write need this much of a job's time.
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
    parser.add_argument("--mpi-silence-seconds", type=float, default=120.0, help="a rank that says nothing is lost")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--log", type=Path)
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    """Work through the shard and write its report; fail, naming the chunks, when some could not be done.

    As one rank of several: rank 0 does this, the others work for it.
    """
    began = time.monotonic()
    arguments = _arguments(argv)
    if not arguments.mpi_tasks:
        _lead(arguments, began, Team(), NodeShare(usable_cores(), 1))
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
        team = Team(world.link, arguments.mpi_silence_seconds)
        try:
            _lead(arguments, began, team, share)
        finally:
            lost = team.close()
            world.is_closed = not lost
        if lost:
            raise RetryableError(f"{', '.join(map(str, lost))} did not leave the job; all results are in the store")


@dataclass(frozen=True)
class Workers:
    """Worker processes of this rank, what each needs, and what a person should know of the choice."""

    processes: int
    settings: WorkerSettings
    warnings: tuple[str, ...] = ()


def _workers(arguments: argparse.Namespace, share: NodeShare) -> Workers:
    """Decide on the device, and divide cores and GPUs among processes.

    A rank that cannot decode as it should has no process when others may do its work; alone, the error is raised.
    """
    cores = min(arguments.cores or share.cores, share.cores)
    model_bytes = (arguments.model_dir / "model.bin").stat().st_size
    division = divide(cores, model_bytes, usable_memory() // share.ranks, arguments.processes, arguments.threads)
    settings = WorkerSettings(
        model_dir=str(arguments.model_dir),
        device="cpu",
        compute_type=arguments.compute_type,
        threads=division.threads,
        batch_size=arguments.batch_size,
        store=str(arguments.store),
        examine=arguments.examine == "yes",
    )
    if arguments.device == "cuda" and share.gpus == []:
        # More ranks than GPUs on this node: what is left over would only be in the way.
        return Workers(0, settings)
    try:
        decision = decide(arguments.device, arguments.model_dir, arguments.compute_type, division.threads, share.gpus)
    except AudiogridError as error:
        if arguments.mpi_tasks <= 1:
            raise
        return Workers(0, settings, (str(error),))
    settings = replace(settings, device=decision.device, why=decision.why)
    if decision.device == "cpu":
        return Workers(division.processes, settings, decision.warnings)
    # One process per GPU, whatever was said of processes: a second one on the same GPU gains nothing.
    count = len(decision.gpus)
    settings = replace(
        settings,
        gpus=decision.gpus,
        # Each of them has just read the clip.
        examine=False,
        threads=arguments.threads or max(1, min(4, cores // count)),
        reserve=(division.processes, division.threads) if arguments.device == "auto" else (0, 0),
    )
    return Workers(count, settings, decision.warnings)


def _hello(workers: Workers) -> Hello:
    return Hello(socket.gethostname(), os.getpid(), workers.processes, workers.settings.threads)


def _follow(arguments: argparse.Namespace, link: Link, share: NodeShare) -> None:
    """Work for rank 0 until it says that it is over."""
    workers = _workers(arguments, share)
    limits = Limits(arguments.attempts, arguments.chunk_timeout_minutes * 60)
    follower = Follower(link, _hello(workers), limits, arguments.mpi_silence_seconds)
    check = listen(follower)

    def make_pool(count: int) -> WorkerPool:
        for sentence in workers.warnings:
            follower.warn(sentence)
        return WorkerPool(workers.settings, count, limits.attempts, follower.patience, follower.warn)

    follower.run(make_pool, check, TerminatedError)


def _lead(arguments: argparse.Namespace, began: float, team: Team, share: NodeShare) -> None:
    """Work through the shard, with the other ranks of ``team`` if there are any."""
    log = open_log(arguments.log)
    folder = RunFolder(arguments.run_dir, arguments.chunks_dir)
    progress = RunProgress(folder)
    plan = progress.plan
    shard = plan.shard[arguments.shard]
    store = Store(arguments.store)
    work = collect(plan, shard, folder.chunks, store, arguments.accept_revisions)
    workers = _workers(arguments, share)
    settings = workers.settings
    log.info("device: %s", f"{settings.device} ({settings.why})" if settings.why else "none on this rank")
    log.info("%d chunks, %d process(es) of %d thread(s)", len(shard.chunks), workers.processes, settings.threads)
    team.gather(_hello(workers))
    for member in team.others.values():
        log.info("%s: %d process(es) of %d thread(s)", member, member.processes, member.threads)
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
            report = transcribe(work, store, journal, settings, workers.processes, limits, warn, meter.tick, team)
        except AudiogridError as error:
            journal.end(str(error))
            raise
    log.info("%d outcomes in %.1f s, decoded with %s", len(report.outcomes), report.seconds, report.made)
    if report.stopped_by:
        raise RetryableError(
            f"shard {shard.shard} stopped early because {report.stopped_by}; what is finished is in the store, "
            "the retry goes on from there"
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
