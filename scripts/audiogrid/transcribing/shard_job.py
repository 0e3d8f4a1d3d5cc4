"""One ``transcribe`` job: a shard's chunks through a pool of warm models into the store."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from audiogrid.core.atomic_files import write_json
from audiogrid.core.errors import AudiogridError, RetryableError, StoreError
from audiogrid.core.timebase import SAMPLE_RATE, to_seconds
from audiogrid.decoding.revisions import store_keys
from audiogrid.records.chunks import BundleManifest, Chunk, ShardFacts
from audiogrid.records.journal import Journal
from audiogrid.records.outcome import Outcome
from audiogrid.records.plan import Plan, Shard
from audiogrid.records.store import Store
from audiogrid.transcribing.coordinator import Team
from audiogrid.transcribing.members import introduce
from audiogrid.transcribing.pool import WorkerPool
from audiogrid.transcribing.scheduler import GPU_GROUP_SECONDS, GROUP_SECONDS, Dealer, Limits, group
from audiogrid.transcribing.worker import Job, WorkerSettings

SCHEMA = 1
# A worker that is told to end gives what it is at this long.
GRACE_SECONDS = 20.0


@dataclass
class ShardWork:
    """What a shard amounts to once its bundles are split."""

    shard: Shard
    model_hash: str
    jobs: list[Job] = field(default_factory=list)
    facts: ShardFacts = field(default_factory=ShardFacts)


def collect(plan: Plan, shard: Shard, chunks_root: Path, store: Store, accepted: Sequence[int] = ()) -> ShardWork:
    """Jobs, keys and problems of a shard, from the manifests of its bundles.

    ``accepted``: earlier revisions of the decoding code; a result of theirs in ``store`` is used where there is
    none of today. Chunks that own nothing need no decoding and have no key. Recordings that could not be split
    are in ``problems``. Raises ``RetryableError`` when a manifest is gone.
    """
    found: dict[str, tuple[Chunk, Path]] = {}
    problems: dict[str, str] = {}
    notes: dict[str, str] = {}
    for bundle in shard.bundles:
        folder = chunks_root / bundle
        try:
            manifest = BundleManifest.read(folder)
        except (OSError, ValueError, KeyError) as error:
            raise RetryableError(f"{folder} is not complete ({error}); run the same command again") from error
        found.update({chunk.chunk: (chunk, folder) for chunk in manifest.chunks})
        problems.update(manifest.problems)
        notes.update(manifest.notes)
    work = ShardWork(shard, plan.models[shard.model])
    for name in shard.chunks:
        recording = plan.recording_of_chunk[name]
        if recording.recording in problems:
            work.facts.problems[recording.recording] = problems[recording.recording]
            continue
        if recording.recording in notes:
            work.facts.notes[recording.recording] = notes[recording.recording]
        chunk, folder = found[name]
        work.facts.chunks.append(chunk)
        if chunk.is_empty:
            continue
        options = plan.options_for(recording, chunk.channel)
        keys = store_keys(chunk, work.model_hash, options, accepted)
        key = next((key for key in keys if len(keys) > 1 and store.has(key)), keys[0])
        work.facts.keys[name] = key
        work.jobs.append(Job(chunk, key, str(folder), options))
    return work


class TerminatedError(Exception):
    """Told to end, and what was being decoded did not finish in the time of grace."""


class Stoppable(Protocol):
    """Something that begins nothing new once ``stopped_by`` says why."""

    stopped_by: str | None


def listen(work: Stoppable) -> Callable[[], None]:
    """Let SIGTERM stop the handing out, and SIGINT end at once; returns a check to be called now and then.

    Losing the parent (a Snakemake killed with SIGKILL) ends the work, too: the next start would
    otherwise decode the same chunks beside it.
    """
    told: list[float] = []
    parent = os.getppid()

    def on_term(number: int, frame: FrameType | None) -> None:
        work.stopped_by = work.stopped_by or f"{signal.Signals(number).name} was received"
        told.append(time.monotonic() if number == signal.SIGTERM else -math.inf)

    signal.signal(signal.SIGTERM, on_term)
    signal.signal(signal.SIGINT, on_term)

    def check() -> None:
        if os.getppid() != parent:
            work.stopped_by = work.stopped_by or "the process that started this one is gone"
            raise TerminatedError
        if (told and time.monotonic() > told[0] + GRACE_SECONDS) or any(when == -math.inf for when in told):
            raise TerminatedError

    return check


@dataclass(frozen=True)
class ShardReport:
    """How a shard ended. ``failed``: chunk -> cause; ``stopped_by``: why it ended early, if it did."""

    outcomes: dict[str, Outcome]
    failed: dict[str, str]
    stopped_by: str | None
    seconds: float
    made: dict[str, Any]


def transcribe(
    work: ShardWork,
    store: Store,
    journal: Journal,
    settings: WorkerSettings,
    processes: int,
    limits: Limits,
    warn: Callable[[str], None],
    tick: Callable[[], None],
    team: Team | None = None,
) -> ShardReport:
    """Decode what the store lacks. Every finished chunk is in the store, whatever happens later.

    ``processes``: of this process; ``team``: the other ranks of an MPI job, if there are any.
    """
    team = team or Team()
    began = time.monotonic()
    outcomes: dict[str, Outcome] = {}
    failed: dict[str, str] = {}
    waiting: list[Job] = []
    device = {"device": settings.device, "gpus": list(settings.gpus), "why": settings.why}
    journal.begin(work.facts, processes + team.processes, device, settings.threads)

    def report(outcome: Outcome) -> None:
        outcomes[outcome.chunk] = outcome
        journal.outcome(outcome)
        if outcome.status == "failed":
            failed[outcome.chunk] = outcome.error
            store.put_error(outcome.key, {"chunk": outcome.chunk, "cause": outcome.error, "attempts": limits.attempts})
            warn(f"chunk {outcome.chunk} failed for good: {outcome.error}; the others go on")

    for job in work.jobs:
        if store.has(job.key):
            outcome = Outcome(job.name, job.key, "stored", job.audio)
            outcomes[job.name] = outcome
            journal.outcome(outcome)
        else:
            waiting.append(job)
    tasks = group(waiting, _group_seconds(waiting, processes + team.processes, settings.device))
    dealer = Dealer(tasks, limits)
    made: dict[str, Any] = {}
    if tasks:
        check = listen(dealer)
        team.open(dealer, report, warn)

        def turn() -> None:
            team.serve()
            tick()
            check()

        pool = WorkerPool(settings, min(processes, len(tasks)), limits.attempts, dealer.patience, warn)
        trouble: AudiogridError | None = None
        try:
            try:
                pool.run(team.take, team.done, dealer.stopping, turn, team.pause)
            except StoreError:
                raise
            except AudiogridError as error:
                if not team.others:
                    raise
                # Something is wrong with this node: the others go on without it.
                trouble = error
                team.give_up(str(error))
            while team.is_busy():
                turn()
                time.sleep(team.pause())
            if dealer.left and not dealer.stopping():
                raise trouble or RetryableError(f"no rank can go on ({team.causes})")
        except TerminatedError:
            pool.close()
        made = pool.made
    team.close()
    if team.others:
        team.me.made = made
        members = [team.me, *team.others.values()]
        made = {**next((m for m in (made, *(m.made for m in members)) if m), {}), "ranks": introduce(members)}
    left = len(work.jobs) - len(outcomes)
    journal.end(dealer.stopped_by if left and dealer.stopped_by else "failures" if failed else "done")
    return ShardReport(outcomes, failed, dealer.stopped_by if left else None, time.monotonic() - began, made)


def _group_seconds(jobs: Sequence[Job], processes: int, device: str) -> float:
    """Length of a task of short chunks: full batches, yet several tasks for every process, so that all end at once."""
    total = sum(job.audio for job in jobs) / SAMPLE_RATE
    most = GPU_GROUP_SECONDS if device == "cuda" else GROUP_SECONDS
    return max(60.0, min(most, total / max(1, 2 * processes)))


def write_report(path: Path, work: ShardWork, report: ShardReport, generation: int) -> None:
    """The shard's declared output: the key of every chunk, and what it took."""
    outcomes = report.outcomes.values()
    write_json(
        path,
        {
            "schema": SCHEMA,
            "shard": work.shard.shard,
            "spec": work.shard.spec,
            "generation": generation,
            "model_hash": work.model_hash,
            "facts": work.facts.to_json(),
            "failed": report.failed,
            "decoded": sum(outcome.status == "decoded" for outcome in outcomes),
            "stored": sum(outcome.status == "stored" for outcome in outcomes),
            "audio_seconds": to_seconds(sum(o.audio for o in outcomes if o.status == "decoded")),
            "worker_seconds": round(sum(outcome.seconds for outcome in outcomes), 3),
            "seconds": round(report.seconds, 3),
            "made": report.made,
        },
        indent=1,
    )
