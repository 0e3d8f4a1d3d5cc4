"""A rank other than 0: its worker processes decode the tasks that rank 0 assigns."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from audiogrid.core.errors import AudiogridError, RetryableError, StoreError
from audiogrid.records.outcome import Outcome
from audiogrid.transcribing.coordinator import IDLE_SECONDS, POLL_SECONDS
from audiogrid.transcribing.protocol import (
    HEARTBEAT_SECONDS,
    Assign,
    Farewell,
    Finished,
    Heartbeat,
    Link,
    Log,
    Registration,
    Request,
    Shutdown,
    Start,
    Stop,
    StoreFailure,
    Withdraw,
)
from audiogrid.transcribing.scheduler import WAIT, Limits, SpeedEstimate, Task, Wait

# Where tasks are finished within this time, waiting for an answer takes a noticeable share of it: then one task per
# process is requested ahead. At most this much work is kept from ranks that would be free earlier.
SHORT_TASK_SECONDS = 5.0


class Pool(Protocol):
    """What a ``WorkerRank`` uses of ``WorkerPool``."""

    made: dict[str, Any]

    def run(
        self,
        next_task: Callable[[], Task | Wait | None],
        report: Callable[[Outcome], None],
        is_stopping: Callable[[], bool],
        tick: Callable[[], None],
        pause: Callable[[], float],
    ) -> None:
        """Work until ``next_task`` returns ``None``."""


class _ShutdownError(Exception):
    """Rank 0 sent ``Shutdown``."""


class WorkerRank:
    """Requests a task from rank 0 whenever a process is free, and reports the outcome of each chunk.

    ``silence``: seconds without a message from rank 0 after which it is taken to be lost.
    ``stopped_by``: why this rank begins no new task; set by a signal handler, for instance.
    """

    def __init__(
        self,
        link: Link,
        registration: Registration,
        limits: Limits,
        silence: float = 120.0,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._link = link
        self._registration = registration
        self._limits = limits
        self._silence = silence
        self._now = now
        self._sleep = sleep
        self._speed = SpeedEstimate()
        self._inbox: deque[Task] = deque()
        self._open_requests = self._idle_processes = self._processes = 0
        self._tasks = 0
        self._began = now()
        self._share: int | None = None
        self._pause = IDLE_SECONDS
        self._last_message = self._last_heartbeat = self._last_poll = now()
        self.stopped_by: str | None = None

    def timeout(self, task: Task) -> float:
        """Returns the seconds after which a task is taken to hang, by the speed of this rank's processes so far."""
        return self._speed.timeout(task, self._limits.chunk_timeout)

    def warn(self, sentence: str) -> None:
        """Send a sentence for the log to rank 0."""
        self._send(Log(sentence))

    def run(self, make_pool: Callable[[int], Pool], check: Callable[[], None], terminated: type[Exception]) -> None:
        """Work until rank 0 sends ``Shutdown``.

        ``make_pool`` gets the number of processes. ``check`` is called regularly and may raise ``terminated`` to
        abandon the running tasks. Raises ``RetryableError`` when rank 0 is lost.
        """
        self._send(self._registration)
        pool: Pool | None = None
        try:
            # Rank 0 looks through the store first, which may take long: it may be silent until it sends Start.
            while self._share is None:
                self._poll(has_started=False)
                self._sleep(POLL_SECONDS)
            self._processes = min(self._registration.processes, self._share)
            self._began = self._now()
            pool = make_pool(self._processes)

            def tick() -> None:
                self._idle_processes = 0
                self._poll()
                check()
                self._send_requests()

            try:
                pool.run(self._next_task, self._report, self._is_stopping, tick, self._next_pause)
                cause = self.stopped_by or "there is nothing left to do"
            except StoreError as error:
                self._send(StoreFailure(str(error)))
                cause = str(error)
            except AudiogridError as error:
                cause = str(error)
            except terminated:
                cause = self.stopped_by or "it was told to end"
            self._send(Withdraw(cause))
            while True:
                self._poll()
                self._sleep(self._next_pause())
        except _ShutdownError:
            self._send(Farewell(pool.made if pool else {}))

    def _send(self, message: object) -> None:
        self._link.send(0, message)

    def _next_task(self) -> Task | Wait | None:
        if self._inbox:
            task = self._inbox.popleft()
            self._send_requests()
            return task
        self._idle_processes += 1
        self._send_requests()
        return WAIT

    def _send_requests(self) -> None:
        """Keep one request open for each idle process, and more where tasks are short."""
        wanted = self._idle_processes + self._requests_ahead() - len(self._inbox)
        while self._open_requests < wanted and not self._is_stopping():
            self._open_requests += 1
            self._send(Request())
            self._pause = POLL_SECONDS / 2

    def _requests_ahead(self) -> int:
        if not self._tasks:
            return 0
        seconds_per_task = (self._now() - self._began) * self._processes / self._tasks
        return self._processes if seconds_per_task < SHORT_TASK_SECONDS else 0

    def _report(self, outcome: Outcome) -> None:
        self._speed.record(outcome)
        self._send(Finished(outcome))

    def _is_stopping(self) -> bool:
        return self.stopped_by is not None

    def _next_pause(self) -> float:
        """Returns a short pause after a request, a longer one each time no answer came: a job's end may be long."""
        if not self._idle_processes:
            return IDLE_SECONDS
        self._pause = min(self._pause * 1.2, IDLE_SECONDS / 2)
        return self._pause

    def _poll(self, has_started: bool = True) -> None:
        now = self._now()
        if now - self._last_poll > self._silence / 2:
            # This process itself stood still for a while: rank 0 is not to blame.
            self._last_message = now
        self._last_poll = now
        for _, message in self._link.receive():
            self._last_message = now
            match message:
                case Start(share):
                    self._share = share
                case Assign(task):
                    self._open_requests -= 1
                    self._tasks += 1
                    self._inbox.append(task)
                case Stop(reason):
                    self.stopped_by = self.stopped_by or reason
                case Shutdown():
                    raise _ShutdownError
        if now - self._last_heartbeat >= HEARTBEAT_SECONDS:
            self._last_heartbeat = now
            self._send(Heartbeat())
        if has_started and now - self._last_message > self._silence:
            raise RetryableError(
                f"rank 0 has sent no message to rank {self._link.rank} on {self._registration.host} for "
                f"{self._silence:.0f} s: the process or its node hangs. The job ends; finished chunks are in the "
                "store, and the retry decodes the others"
            )
