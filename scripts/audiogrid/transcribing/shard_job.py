"""One ``transcribe`` job: decode the chunks of a shard that the store lacks, and report on all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audiogrid.core.errors import AudiogridError, RetryableError, StoreError
from audiogrid.core.timebase import to_seconds
from audiogrid.decoding.revisions import store_keys
from audiogrid.records.chunks import BundleManifest, Chunk, ShardFacts
from audiogrid.records.finished_shard import FinishedShard
from audiogrid.records.journal import Journal
from audiogrid.records.outcome import Outcome
from audiogrid.records.plan import Plan, Recording, Shard
from audiogrid.records.store import ResultStore, Store
from audiogrid.transcribing.coordinator import Coordinator
from audiogrid.transcribing.rank_state import rank_summaries
from audiogrid.transcribing.retrying_pool import WorkerPool
from audiogrid.transcribing.scheduler import Limits, Scheduler
from audiogrid.transcribing.signals import TerminatedError, handle_signals
from audiogrid.transcribing.task_sizes import group, group_seconds
from audiogrid.transcribing.worker import Job, WorkerSettings


@dataclass
class ShardWork:
    """The chunks of a shard whose bundles are split, and a job for each."""

    shard: Shard
    model_hash: str
    jobs: list[Job] = field(default_factory=list)
    facts: ShardFacts = field(default_factory=ShardFacts)


def chunks_to_do(
    plan: Plan, work: ShardWork, chunks_root: Path, names: Sequence[str]
) -> Iterator[tuple[Chunk, Path, Recording]]:
    """Yields the chunks called ``names`` that own something, with their bundle's folder, from the bundles' manifests.

    What the manifests say of the chunks and their recordings is added to the facts of ``work``. Recordings that could
    not be split are in its ``problems``. Raises ``RetryableError`` when a manifest is missing.
    """
    found: dict[str, tuple[Chunk, Path]] = {}
    known, facts = ShardFacts(), work.facts
    for bundle in work.shard.bundles:
        folder = chunks_root / bundle
        try:
            manifest = BundleManifest.read(folder)
        except (OSError, ValueError, KeyError) as error:
            raise RetryableError(f"{folder} is not complete ({error}); run the same command again") from error
        found.update({chunk.chunk: (chunk, folder) for chunk in manifest.chunks})
        known.problems.update(manifest.problems)
        known.notes.update(manifest.notes)
        known.remarks.update(manifest.remarks)
        known.audio.update(manifest.audio)
    for name in names:
        recording = plan.recording_of_chunk[name]
        of = recording.recording
        if name not in found and of not in known.problems:
            # One recording that was cut in another way must not fail all that share its shard.
            known.problems[of] = f"{recording.path} was cut into other chunks than planned: run again"
        if of in known.problems:
            facts.problems[of] = known.problems[of]
            continue
        if of in known.notes:
            facts.notes[of] = known.notes[of]
        if of in known.remarks:
            facts.remarks[of] = known.remarks[of]
        if of in known.audio:
            facts.audio[of] = known.audio[of]
        chunk, folder = found[name]
        facts.chunks.append(chunk)
        if not chunk.is_empty:
            yield chunk, folder, recording


def collect(plan: Plan, shard: Shard, chunks_root: Path, store: Store, accepted: Sequence[int] = ()) -> ShardWork:
    """Returns the jobs, keys and problems of a shard, read from the manifests of its bundles.

    ``accepted``: earlier revisions of the decoding code; a result of theirs in ``store`` is used where there is
    none of today. Chunks that own nothing need no decoding and have no key. Recordings that could not be split
    are in ``problems``. Raises ``RetryableError`` when a manifest is missing.
    """
    work = ShardWork(shard, plan.models[shard.model])
    for chunk, folder, recording in chunks_to_do(plan, work, chunks_root, shard.chunks):
        options = plan.options_for(recording, chunk.channel)
        keys = store_keys(chunk, work.model_hash, options, accepted)
        key = next((key for key in keys if len(keys) > 1 and store.has(key)), keys[0])
        work.facts.keys[chunk.chunk] = key
        work.jobs.append(Job(chunk, key, str(folder), options))
    return work


@dataclass(frozen=True)
class ShardReport:
    """How a shard ended. ``failed``: chunk -> cause; ``stopped_by``: why it ended early, if it did."""

    outcomes: dict[str, Outcome]
    failed: dict[str, str]
    stopped_by: str | None
    seconds: float
    made: dict[str, Any]


class OutcomeLog:
    """Collects the outcomes of a shard's chunks, and writes each to the journal, and failures to the store."""

    def __init__(self, store: ResultStore[Any], journal: Journal, attempts: int, warn: Callable[[str], None]) -> None:
        self._store = store
        self._journal = journal
        self._attempts = attempts
        self._warn = warn
        self.outcomes: dict[str, Outcome] = {}
        self.failed: dict[str, str] = {}

    def record(self, outcome: Outcome) -> None:
        """Record how one chunk went."""
        self.outcomes[outcome.chunk] = outcome
        self._journal.outcome(outcome)
        if outcome.status == "failed":
            self.failed[outcome.chunk] = outcome.error
            record = {"chunk": outcome.chunk, "cause": outcome.error, "attempts": self._attempts}
            self._store.put_error(outcome.key, record)
            self._warn(f"chunk {outcome.chunk} failed for good: {outcome.error}; the others go on")


def transcribe(
    work: ShardWork,
    store: ResultStore[Any],
    journal: Journal,
    settings: WorkerSettings,
    processes: int,
    limits: Limits,
    warn: Callable[[str], None],
    tick: Callable[[], None],
    coordinator: Coordinator | None = None,
    stop: Path | None = None,
) -> ShardReport:
    """Decode the chunks that the store lacks. Every finished chunk is in the store, whatever happens later.

    ``processes``: of this process; ``coordinator``: of the ranks of an MPI job, if this is one. ``stop``: where a note
    appears when the run has to end.
    """
    coordinator = coordinator or Coordinator()
    began = time.monotonic()
    device = {"device": settings.device, "gpus": list(settings.gpus), "per_gpu": settings.per_gpu, "why": settings.why}
    journal.begin(work.facts, processes + coordinator.processes, device, settings.threads)
    log = OutcomeLog(store, journal, limits.attempts, warn)
    waiting: list[Job] = []
    for job in work.jobs:
        if store.has(job.key):
            log.record(Outcome(job.name, job.key, "stored", job.audio))
        else:
            waiting.append(job)
    tasks = group(waiting, group_seconds(waiting, processes + coordinator.processes, settings.device))
    scheduler = Scheduler(tasks, limits)
    made: dict[str, Any] = {}
    if tasks:
        pool = WorkerPool(settings, min(processes, len(tasks)), limits.attempts, scheduler.timeout, warn)
        coordinator.start(scheduler, log.record, warn)
        _decode(pool, scheduler, coordinator, tick, stop)
        made = pool.made
    coordinator.close()
    if coordinator.others:
        coordinator.own.made = made
        ranks = [coordinator.own, *coordinator.others.values()]
        made = {**next((m for m in (made, *(m.made for m in ranks)) if m), {}), "ranks": rank_summaries(ranks)}
    is_complete = len(log.outcomes) == len(work.jobs)
    stopped_by = None if is_complete else scheduler.stopped_by
    journal.end(stopped_by or ("failures" if log.failed else "done"))
    return ShardReport(log.outcomes, log.failed, stopped_by, time.monotonic() - began, made)


def _decode(
    pool: WorkerPool, scheduler: Scheduler, coordinator: Coordinator, tick: Callable[[], None], stop: Path | None
) -> None:
    """Work until all tasks of ``scheduler`` are finished by this process and the other ranks, or it is stopped.

    Raises what ends the job: ``StoreError``, or the cause for which no rank can go on.
    """
    check = handle_signals(scheduler, stop)

    def poll() -> None:
        coordinator.poll()
        tick()
        check()

    own_error: AudiogridError | None = None
    try:
        try:
            pool.run(coordinator.next_task, coordinator.record, scheduler.is_stopping, poll, coordinator.poll_seconds)
        except StoreError:
            raise
        except AudiogridError as error:
            if not coordinator.others:
                raise
            # This node cannot decode: the other ranks go on without it.
            own_error = error
            coordinator.withdraw(str(error))
        while coordinator.is_busy():
            poll()
            time.sleep(coordinator.poll_seconds())
        if scheduler.remaining and not scheduler.is_stopping():
            raise own_error or RetryableError(f"no rank can decode any more ({coordinator.withdrawals})")
    except TerminatedError:
        pool.close()


def write_report(path: Path, work: ShardWork, report: ShardReport, generation: int) -> None:
    """Write the shard's report, with the key of every chunk and the time that decoding took."""
    outcomes = report.outcomes.values()
    FinishedShard(
        shard=work.shard.shard,
        spec=work.shard.spec,
        generation=generation,
        model_hash=work.model_hash,
        facts=work.facts,
        failed=report.failed,
        decoded=sum(outcome.status == "decoded" for outcome in outcomes),
        stored=sum(outcome.status == "stored" for outcome in outcomes),
        audio_seconds=to_seconds(sum(o.audio for o in outcomes if o.status == "decoded")),
        worker_seconds=round(sum(outcome.seconds for outcome in outcomes), 3),
        seconds=round(report.seconds, 3),
        made=report.made,
    ).write(path)
