"""A pool of decoding processes that survives whatever happens inside them.

Every slot is a ``ProcessPoolExecutor`` of one spawned process, so that an abort, an out-of-memory
kill or a hang takes down one process and the task it was at, never its neighbours.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from typing import Any

from audiogrid import worker
from audiogrid.errors import AudiogridError, RetryableError, StoreError
from audiogrid.handout import Task, Wait
from audiogrid.worker import Outcome, WorkerSettings

# A process that cannot even start: this many in a row, and the node is not to be trusted.
MAX_FAILED_STARTS = 3
START_SECONDS = 300.0


@dataclass
class _Slot:
    """One worker process and what it is doing."""

    settings: WorkerSettings
    executor: ProcessPoolExecutor | None = None
    process: BaseProcess | None = None
    future: Future[Any] | None = None
    task: Task | None = None
    deadline: float = 0.0
    overdue: bool = False
    is_ready: bool = False
    made: dict[str, Any] = field(default_factory=dict)

    def launch(self) -> None:
        """Start a process and let it load the model."""
        before = {process.pid for process in multiprocessing.active_children()}
        context = multiprocessing.get_context("spawn")
        self.executor = ProcessPoolExecutor(1, context, initializer=worker.start, initargs=(self.settings,))
        self.is_ready = False
        self.future = self.executor.submit(worker.ready)
        self.deadline = time.monotonic() + START_SECONDS
        fresh = [process for process in multiprocessing.active_children() if process.pid not in before]
        self.process = fresh[0] if fresh else None

    def submit(self, task: Task, seconds: float) -> None:
        """Give the process a task that may take ``seconds``."""
        assert self.executor is not None
        self.task = task
        self.future = self.executor.submit(worker.work, task)
        self.deadline = time.monotonic() + seconds

    def kill(self) -> None:
        """End the process at once."""
        if self.process is not None and self.process.is_alive():
            self.process.kill()

    def exit_code(self) -> int | None:
        """Exit code of the dead process; ``None`` when it cannot be told."""
        if self.process is None:
            return None
        # The executor's own thread waits for the process, too, and may be the one that learns its code.
        deadline = time.monotonic() + 5
        while self.process.exitcode is None and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.process.exitcode

    def discard(self) -> None:
        """Forget the process after its death."""
        self.kill()
        if self.executor is not None:
            self.executor.shutdown(wait=True, cancel_futures=True)
        self.executor = self.process = self.future = None
        self.overdue = False


class WorkerPool:
    """Runs tasks in worker processes.

    ``attempts``: tries per chunk. ``patience``: seconds that a task may take before its process is
    taken to hang. A task of several chunks that fails is tried again chunk by chunk, so that only
    the culprit is charged.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        processes: int,
        attempts: int,
        patience: Callable[[Task], float],
        warn: Callable[[str], None],
    ) -> None:
        os.environ.update(worker.thread_environment(settings.threads))
        self._slots = [_Slot(settings) for _ in range(processes)]
        self._attempts = attempts
        self._patience = patience
        self._warn = warn
        self._again: deque[Task] = deque()
        self._failures: dict[str, int] = {}
        self._failed_starts = 0
        self.made: dict[str, Any] = {}

    def run(
        self,
        take: Callable[[], Task | Wait | None],
        report: Callable[[Outcome], None],
        stopping: Callable[[], bool],
        tick: Callable[[], None],
        pause: Callable[[], float] = lambda: 0.5,
    ) -> None:
        """Work until ``take`` has nothing more, or ``stopping`` says to take no new task.

        ``report`` gets one outcome per chunk. ``tick`` is called after every change, and at the latest
        after the seconds that ``pause`` gives; so is ``take`` when it answered ``WAIT``.
        Raises ``RetryableError`` when no worker process can be started here, and what a worker
        raised at its start when that was an ``AudiogridError`` (a damaged model, say).
        """
        try:
            while True:
                waiting = False
                for slot in self._slots:
                    if slot.future is None and not stopping():
                        task = self._again.popleft() if self._again else take()
                        if isinstance(task, Wait):
                            waiting = True
                        elif task is not None:
                            self._begin(slot, task)
                busy = [slot for slot in self._slots if slot.future is not None]
                if busy:
                    wait([slot.future for slot in busy if slot.future], timeout=pause(), return_when=FIRST_COMPLETED)
                elif waiting:
                    time.sleep(pause())
                else:
                    return
                for slot in busy:
                    self._look_after(slot, report)
                tick()
        finally:
            self.close()

    def close(self) -> None:
        """End all worker processes."""
        for slot in self._slots:
            slot.discard()

    def _begin(self, slot: _Slot, task: Task) -> None:
        if slot.executor is None:
            slot.task = task
            slot.launch()
        else:
            slot.submit(task, self._patience(task))

    def _look_after(self, slot: _Slot, report: Callable[[Outcome], None]) -> None:
        assert slot.future is not None
        if not slot.future.done():
            if time.monotonic() > slot.deadline and not slot.overdue:
                slot.overdue = True
                slot.kill()
            return
        future, slot.future = slot.future, None
        error = future.exception()
        if not slot.is_ready:
            self._after_start(slot, future, error)
        elif error is None:
            slot.task = None
            for outcome in future.result():
                report(outcome)
        elif isinstance(error, StoreError):
            raise error
        else:
            task, slot.task = slot.task, None
            assert task is not None
            cause = self._cause(slot, error)
            if isinstance(error, BrokenProcessPool):
                slot.discard()
            self._charge(task, cause, report)

    def _after_start(self, slot: _Slot, future: Future[Any], error: BaseException | None) -> None:
        task, slot.task = slot.task, None
        assert task is not None
        if error is None:
            slot.is_ready = True
            self._failed_starts = 0
            self.made = future.result()
            slot.submit(task, self._patience(task))
            return
        if isinstance(error, AudiogridError):
            raise error
        self._failed_starts += 1
        self._again.appendleft(task)
        cause = self._cause(slot, error)
        slot.discard()
        if self._failed_starts >= MAX_FAILED_STARTS:
            raise RetryableError(
                f"no decoding process can be started on {os.uname().nodename}: {cause}; "
                "run scripts/doctor.py there to see what is wrong"
            )
        self._warn(f"a decoding process could not start: {cause}; starting another")

    def _cause(self, slot: _Slot, error: BaseException) -> str:
        if slot.overdue:
            return "decoding hung and was stopped"
        if isinstance(error, BrokenProcessPool):
            return worker.describe_exit(slot.exit_code())
        return f"{type(error).__name__}: {error}" if not isinstance(error, AudiogridError) else str(error)

    def _charge(self, task: Task, cause: str, report: Callable[[Outcome], None]) -> None:
        if len(task) > 1:
            self._warn(f"{cause} while at {len(task)} chunks; trying them one by one")
            self._again.extendleft([job] for job in reversed(task))
            return
        (job,) = task
        self._failures[job.name] = self._failures.get(job.name, 0) + 1
        tried = self._failures[job.name]
        if tried < self._attempts:
            self._warn(f"chunk {job.name}: {cause}; attempt {tried + 1} of {self._attempts} follows")
            self._again.append(task)
        else:
            report(Outcome(job.name, job.key, "failed", job.audio, error=cause))
