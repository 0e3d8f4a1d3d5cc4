"""A pool of decoding processes that survives crashes, hangs and out-of-memory kills of its processes.

Every worker process is a ``ChildProcess`` of its own, so that an abort, an out-of-memory kill or a hang ends one
process and its task, never the others.

A worker process may have a GPU of its own. When the GPU fails, the process is started again and must decode a known
clip before it gets another task. A GPU that fails at the clip, or at several tasks in a row, is not used any more.
The other processes do its work; if there are none, the CPU does, unless ``device: cuda`` was asked for.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

from audiogrid.core.child_process import ChildDiedError
from audiogrid.core.errors import AudiogridError, InputError, RetryableError, StoreError
from audiogrid.records.outcome import Outcome
from audiogrid.transcribing.scheduler import Task, Wait
from audiogrid.transcribing.worker import WorkerSettings
from audiogrid.transcribing.worker_process import WorkerProcess, make_processes, reserve_processes

# So many starts of worker processes that fail in a row end the job on this node.
MAX_FAILED_STARTS = 3
# After so many tasks in a row that failed on a GPU, the GPU is at fault, if another device can do its work.
MAX_GPU_FAILURES = 3


class WorkerPool:
    """Runs tasks in worker processes.

    ``attempts``: tries per chunk. ``timeout``: seconds that a task may take before its process is
    taken to hang. A task of several chunks that fails is tried again chunk by chunk, so that only
    the chunk that fails loses an attempt.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        processes: int,
        attempts: int,
        timeout: Callable[[Task], float],
        warn: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._workers = make_processes(settings, processes)
        self._attempts = attempts
        self._timeout = timeout
        self._warn = warn
        self._retries: deque[Task] = deque()
        self._failures: dict[str, int] = {}
        self._forgiven: set[str] = set()
        self._failed_starts = 0
        self.made: dict[str, Any] = {}

    def run(
        self,
        next_task: Callable[[], Task | Wait | None],
        report: Callable[[Outcome], None],
        is_stopping: Callable[[], bool],
        tick: Callable[[], None],
        pause: Callable[[], float] = lambda: 0.5,
    ) -> None:
        """Work until ``next_task`` returns ``None`` or ``is_stopping`` returns true.

        ``report`` gets one outcome per chunk. ``tick`` is called after every change, and at the latest
        after the seconds that ``pause`` returns; so is ``next_task`` after it returned ``WAIT``.
        Raises ``RetryableError`` when no worker process can be started here, and what a worker
        raised at its start when that was an ``AudiogridError`` (a damaged model, say).
        """
        try:
            while True:
                waiting = False
                for worker in self._workers:
                    if worker.future is None and not is_stopping():
                        task = self._retries.popleft() if self._retries else next_task()
                        if isinstance(task, Wait):
                            waiting = True
                        elif task is not None:
                            self._assign(worker, task)
                busy = [worker for worker in self._workers if worker.future is not None]
                if busy:
                    wait(
                        [worker.future for worker in busy if worker.future],
                        timeout=pause(),
                        return_when=FIRST_COMPLETED,
                    )
                elif waiting:
                    time.sleep(pause())
                else:
                    return
                for worker in busy:
                    self._check(worker, report)
                tick()
        finally:
            self.close()

    def close(self) -> None:
        """End all worker processes."""
        for worker in self._workers:
            worker.discard()

    def _assign(self, worker: WorkerProcess, task: Task) -> None:
        if worker.process is None:
            worker.task = task
            worker.launch()
        else:
            worker.submit(task, self._timeout(task))

    def _check(self, worker: WorkerProcess, report: Callable[[Outcome], None]) -> None:
        assert worker.future is not None
        if not worker.future.done():
            if time.monotonic() > worker.deadline and not worker.is_overdue:
                worker.is_overdue = True
                worker.kill()
            return
        future, worker.future = worker.future, None
        error = future.exception()
        # A process may answer just before it is killed for being late. Its answer counts, but the process is gone.
        is_killed = worker.is_overdue
        if not worker.is_ready:
            if error is None and is_killed:
                error = ChildDiedError("the process was stopped")
            self._after_start(worker, future, error)
        elif error is None:
            worker.task = None
            worker.gpu_failures = 0
            if is_killed:
                worker.discard()
            for outcome in future.result():
                self._warn_of(worker, outcome.notes)
                report(outcome)
        elif isinstance(error, StoreError):
            raise error
        else:
            task, worker.task = worker.task, None
            assert task is not None
            cause = self._cause(worker, error)
            if worker.may_be_gpu_failure(error):
                worker.discard()
                self._retry_after_gpu_failure(worker, task, cause, report)
                return
            if is_killed or isinstance(error, ChildDiedError):
                worker.discard()
            self._count_failure(task, cause, report)

    def _after_start(self, worker: WorkerProcess, future: Future[Any], error: BaseException | None) -> None:
        task, worker.task = worker.task, None
        assert task is not None
        if error is None:
            worker.is_ready = True
            self._failed_starts = worker.failed_starts = 0
            self.made = future.result()
            self._warn_of(worker, self.made.get("adapted", ()))
            worker.submit(task, self._timeout(task))
            return
        if isinstance(error, InputError) or (isinstance(error, AudiogridError) and not worker.gpu):
            raise error
        self._retries.appendleft(task)
        cause = self._cause(worker, error)
        worker.discard()
        if worker.gpu:
            worker.failed_starts += 1
            self._warn(f"a decoding process on {worker.name} could not start: {cause}")
            if worker.failed_starts >= MAX_FAILED_STARTS:
                self._drop_gpu(worker, cause)
            return
        self._failed_starts += 1
        if self._failed_starts >= MAX_FAILED_STARTS:
            raise RetryableError(
                f"no decoding process can be started on {os.uname().nodename}: {cause}; "
                "run `audiogrid doctor` there to see what is wrong"
            )
        self._warn(f"a decoding process could not start: {cause}; starting another")

    def _cause(self, worker: WorkerProcess, error: BaseException) -> str:
        if isinstance(error, ChildDiedError):
            return "decoding hung and was stopped" if worker.is_overdue else str(error)
        return f"{type(error).__name__}: {error}" if not isinstance(error, AudiogridError) else str(error)

    def _count_failure(self, task: Task, cause: str, report: Callable[[Outcome], None]) -> None:
        if len(task) > 1:
            self._warn(f"{cause} while decoding {len(task)} chunks; trying them one by one")
            self._retries.extendleft([job] for job in reversed(task))
            return
        (job,) = task
        self._failures[job.name] = self._failures.get(job.name, 0) + 1
        tried = self._failures[job.name]
        if tried < self._attempts:
            self._warn(f"chunk {job.name}: {cause}; attempt {tried + 1} of {self._attempts} follows")
            self._retries.append(task)
        else:
            report(Outcome(job.name, job.key, "failed", job.audio, error=cause))

    def _retry_after_gpu_failure(
        self, worker: WorkerProcess, task: Task, cause: str, report: Callable[[Outcome], None]
    ) -> None:
        """Try a task that failed on a GPU again; what happens then tells whether the GPU or the task is at fault."""
        worker.gpu_failures += 1
        names = {job.name for job in task}
        has_others = len(self._workers) > 1 or self._settings.reserve[0]
        if worker.gpu_failures >= MAX_GPU_FAILURES and has_others and not names & self._forgiven:
            self._forgiven |= names
            for name in names:
                self._failures.pop(name, None)
            self._retries.appendleft(task)
            self._drop_gpu(worker, cause)
        elif not names & worker.failed_chunks:
            worker.failed_chunks |= names
            self._warn(f"{cause} on {worker.name}; the process starts again and must decode a known clip first")
            self._retries.appendleft(task)
        else:
            # The GPU has decoded the clip since it failed at this chunk: now the chunk loses an attempt.
            self._count_failure(task, cause, report)

    def _drop_gpu(self, worker: WorkerProcess, cause: str) -> None:
        """Go on without a GPU. Raises ``RetryableError`` when no device is left."""
        self._workers.remove(worker)
        host = os.uname().nodename
        if self._workers:
            self._warn(
                f"{worker.name} of {host} is not used any more ({cause}); {len(self._workers)} other process(es) go on"
            )
            return
        self._workers = reserve_processes(self._settings)
        if not self._workers:
            raise RetryableError(
                f"{worker.name} of {host} cannot decode any more: {cause}. Finished chunks are in the store. "
                f"Keep jobs off {host} until `audiogrid doctor` reports no fault there, or set device: auto"
            )
        self._warn(f"{worker.name} of {host} is not used any more ({cause}); the CPU goes on")

    def _warn_of(self, worker: WorkerProcess, notes: tuple[str, ...]) -> None:
        for note in notes:
            self._warn(f"{worker.name}: {note}")
