"""One ``transcribe`` job: a shard's chunks through a pool of warm models into the store."""

from __future__ import annotations

import math
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from audiogrid.chunks import BundleManifest, Chunk, ShardFacts
from audiogrid.errors import RetryableError
from audiogrid.files import write_json
from audiogrid.journal import Journal
from audiogrid.plan import Plan, Shard
from audiogrid.pool import Task, WorkerPool
from audiogrid.store import Store, chunk_key
from audiogrid.times import SAMPLE_RATE, to_seconds
from audiogrid.worker import Job, Outcome, WorkerSettings

SCHEMA = 1
# Short chunks travel together until they fill a few batches; a lone voice note wastes most of a window.
GROUP_SECONDS = 300.0
# A worker that is told to end gives what it is at this long.
GRACE_SECONDS = 20.0
# Slowest speed (multiple of real time per worker) that a watchdog puts up with.
HOPELESS_SPEED = 0.05
LEAST_PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Limits:
    """``attempts`` per chunk; ``chunk_timeout`` in seconds (0 = by length); ``ends_at``: the job's end as
    ``time.monotonic()``, or infinity."""

    attempts: int = 2
    chunk_timeout: float = 0.0
    ends_at: float = math.inf


@dataclass
class ShardWork:
    """What a shard amounts to once its bundles are split."""

    shard: Shard
    model_hash: str
    jobs: list[Job] = field(default_factory=list)
    facts: ShardFacts = field(default_factory=ShardFacts)


def collect(plan: Plan, shard: Shard, chunks_root: Path) -> ShardWork:
    """Jobs, keys and problems of a shard, from the manifests of its bundles.

    Chunks that own nothing need no decoding and have no key. Recordings that could not be split
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
    work = ShardWork(shard, plan.settings.model_hash)
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
        options = plan.options_for(recording)
        key = chunk_key(chunk, work.model_hash, options)
        work.facts.keys[name] = key
        work.jobs.append(Job(chunk, key, str(folder), options))
    return work


def group(jobs: Sequence[Job], seconds: float = GROUP_SECONDS) -> list[Task]:
    """Tasks, longest first: long chunks alone, short ones together (same options, same bundle)."""
    tasks: list[Task] = []
    short: dict[tuple[str, str], list[Job]] = {}
    for job in sorted(jobs, key=lambda job: -job.audio):
        if to_seconds(job.audio) > seconds / 2:
            tasks.append([job])
            continue
        kind = (job.folder, repr(sorted(job.options.items())))
        waiting = short.setdefault(kind, [])
        waiting.append(job)
        if sum(to_seconds(other.audio) for other in waiting) >= seconds:
            tasks.append(short.pop(kind))
    tasks.extend(short.values())
    return sorted(tasks, key=lambda task: -sum(job.audio for job in task))


class Dealer:
    """Hands out tasks, longest first, and stops in time.

    ``speed``: audio seconds per second and worker, learnt from what is finished.
    """

    def __init__(self, tasks: Sequence[Task], limits: Limits) -> None:
        self._tasks = deque(tasks)
        self._limits = limits
        self._audio = self._seconds = 0.0
        self.stopped_by: str | None = None

    @property
    def speed(self) -> float | None:
        """Multiple of real time per worker; ``None`` before anything is finished."""
        return self._audio / self._seconds if self._seconds else None

    def learn(self, outcome: Outcome) -> None:
        """Take the time of a decoded chunk into account."""
        if outcome.status == "decoded":
            self._audio += to_seconds(outcome.audio)
            self._seconds += outcome.seconds

    def predicted(self, task: Task) -> float:
        """Seconds that ``task`` will take one worker; 0 while nothing is known."""
        return sum(to_seconds(job.audio) for job in task) / self.speed if self.speed else 0.0

    def patience(self, task: Task) -> float:
        """Seconds after which a task is taken to hang."""
        if self._limits.chunk_timeout:
            return self._limits.chunk_timeout * len(task)
        by_length = sum(to_seconds(job.audio) for job in task) / HOPELESS_SPEED
        expected = 20 * self.predicted(task)
        return max(LEAST_PATIENCE_SECONDS, expected or by_length)

    def take(self) -> Task | None:
        """The longest task that can be finished before the job ends."""
        left = self._limits.ends_at - time.monotonic()
        for index, task in enumerate(self._tasks):
            # A quarter more than predicted: a result that is not stored in time is lost.
            if self.predicted(task) * 1.25 <= left:
                del self._tasks[index]
                return task
        if self._tasks:
            self.stopped_by = "the job's time limit is near"
        return None

    def stopping(self) -> bool:
        """Whether no new task is to begin."""
        if self.stopped_by is None and time.monotonic() >= self._limits.ends_at:
            self.stopped_by = "the job's time limit is near"
        return self.stopped_by is not None


class TerminatedError(Exception):
    """Told to end, and what was being decoded did not finish in the time of grace."""


def _listen(dealer: Dealer) -> Callable[[], None]:
    """Let SIGTERM stop the handing out, and SIGINT end at once; returns a check to be called now and then.

    Losing the parent (a Snakemake killed with SIGKILL) ends the work, too: the next start would
    otherwise decode the same chunks beside it.
    """
    told: list[float] = []
    parent = os.getppid()

    def on_term(number: int, frame: FrameType | None) -> None:
        dealer.stopped_by = dealer.stopped_by or f"{signal.Signals(number).name} was received"
        told.append(time.monotonic() if number == signal.SIGTERM else -math.inf)

    signal.signal(signal.SIGTERM, on_term)
    signal.signal(signal.SIGINT, on_term)

    def check() -> None:
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
) -> ShardReport:
    """Decode what the store lacks. Every finished chunk is in the store, whatever happens later."""
    began = time.monotonic()
    outcomes: dict[str, Outcome] = {}
    failed: dict[str, str] = {}
    waiting: list[Job] = []
    journal.begin(work.facts, processes)

    def report(outcome: Outcome) -> None:
        dealer.learn(outcome)
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
    tasks = group(waiting, _group_seconds(waiting, processes))
    dealer = Dealer(tasks, limits)
    made: dict[str, Any] = {}
    if tasks:
        check = _listen(dealer)

        def tick_and_check() -> None:
            tick()
            check()

        pool = WorkerPool(settings, min(processes, len(tasks)), limits.attempts, dealer.patience, warn)
        try:
            pool.run(dealer.take, report, dealer.stopping, tick_and_check)
        except TerminatedError:
            pool.close()
        made = pool.made
    left = len(work.jobs) - len(outcomes)
    journal.end(dealer.stopped_by if left and dealer.stopped_by else "failures" if failed else "done")
    return ShardReport(outcomes, failed, dealer.stopped_by if left else None, time.monotonic() - began, made)


def _group_seconds(jobs: Sequence[Job], processes: int) -> float:
    """Length of a task of short chunks: full batches, yet work for every process."""
    total = sum(job.audio for job in jobs) / SAMPLE_RATE
    return max(60.0, min(GROUP_SECONDS, total / max(1, processes)))


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
