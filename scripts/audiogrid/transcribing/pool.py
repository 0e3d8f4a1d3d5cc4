"""A pool of decoding processes that survives whatever happens inside them.

Every slot is a ``ProcessPoolExecutor`` of one spawned process, so that an abort, an out-of-memory
kill or a hang takes down one process and the task it was at, never its neighbours.

A slot may have a GPU of its own. When that fails in the middle (see ``slots.py``), the process is started again and
has to read a known clip before it gets another task; a GPU that cannot, or that fails task after task, is given up.
Others do its work; where there are none, the CPU does, if a GPU was not asked for by name.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from audiogrid.core.errors import AudiogridError, InputError, RetryableError, StoreError
from audiogrid.records.outcome import Outcome
from audiogrid.transcribing.scheduler import Task, Wait
from audiogrid.transcribing.worker import WorkerSettings, describe_exit
from audiogrid.transcribing.worker_process import Slot, make_slots, reserve_slots

# A process that cannot even start: this many in a row, and the node is not to be trusted.
MAX_FAILED_STARTS = 3
# So many tasks in a row that failed on a GPU are not the tasks' fault, if there is anybody else to do them.
MAX_STRIKES = 3


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
        self._settings = settings
        self._slots = make_slots(settings, processes)
        self._attempts = attempts
        self._patience = patience
        self._warn = warn
        self._again: deque[Task] = deque()
        self._failures: dict[str, int] = {}
        self._excused: set[str] = set()
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

    def _begin(self, slot: Slot, task: Task) -> None:
        if slot.executor is None:
            slot.task = task
            slot.launch()
        else:
            slot.submit(task, self._patience(task))

    def _look_after(self, slot: Slot, report: Callable[[Outcome], None]) -> None:
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
            slot.strikes = 0
            for outcome in future.result():
                self._note(slot, outcome.notes)
                report(outcome)
        elif isinstance(error, StoreError):
            raise error
        else:
            task, slot.task = slot.task, None
            assert task is not None
            cause = self._cause(slot, error)
            if slot.is_to_blame(error):
                slot.discard()
                self._strike(slot, task, cause, report)
                return
            if isinstance(error, BrokenProcessPool):
                slot.discard()
            self._charge(task, cause, report)

    def _after_start(self, slot: Slot, future: Future[Any], error: BaseException | None) -> None:
        task, slot.task = slot.task, None
        assert task is not None
        if error is None:
            slot.is_ready = True
            self._failed_starts = slot.failed_starts = 0
            self.made = future.result()
            self._note(slot, self.made.get("adapted", ()))
            slot.submit(task, self._patience(task))
            return
        if isinstance(error, InputError) or (isinstance(error, AudiogridError) and not slot.gpu):
            raise error
        self._again.appendleft(task)
        cause = self._cause(slot, error)
        slot.discard()
        if slot.gpu:
            slot.failed_starts += 1
            self._warn(f"a decoding process on {slot.name} could not start: {cause}")
            if slot.failed_starts >= MAX_FAILED_STARTS:
                self._give_up(slot, cause)
            return
        self._failed_starts += 1
        if self._failed_starts >= MAX_FAILED_STARTS:
            raise RetryableError(
                f"no decoding process can be started on {os.uname().nodename}: {cause}; "
                "run scripts/doctor.py there to see what is wrong"
            )
        self._warn(f"a decoding process could not start: {cause}; starting another")

    def _cause(self, slot: Slot, error: BaseException) -> str:
        if slot.overdue:
            return "decoding hung and was stopped"
        if isinstance(error, BrokenProcessPool):
            return describe_exit(slot.exit_code())
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

    def _strike(self, slot: Slot, task: Task, cause: str, report: Callable[[Outcome], None]) -> None:
        """A GPU failed at a task: whose fault it was is seen from what happens next."""
        slot.strikes += 1
        names = {job.name for job in task}
        others = len(self._slots) > 1 or self._settings.reserve[0]
        if slot.strikes >= MAX_STRIKES and others and not names & self._excused:
            self._excused |= names
            for name in names:
                self._failures.pop(name, None)
            self._again.appendleft(task)
            self._give_up(slot, cause)
        elif not names & slot.failed_at:
            slot.failed_at |= names
            self._warn(f"{cause} on {slot.name}; the process starts again and is tried on a known clip first")
            self._again.appendleft(task)
        else:
            # The GPU has read the clip since it failed here: this time the chunk is charged.
            self._charge(task, cause, report)

    def _give_up(self, slot: Slot, cause: str) -> None:
        """Go on without a GPU. Raises ``RetryableError`` when nobody is left."""
        self._slots.remove(slot)
        host = os.uname().nodename
        if self._slots:
            self._warn(f"{slot.name} of {host} is given up ({cause}); {len(self._slots)} other process(es) go on")
            return
        self._slots = reserve_slots(self._settings)
        if not self._slots:
            raise RetryableError(
                f"{slot.name} of {host} cannot be decoded on any more: {cause}. What is finished is in the store. "
                f"Keep jobs off {host} until scripts/doctor.py is content with it, or set device: auto"
            )
        self._warn(f"{slot.name} of {host} is given up ({cause}); the CPU goes on")

    def _note(self, slot: Slot, notes: tuple[str, ...]) -> None:
        for note in notes:
            self._warn(f"{slot.name}: {note}")
