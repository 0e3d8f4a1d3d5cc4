"""What goes on beside the requests: runs of long recordings, downloads, callbacks, the watched folder, retention."""

from __future__ import annotations

import asyncio
import logging
import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

from audiogrid.core.errors import AudiogridError, InputError, RetryableError
from audiogrid.core.secrets import masked
from audiogrid.export.formats import FORMATS
from audiogrid.orchestration.stale_locks import remove_stale_locks
from audiogrid.remote.address import is_remote, parse
from audiogrid.serving import callbacks
from audiogrid.serving.addresses import fetch
from audiogrid.serving.inspection import FILE_COLUMNS
from audiogrid.serving.job_folder import TABLE, JobFolder
from audiogrid.serving.job_queue import DONE, FAILED, FETCH, LONG, QUEUED, RUNNING, SHORT, JobRecord
from audiogrid.serving.long_lane import ATTEMPTS, BatchRun, LongJob, deliver, registry_file
from audiogrid.serving.service import Refused, Service
from audiogrid.serving.tokens import WATCHER
from audiogrid.serving.watching import Seen, WatchedFolder
from audiogrid.serving.web.file_names import free_name

LOG = logging.getLogger("audiogrid.serving")
_POLL_SECONDS = 1.0
_RETENTION_SECONDS = 600.0
# Recordings of one run.
_MOST_IN_RUN = 1000
# Columns of the table of a run: clients choose their names.
_MOST_COLUMNS = 256
# Downloads that go on at the same time, and those of one client; callbacks of one client that are told at once.
_FETCHES = 6
_FETCHES_OF_ONE = 2
_CALLBACKS_OF_ONE = 4
# Seconds before a run that could not be prepared is tried again.
_PAUSE_SECONDS = 5.0
# Seconds before transcripts that could not be written beside their file are written again.
_AGAIN_SECONDS = 60.0


async def run_long_lane(service: Service, profile: str, where: Path, left: dict[str, list[JobRecord]]) -> None:
    """Gather recordings into runs for ever. ``left``: runs that a server before this one had started."""
    going: set[asyncio.Task[None]] = set()
    number = last_number(service.state, left)
    delivered = [path for path in (service.state / "runs").glob("r[0-9]*") if path.name not in left]
    dropping = [asyncio.create_task(_drop_delivered(path)) for path in delivered]
    try:
        for name, records in left.items():
            going.add(asyncio.create_task(_run(service, profile, where, name, records)))
        while True:
            while len(going) < service.settings["runs"] and (records := gather(service)):
                number += 1
                name = f"r{number:06d}"
                for record in records:
                    service.queue.update(
                        record.id,
                        status=RUNNING,
                        lane=LONG,
                        started=time.time(),
                        attempts=record.attempts + 1,
                        fields={"run": name},
                    )
                    service.changed(record.id)
                going.add(asyncio.create_task(_run(service, profile, where, name, records)))
            waiting = asyncio.create_task(service.wake_long.wait())
            done, _ = await asyncio.wait({waiting, *going}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            service.wake_long.clear()
            for task in done & going:
                going.discard(task)
                if task.exception():
                    LOG.error("a run of the service failed", exc_info=task.exception())
    finally:
        for task in (*going, *dropping):
            task.cancel()
        await asyncio.gather(*going, *dropping, return_exceptions=True)


async def _drop_delivered(folder: Path) -> None:
    """Delete the folder of a run whose jobs had all ended when the server before this one was killed."""
    while True:
        try:
            await asyncio.to_thread(remove_stale_locks, folder, LOG.info)
            break
        except InputError:
            # Its Snakemake still ends.
            await asyncio.sleep(_POLL_SECONDS)
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def last_number(state: Path, left: Iterable[str]) -> int:
    """Returns the highest number that a run has. ``left``: runs that may have no folder yet."""
    names = [*(path.name for path in (state / "runs").glob("r[0-9]*")), *left]
    return max((int(name[1:]) for name in names if name[1:].isdigit()), default=0)


def gather(service: Service) -> list[JobRecord]:
    """Returns the jobs of the next run: long ones that share a recipe, and short ones that flood their lane.

    Names of recordings are unique in a run; a second recording of a name waits for the next one. Which short ones are
    too many is counted by turns of the clients: what one sends does not push the recordings of others into a run.
    """
    waiting = service.queue.waiting(LONG)
    if not waiting:
        most = service.settings["flood"]
        if service.queue.counts().get((QUEUED, SHORT), 0) <= most:
            return []
        flood = service.queue.in_turns(SHORT, 10_000)[most:]
        waiting = [record for record in flood if not record.fields.get("sync")]
    chosen: list[JobRecord] = []
    names: set[str] = set()
    columns: set[str] = set()
    for record in waiting:
        recipe = (record.fields["model"], record.fields["task"])
        name = record.fields["recording"].casefold()
        if chosen and recipe != (chosen[0].fields["model"], chosen[0].fields["task"]):
            continue
        wider = columns | set(record.fields["row"])
        if name not in names and len(chosen) < _MOST_IN_RUN and (not chosen or len(wider) <= _MOST_COLUMNS):
            names.add(name)
            columns = wider
            chosen.append(record)
    return chosen


def _long_job(service: Service, record: JobRecord) -> LongJob:
    row = dict(record.fields["row"])
    folder = JobFolder(service.state, record.id).upload.absolute()
    for column in FILE_COLUMNS:
        value = row.get(column)
        if value and not is_remote(value):
            row[column] = str(folder / value)
    return LongJob(record.id, record.fields["recording"], row)


async def _run(service: Service, profile: str, where: Path, name: str, records: Sequence[JobRecord]) -> None:
    """Transcribe recordings with a run, and deliver each as soon as it is complete."""
    try:
        recipe = service.recipes.of(records[0].fields["model"], records[0].fields["task"])
    except InputError as error:
        # The configuration has changed since they were accepted.
        for record in records:
            service.end(record.id, FAILED, str(error))
        return
    jobs = [_long_job(service, record) for record in records]
    run = BatchRun(service.state, name, jobs, recipe)
    paths = {record.id: record.fields["name"] for record in records}
    LOG.info("run %s: %d recording(s)", name, len(jobs))
    failures = 0
    trouble = ""
    try:
        while failures < ATTEMPTS:
            try:
                await asyncio.to_thread(run.prepare, service.store, Path("models"), registry_file())
                code = await _attempt(service, run, profile, where, paths)
            except (OSError, AudiogridError) as error:
                LOG.exception("run %s cannot work", name)
                failures += 1
                trouble = f"its run cannot work ({getattr(error, 'strerror', None) or error})"
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            trouble = ""
            if code is None:
                # An earlier Snakemake still ends.
                await asyncio.sleep(_POLL_SECONDS)
                continue
            failures += 1
            waiting = _open_jobs(service, run)
            # One whose transcripts could not be written, as on a full disk, is delivered by the next attempt.
            is_whole = code == 0 and not run.undelivered
            if not waiting or is_whole or all(run.is_refused(job) for job in waiting):
                break
            LOG.warning("run %s ended with exit code %d: %d recording(s) left", name, code, len(waiting))
        for job in _open_jobs(service, run):
            folder = JobFolder(service.state, job.job).upload.absolute()
            service.end(job.job, FAILED, trouble or run.reason(job).replace(f"{folder}/", ""))
        await asyncio.to_thread(run.drop)
        for job in jobs:
            service.drop_cancelled(job.job)
    except asyncio.CancelledError:
        run.stop()
        raise


def _open_jobs(service: Service, run: BatchRun) -> list[LongJob]:
    found = ((job, service.queue.get(job.job)) for job in run.jobs)
    return [job for job, record in found if record is not None and record.status == RUNNING]


async def _attempt(service: Service, run: BatchRun, profile: str, where: Path, paths: dict[str, str]) -> int | None:
    """Run Snakemake once. Returns its exit code; ``None`` where an earlier one of this run still works."""
    task = asyncio.create_task(run.run(profile, where))
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=_POLL_SECONDS)
            share = await asyncio.to_thread(run.progress)
            waiting = _open_jobs(service, run)
            for job in waiting:
                if service.progress.get(job.job) != share:
                    service.progress[job.job] = share
                    service.changed(job.job)
            if not waiting:
                # All of them were cancelled.
                run.stop()
            await _deliver(service, run, waiting, paths)
        await _deliver(service, run, _open_jobs(service, run), paths)
        return task.result()
    except InputError as error:
        LOG.info("%s", error)
        return None
    except asyncio.CancelledError:
        run.stop()
        try:
            await asyncio.wait_for(task, 5.0)
        except (TimeoutError, asyncio.CancelledError):
            run.kill()
        raise


async def _deliver(service: Service, run: BatchRun, jobs: Sequence[LongJob], paths: dict[str, str]) -> None:
    for job in jobs:
        if not run.has_document(job):
            continue
        try:
            await service.inspector.call(
                deliver,
                str(run.folder.root),
                str(service.state),
                job.job,
                job.recording,
                paths[job.job],
                run.recipe.merge,
            )
        except RetryableError as error:
            if run.undelivered.get(job.job) != str(error):
                LOG.warning("the transcripts of job %s cannot be written, which is tried again: %s", job.job, error)
            run.undelivered[job.job] = str(error)
        except AudiogridError as error:
            service.end(job.job, FAILED, str(error))
        else:
            run.undelivered.pop(job.job, None)
            await service.apply_corrections(job.job)
            service.end(job.job, DONE, device="run")


async def run_downloads(service: Service) -> None:
    """Fetch recordings from the addresses that clients named, for ever."""
    going: dict[asyncio.Task[None], str] = {}
    try:
        while True:
            for record in service.queue.in_turns(FETCH, 100) if len(going) < _FETCHES else ():
                if len(going) >= _FETCHES:
                    break
                if [*going.values()].count(record.owner) < _FETCHES_OF_ONE and service.begin_fetch(record):
                    going[asyncio.create_task(_fetch(service, record))] = record.owner
            waiting = asyncio.create_task(service.wake_fetch.wait())
            await asyncio.wait({waiting, *going}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            service.wake_fetch.clear()
            for task in [one for one in going if one.done()]:
                del going[task]
                if task.exception():
                    LOG.error("a download failed", exc_info=task.exception())
    finally:
        for task in going:
            task.cancel()
        await asyncio.gather(*going, return_exceptions=True)


async def _outside(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Returns what ``function`` returns; it waits for a server of others.

    It has a thread of its own: those that answer requests must not wait with it, nor the end of this process.
    """
    outcome: Future[Any] = Future()
    threading.Thread(target=_settle, args=(outcome, partial(function, *arguments, **named)), daemon=True).start()
    return await asyncio.wrap_future(outcome)


def _settle(outcome: Future[Any], call: Callable[[], Any]) -> None:
    if not outcome.set_running_or_notify_cancel():
        return
    try:
        outcome.set_result(call())
    except BaseException as error:
        outcome.set_exception(error)


async def _fetch(service: Service, record: JobRecord) -> None:
    address = record.fields["address"]
    try:
        parsed = parse(address)
        if not parsed.is_web:
            await service.settle_fetched(record, address, 0)
            return
        folder = JobFolder(service.state, record.id)
        folder.upload.mkdir(parents=True, exist_ok=True)
        given = parsed.key.rsplit("/", 1)[-1] or parsed.bucket
        # An earlier try may have left a part of the file.
        file = free_name(given, taken={TABLE, *record.fields["row"].values()})
        size = await _outside(
            fetch,
            address,
            folder.upload / file,
            most=int(service.settings["max_upload"] * 1e6),
            allow_private=service.settings["private_addresses"],
            is_wanted=lambda: service.is_running(record.id),
        )
        await service.settle_fetched(record, file, size)
    except (InputError, Refused) as error:
        service.end(record.id, FAILED, masked(str(error)))
    except RetryableError as error:
        service.retry_fetch(record, masked(str(error)))
    except OSError as error:
        service.retry_fetch(record, f"the file cannot be written ({error.strerror})")
    except Exception as error:
        # Whatever a server of others may answer: the job must not stay as it is.
        # No traceback: it would quote the address, which may hold a secret.
        LOG.error("the recording of job %s cannot be fetched (%s)", record.id, type(error).__name__)
        service.end(record.id, FAILED, f"the address cannot be read ({type(error).__name__}): check it")


async def run_callbacks(service: Service) -> None:
    """Tell the callback addresses of jobs that have ended, for ever."""
    for record in service.queue.with_status("done", "failed", "cancelled"):
        if record.fields.get("callback") and not record.fields.get("told"):
            service.ended.put_nowait(record.id)
    going: set[asyncio.Task[None]] = set()
    turns: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(_CALLBACKS_OF_ONE))
    try:
        while True:
            job = await service.ended.get()
            ended = service.queue.get(job)
            if ended is not None and ended.fields.get("callback"):
                task = asyncio.create_task(_tell(service, ended, turns[ended.owner]))
                going.add(task)
                task.add_done_callback(going.discard)
            if ended is not None and ended.owner == WATCHER:
                service.delivered.set()
    finally:
        for task in going:
            task.cancel()


async def _tell(service: Service, record: JobRecord, turn: asyncio.Semaphore) -> None:
    payload = {
        "id": record.id,
        "status": record.status,
        "error": record.error or None,
        "name": record.fields["name"],
        "recording": record.fields.get("recording"),
        "created": record.created,
        "finished": record.finished,
    }
    key = callbacks.key_of(service.state, record.owner)
    for pause in (0, *callbacks.PAUSES):
        await asyncio.sleep(pause)
        async with turn:
            trouble = await _outside(
                callbacks.send,
                record.fields["callback"],
                payload,
                key,
                allow_private=service.settings["private_addresses"],
            )
        if not trouble:
            break
        LOG.warning("the callback of job %s failed: %s", record.id, masked(trouble))
    service.queue.update(record.id, fields={"told": trouble or "yes"})


async def run_watch(service: Service, watched: WatchedFolder, seconds: float) -> None:
    """Look at the watched folder again and again."""
    not_before: dict[str, float] = {}
    while True:
        known = await asyncio.to_thread(service.queue.watched)
        files = await asyncio.to_thread(watched.ready, known)
        for file in files:
            await _accept_watched(service, watched, file, known)
        for path, entry in (await asyncio.to_thread(service.queue.watched)).items():
            if not_before.get(path, 0.0) <= time.monotonic():
                try:
                    await _deliver_watched(service, watched, path, entry)
                except OSError as error:
                    # A folder that may not be written, a full disk: the others go on.
                    LOG.warning("the transcripts of %s cannot be written, which is tried again: %s", path, error)
                    not_before[path] = time.monotonic() + _AGAIN_SECONDS
        service.delivered.clear()
        try:
            await asyncio.wait_for(service.delivered.wait(), seconds)
        except TimeoutError:
            continue


async def _accept_watched(
    service: Service, watched: WatchedFolder, file: Seen, known: dict[str, dict[str, Any]]
) -> None:
    try:
        async with service.new_job(WATCHER) as job:
            path = (watched.folder / file.path).absolute()
            recipe = service.recipes.of("auto")
            try:
                found = await service.inspector.inspect(
                    service.state, job, {"path": str(path)}, service.probing(recipe), file.size
                )
            except InputError as error:
                LOG.warning("%s is left out: %s", file.path, error)
                service.queue.watch(file.path, file.stamp, "")
                return
            before = watched.renamed_from(file, known)
            service.accept_watched(job, path, file, found)
            if before is not None:
                await asyncio.to_thread(watched.withdraw, known[before]["outputs"])
                service.queue.note_outputs(before, [])
    except (Refused, OSError) as error:
        LOG.warning("%s waits: %s", file.path, error)


async def _deliver_watched(service: Service, watched: WatchedFolder, path: str, entry: dict[str, Any]) -> None:
    record = service.queue.get(entry["job"]) if entry["job"] else None
    if record is None or record.status != DONE or record.fields.get("delivered"):
        return
    folder = JobFolder(service.state, record.id)
    recording = record.fields["recording"]
    contents = {}
    for name in service.configuration["formats"]:
        file = folder.transcript(recording, name)
        if name in FORMATS and file.exists():
            contents[name] = await asyncio.to_thread(file.read_bytes)
    written = await asyncio.to_thread(watched.deliver, path, contents, entry["outputs"])
    service.queue.note_outputs(path, written)
    service.queue.update(record.id, fields={"delivered": True})


async def run_retention(service: Service, remove_old_uploads: Callable[[], None]) -> None:
    """Remove what has been kept long enough, for ever. ``remove_old_uploads``: those that nobody went on with."""
    while True:
        await asyncio.to_thread(service.forget_old, time.time())
        await asyncio.to_thread(remove_old_uploads)
        await asyncio.sleep(_RETENTION_SECONDS)
