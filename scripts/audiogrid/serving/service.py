"""The service: accepts jobs, hands them to the lanes, and takes care of what has ended."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import shutil
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiogrid.core.errors import AudiogridError, InputError
from audiogrid.remote.address import is_remote, parse
from audiogrid.serving import job_corrections
from audiogrid.serving.inspection import ColumnError, Inspected, Inspector
from audiogrid.serving.job_folder import JobFolder
from audiogrid.serving.job_queue import (
    CANCELLED,
    DONE,
    FAILED,
    FETCH,
    LONG,
    QUEUED,
    RUNNING,
    SHORT,
    JobQueue,
    JobRecord,
)
from audiogrid.serving.metrics import Metrics
from audiogrid.serving.recipes import Recipe, Recipes
from audiogrid.serving.removal import remove_job
from audiogrid.serving.short_recording import ShortTask
from audiogrid.serving.tokens import WATCHER
from audiogrid.serving.warm_workers import MOST_TOGETHER, TOGETHER_SECONDS, Finished, Waiting
from audiogrid.serving.watching import Seen

LOG = logging.getLogger("audiogrid.serving")
# Times that a job may begin without ever ending, and that it may kill its worker alone.
MOST_STARTS = 6
MOST_CRASHES = 2
MOST_RETRIES = 3


@dataclass
class Refused(Exception):  # noqa: N818  (it is an answer, not a failure)
    """A request that is not accepted. ``status``: of HTTP; ``param``: the field at fault; ``retry``: in seconds."""

    status: int
    message: str
    param: str | None = None
    code: str | None = None
    retry: int | None = None

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class Wish:
    """What a client asks for. ``row``: columns of a table of recordings; ``sync``: the client waits for the answer."""

    model: str = "auto"
    task: str = "transcribe"
    row: Mapping[str, str] | None = None
    idempotency: str | None = None
    callback: str = ""
    sync: bool = False


class Service:
    """Everything that the endpoints use. ``state``: its folder; ``store`` and ``results``: those of runs."""

    def __init__(self, configuration: Mapping[str, Any], recipes: Recipes, state: Path, store: Path) -> None:
        self.configuration = configuration
        self.settings: Mapping[str, Any] = configuration["service"]
        self.recipes = recipes
        self.state = state
        self.store = store
        self.results = Path("results")
        self.queue = JobQueue(state)
        self.inspector = Inspector()
        self.metrics = Metrics()
        self.progress: dict[str, float] = {}
        self.wake_short = asyncio.Event()
        self.wake_long = asyncio.Event()
        self.wake_fetch = asyncio.Event()
        self.ended: asyncio.Queue[str] = asyncio.Queue()
        self.delivered = asyncio.Event()
        self._watchers: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._not_before: dict[str, float] = {}
        # By client, when a worker last took one of its recordings.
        self._taken_at: dict[str, float] = {}
        self._receiving: dict[str, int] = defaultdict(int)

    # Accepting.

    def refuse_early(self, owner: str) -> None:
        """Raise ``Refused`` when nothing more can be accepted from this client, before its upload is read."""
        receiving, own = sum(self._receiving.values()), self._receiving[owner]
        if self.queue.open_jobs() + receiving >= self.settings["max_queued"]:
            raise Refused(429, "the queue is full: send this again later", code="queue_full", retry=30)
        if self.queue.open_jobs(owner) + own >= self.settings["max_queued_per_client"]:
            raise Refused(429, "this client has too many jobs in the queue", code="too_many_jobs", retry=30)
        free = shutil.disk_usage(self.state).free / 1e6
        if free < self.settings["min_free"]:
            raise Refused(507, "the disk of the service is nearly full: nothing is accepted", code="disk_full")

    def refuse_size(self, size: int, missing: int) -> None:
        """Raise ``Refused`` when files of ``size`` bytes are too large, or do not fit on the disk.

        ``missing``: how many of these bytes have yet to be written.
        """
        if size > self.settings["max_upload"] * 1e6:
            most = self.settings["max_upload"]
            raise Refused(413, f"the file is too large: at most {most:g} MB are accepted", "file", "file_too_large")
        if missing / 1e6 + self.settings["min_free"] > shutil.disk_usage(self.state).free / 1e6:
            raise Refused(507, "the disk of the service is nearly full: nothing is accepted", code="disk_full")

    @asynccontextmanager
    async def new_job(self, owner: str) -> AsyncIterator[str]:
        """Yields the id of a new job, and removes its folder unless the job was accepted. Raises ``Refused``."""
        self.refuse_early(owner)
        job = secrets.token_hex(12)
        self._receiving[owner] += 1
        try:
            yield job
        finally:
            self._receiving[owner] -= 1
            if self.queue.get(job) is None:
                JobFolder(self.state, job).drop()

    def recipe(self, wish: Wish) -> Recipe:
        """Returns the recipe of a request. Raises ``Refused`` for a model that is not offered."""
        try:
            return self.recipes.of(wish.model, wish.task)
        except InputError as error:
            raise Refused(404, str(error), "model", "model_not_found") from None

    async def accept_file(self, job: str, owner: str, wish: Wish, name: str, file: str, size: int) -> JobRecord:
        """Accept a job whose file lies in its folder. Raises ``Refused`` when the file cannot be transcribed."""
        recipe = self.recipe(wish)
        row = {**(wish.row or {}), "path": file}
        values = self._values(wish, name) | {"file": file, "size": size, "row": row}
        found = await self._inspect(job, row, recipe, size)
        await asyncio.to_thread(_sync_folders, JobFolder(self.state, job), self.state)
        return await self._add(job, owner, self._lane(found), values | vars(found), wish)

    async def accept_address(self, job: str, owner: str, wish: Wish, address: str) -> JobRecord:
        """Accept a job whose recording has yet to be fetched. Raises ``Refused`` for an address that is not allowed."""
        self.recipe(wish)
        try:
            if not is_remote(address):
                raise InputError("this address is refused: write https://host/path, or s3://bucket/name")
            parsed = parse(address)
        except InputError as error:
            raise Refused(422, str(error), "address") from None
        if not parsed.is_web and not any(address.startswith(prefix) for prefix in self.settings["sources"]):
            raise Refused(422, f"addresses of {parsed.scheme}:// are refused here, or this one is", "address")
        # A reference text, for example, may have come with it.
        await asyncio.to_thread(_sync_folders, JobFolder(self.state, job), self.state)
        values = self._values(wish, parsed.public) | {"address": address, "row": dict(wish.row or {})}
        return await self._add(job, owner, FETCH, values, wish)

    def accept_watched(self, job: str, path: Path, file: Seen, found: Inspected) -> JobRecord:
        """Accept a file of the watched folder; it stays where it is."""
        values = {
            **self._values(Wish(), file.path),
            "watched": file.path,
            "size": file.size,
            "row": {"path": str(path)},
            **vars(found),
        }
        # In one step with the job: it would be accepted again after a kill in between.
        record = self.queue.add(job, WATCHER, self._lane(found), values, watched=(file.path, file.stamp))
        self._accepted(record)
        return record

    def _values(self, wish: Wish, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "model": wish.model,
            "task": wish.task,
            "callback": wish.callback,
            "sync": wish.sync,
        }

    async def _inspect(self, job: str, row: Mapping[str, str], recipe: Recipe, size: int) -> Inspected:
        try:
            found = await self.inspector.inspect(self.state, job, row, _probing(recipe), size)
        except ColumnError as error:
            raise Refused(422, str(error).rstrip("."), code="invalid_column") from None
        except InputError as error:
            raise Refused(415, f"the file cannot be transcribed: {error}", "file", "invalid_file") from None
        if found.duration > self.settings["max_hours"] * 3600:
            most = self.settings["max_hours"]
            raise Refused(422, f"the recording is longer than the {most:g} h that are accepted", "file", "too_long")
        return found

    async def _add(self, job: str, owner: str, lane: str, values: Mapping[str, Any], wish: Wish) -> JobRecord:
        record = await asyncio.to_thread(self.queue.add, job, owner, lane, values, wish.idempotency)
        self._accepted(record)
        return record

    def _accepted(self, record: JobRecord) -> None:
        self.metrics.accepted.labels(record.lane).inc()
        self.wake()

    def _lane(self, found: Inspected) -> str:
        is_short = found.audio <= self.settings["short_minutes"] * 60 and not found.has_speakers
        return SHORT if is_short else LONG

    def wake(self) -> None:
        """Let all lanes look at the queue."""
        for event in (self.wake_short, self.wake_long, self.wake_fetch):
            event.set()

    async def settle_fetched(self, record: JobRecord, file: str, size: int) -> None:
        """Hand a fetched recording to its lane. Raises ``Refused`` when it cannot be transcribed."""
        recipe = self.recipes.of(record.fields["model"], record.fields["task"])
        row = {**record.fields["row"], "path": file}
        found = await self._inspect(record.id, row, recipe, size)
        await asyncio.to_thread(_sync_folders, JobFolder(self.state, record.id), self.state)
        # `address` may hold a secret: it is not needed any more.
        values = {"file": file, "size": size, "row": row, "address": "", **vars(found)}
        if not self.queue.update(record.id, only_from=(RUNNING,), status=QUEUED, lane=self._lane(found), fields=values):
            self.drop_cancelled(record.id)
        self.changed(record.id)
        self.wake()

    def begin_fetch(self, record: JobRecord) -> bool:
        """Mark a job as running while its recording is fetched. Returns whether it may begin now."""
        return self._not_before.get(record.id, 0) <= time.time() and self._begin(record)

    def retry_fetch(self, record: JobRecord, error: str) -> None:
        """Try again later; after some tries the job has failed."""
        self._again(record.id, error, is_final=False)

    @property
    def merge(self) -> str:
        """Settings with which transcripts are written; the same for all models, also those not offered any more."""
        return self.recipes.of("auto").merge

    def probing(self, recipe: Recipe) -> dict[str, Any]:
        """Returns the settings with which files are looked at."""
        return _probing(recipe)

    # The short lane.

    def take_short(self, free: int) -> list[Waiting]:
        """Takes recordings for a worker: a fair share of what waits, in the order of the queue.

        Clients take turns, so that one with a thousand jobs does not keep another waiting: whose last recording was
        taken the longest ago is the first. The next ones of those who have more than one are taken by length: windows
        of one length are decoded at once.
        """
        waiting = [one for one in self.queue.in_turns(SHORT, 256) if self._not_before.get(one.id, 0) <= time.time()]
        order = _by_length(waiting, self._taken_at)
        most = min(MOST_TOGETHER, max(1, -(-len(order) // max(1, free))))
        taken: list[Waiting] = []
        audio = 0.0
        for record in order:
            alone = record.crashes > 0
            length = float(record.fields["audio"])
            if len(taken) >= most or (taken and audio + length > TOGETHER_SECONDS):
                break
            if taken and alone:
                continue
            if not self._begin(record):
                continue
            try:
                task = self._task(record)
            except InputError as error:
                # The configuration has changed since it was accepted.
                self.end(record.id, FAILED, str(error))
                continue
            taken.append(Waiting(task, length, alone))
            self._taken_at[record.owner] = time.monotonic()
            audio += length
            if alone:
                break
        return taken

    def _begin(self, record: JobRecord) -> bool:
        """Mark a job as running. A job that has begun too often without an end fails instead."""
        if record.attempts >= MOST_STARTS:
            self.end(record.id, FAILED, f"it was started {record.attempts} times, and never came to an end")
            return False
        started = record.started or time.time()
        begun = self.queue.update(
            record.id, only_from=(QUEUED,), status=RUNNING, attempts=record.attempts + 1, started=started
        )
        self.changed(record.id)
        return begun

    def _task(self, record: JobRecord) -> ShortTask:
        recipe = self.recipes.of(record.fields["model"], record.fields["task"])
        return ShortTask(record.id, str(self.state), record.fields["name"], recipe)

    async def report_short(self, work: Sequence[Waiting], finished: Finished) -> None:
        """Note how recordings went."""
        results = {result.job: result for result in finished.results}
        for waiting in work:
            job = waiting.task.job
            result = results.get(job)
            if result is None:
                self._crashed(job, len(work) == 1, finished.died)
            elif result.error:
                self._again(job, result.error, is_final=result.is_final)
            else:
                self.metrics.decoded(waiting.audio, result.decode_seconds)
                await self.apply_corrections(job)
                self.end(job, DONE, decode_seconds=result.decode_seconds, device=result.device)

    async def apply_corrections(self, job: str) -> None:
        """Apply what the client of a job has corrected in an earlier transcript of the same recording."""
        record = self.queue.get(job)
        if record is None or not job_corrections.files_of(self.state, record.owner, record.fields["recording"]):
            return
        try:
            await self.change_corrections(record, job_corrections.apply)
        except AudiogridError as error:
            LOG.error("the corrections of job %s cannot be applied: %s", job, error)

    async def change_corrections(self, record: JobRecord, change: Callable[..., list[str]], *text: str) -> list[str]:
        """Call a function of ``job_corrections``. Returns sentences on what does not fit.

        Raises ``InputError`` for corrections that cannot be used, else ``RetryableError``.
        """
        whose = (str(self.state), record.owner, record.id, record.fields["recording"])
        unfit: list[str] = await self.inspector.call(change, *whose, *text, self.merge)
        return unfit

    def _crashed(self, job: str, alone: bool, how: str) -> None:
        record = self.queue.get(job)
        if record is None:
            return
        if alone and record.crashes + 1 >= MOST_CRASHES + 1:
            self.end(job, FAILED, f"decoding crashed {record.crashes + 1} times: {how}")
            return
        self.metrics.crashes.inc()
        self.queue.update(job, only_from=(RUNNING,), status=QUEUED, crashes=record.crashes + 1)
        self.changed(job)

    def _again(self, job: str, error: str, *, is_final: bool) -> None:
        record = self.queue.get(job)
        if record is None:
            return
        if is_final or record.attempts >= MOST_RETRIES:
            self.end(job, FAILED, error)
            return
        LOG.warning("job %s is tried again: %s", job, error)
        pause = 2.0**record.attempts
        self._not_before[job] = time.time() + pause
        self.queue.update(job, only_from=(RUNNING,), status=QUEUED)
        self.changed(job)
        asyncio.get_running_loop().call_later(pause + 0.05, self.wake)

    # The end of jobs.

    def end(self, job: str, status: str, error: str = "", **fields: Any) -> None:
        """Note the end of a job; one that was cancelled or removed meanwhile leaves nothing behind."""
        self._not_before.pop(job, None)
        self.progress.pop(job, None)
        changed = self.queue.update(
            job, only_from=(QUEUED, RUNNING), status=status, error=error, finished=time.time(), fields=fields
        )
        if not changed:
            self.drop_cancelled(job)
            return
        folder = JobFolder(self.state, job)
        record = self.queue.get(job)
        assert record is not None
        self.metrics.ended(record)
        folder.drop_work()
        if status != DONE or self.settings["keep_uploads_days"] == 0:
            folder.drop_upload()
        self.changed(job)
        self.ended.put_nowait(job)

    def drop_cancelled(self, job: str) -> None:
        """Delete the files of a job that was cancelled or removed while something worked on it."""
        record = self.queue.get(job)
        if record is None or record.status == CANCELLED:
            JobFolder(self.state, job).drop()

    def is_running(self, job: str) -> bool:
        """Whether a job is still at work: not cancelled, not removed."""
        record = self.queue.get(job)
        return record is not None and record.status == RUNNING

    def cancel(self, record: JobRecord) -> None:
        """Cancel a job that has not ended."""
        if self.queue.update(
            record.id, only_from=(QUEUED, RUNNING), status=CANCELLED, finished=time.time(), error="cancelled"
        ):
            if record.status == QUEUED:
                JobFolder(self.state, record.id).drop()
            self.changed(record.id)
            self.ended.put_nowait(record.id)

    async def remove(self, record: JobRecord) -> dict[str, list[str]]:
        """Remove a job that has ended, and what only it needs of the store. Returns what was removed and what stays."""
        self.queue.remove(record.id)
        self.changed(record.id)
        try:
            told: dict[str, list[str]] = await self.inspector.call(
                remove_job,
                str(self.state),
                record.id,
                str(self.store),
                str(self.results),
                record.owner,
                record.fields.get("recording", ""),
                not self.queue.others_of(record),
            )
        except AudiogridError as error:
            LOG.error("the files of job %s cannot be removed: %s", record.id, error)
            return {"removed": [], "kept": ["its files, until the service is started again"]}
        return told

    # Watching jobs.

    def changed(self, job: str) -> None:
        """Tell whoever waits for news of a job."""
        for event in self._watchers.get(job, ()):
            event.set()

    @asynccontextmanager
    async def news_of(self, job: str) -> AsyncIterator[asyncio.Event]:
        """Yields an event that is set at every change of a job."""
        event = asyncio.Event()
        self._watchers[job].add(event)
        try:
            yield event
        finally:
            self._watchers[job].discard(event)
            if not self._watchers[job]:
                del self._watchers[job]

    async def wait_for(self, job: str) -> JobRecord | None:
        """Returns a job when it has ended; ``None`` if it was removed."""
        async with self.news_of(job) as event:
            while True:
                record = self.queue.get(job)
                if record is None or record.is_final:
                    return record
                await event.wait()
                event.clear()

    def share_done(self, record: JobRecord) -> float:
        """Returns the share of a job that is done, 0 to 1."""
        return 1.0 if record.status == DONE else self.progress.get(record.id, 0.0)

    # Recovery and retention.

    def recover(self) -> dict[str, list[JobRecord]]:
        """Take up what a server before this one left. Returns the jobs of runs that were going on, by run."""
        runs: dict[str, list[JobRecord]] = defaultdict(list)
        for record in self.queue.with_status(RUNNING):
            name = record.fields.get("run", "")
            if record.lane == LONG and name:
                runs[name].append(record)
            else:
                self.queue.update(record.id, status=QUEUED)
        self._remove_strangers()
        return runs

    def _remove_strangers(self) -> None:
        """Remove folders of uploads that were never accepted, and of jobs that were removed."""
        known = {record.id: record for record in self.queue.with_status(QUEUED, RUNNING, DONE, FAILED, CANCELLED)}
        for path in self.state.glob("jobs/*/*"):
            record = known.get(path.name)
            if record is None or record.status == CANCELLED:
                shutil.rmtree(path, ignore_errors=True)

    def forget_old(self, now: float) -> None:
        """Remove uploads and jobs whose time is over; results in the store are left to ``audiogrid store prune``."""
        for record in self.queue.with_status(DONE, FAILED, CANCELLED):
            age = (now - (record.finished or now)) / 86400
            folder = JobFolder(self.state, record.id)
            if age > self.settings["keep_days"]:
                recording = record.fields.get("recording", "")
                # The files first: where there are none, as for most jobs, all others need not be looked at.
                if job_corrections.files_of(self.state, record.owner, recording) and not self.queue.others_of(record):
                    job_corrections.remove_all(self.state, record.owner, recording)
                folder.drop()
                self.queue.remove(record.id)
            elif age > self.settings["keep_uploads_days"]:
                folder.drop_upload()


def _by_length(waiting: Sequence[JobRecord], taken_at: Mapping[str, float]) -> list[JobRecord]:
    """Returns jobs in the order in which one worker takes them: the first of each client, then those alike in length.

    ``waiting``: in turns. ``taken_at``: when each client last had its turn; who waits the longest for one comes first,
    so that every job has its turn also where not even the first ones of all clients fit into the work of one worker.
    """
    firsts: dict[str, JobRecord] = {}
    for record in waiting:
        firsts.setdefault(record.owner, record)
    heads = sorted(firsts.values(), key=lambda record: taken_at.get(record.owner, float("-inf")))
    others = [record for record in waiting if record is not firsts[record.owner]]

    def unlike(record: JobRecord) -> float:
        return abs(float(record.fields["audio"]) - float(heads[0].fields["audio"]))

    return [*heads, *sorted(others, key=unlike)]


def _probing(recipe: Recipe) -> dict[str, Any]:
    names = ("channels", "tracks", "language", "chunk_minutes", "speakers")
    return {name: recipe.configuration[name] for name in names if name in recipe.configuration}


def _sync_folders(folder: JobFolder, state: Path) -> None:
    """Make the names of a job's files durable; the files themselves are synced."""
    path = folder.upload
    while True:
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        if path == state or path == path.parent:
            return
        path = path.parent
