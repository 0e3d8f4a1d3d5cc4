"""A rank other than 0: its worker processes do what rank 0 hands out."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from audiogrid.core.errors import AudiogridError, RetryableError, StoreError
from audiogrid.records.outcome import Outcome
from audiogrid.transcribing.coordinator import IDLE_SECONDS, POLL_SECONDS
from audiogrid.transcribing.protocol import (
    BEAT_SECONDS,
    Ask,
    Beat,
    Broken,
    Bye,
    Done,
    End,
    Go,
    Hello,
    Leave,
    Link,
    Say,
    Stop,
    Work,
)
from audiogrid.transcribing.scheduler import WAIT, Limits, Pace, Task, Wait

# Where tasks are done within this time, a request takes a share of it that counts: one task per process waits
# here already. At most this much work is held back from ranks that would be free earlier.
SHORT_SECONDS = 5.0


class Pool(Protocol):
    """What a follower needs of ``WorkerPool``."""

    made: dict[str, Any]

    def run(
        self,
        take: Callable[[], Task | Wait | None],
        report: Callable[[Outcome], None],
        stopping: Callable[[], bool],
        tick: Callable[[], None],
        pause: Callable[[], float],
    ) -> None:
        """Work until ``take`` has nothing more."""


class _EndedError(Exception):
    """Rank 0 said that it is over."""


class Follower:
    """Asks rank 0 for a task whenever a process is free, and tells it how each chunk went.

    ``silence``: seconds without a word from rank 0 after which it is taken to be lost.
    ``stopped_by``: set (by a signal handler, say) to begin nothing new; why this rank ends early.
    """

    def __init__(
        self,
        link: Link,
        hello: Hello,
        limits: Limits,
        silence: float = 120.0,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._link = link
        self._hello = hello
        self._limits = limits
        self._silence = silence
        self._now = now
        self._sleep = sleep
        self._pace = Pace()
        self._inbox: deque[Task] = deque()
        self._asked = self._hungry = self._processes = 0
        self._tasks = 0
        self._began = now()
        self._share: int | None = None
        self._pause = IDLE_SECONDS
        self._heard = self._last_beat = self._last_look = now()
        self.stopped_by: str | None = None

    def patience(self, task: Task) -> float:
        """Seconds after which a task is taken to hang, by what this rank's processes have shown so far."""
        return self._pace.patience(task, self._limits.chunk_timeout)

    def warn(self, sentence: str) -> None:
        """Pass a sentence for a person on to rank 0."""
        self._send(Say(sentence))

    def run(self, make_pool: Callable[[int], Pool], check: Callable[[], None], terminated: type[Exception]) -> None:
        """Work until rank 0 says that it is over.

        ``make_pool`` gets the number of processes. ``check`` is called now and then and may raise
        ``terminated`` to give up what is begun. Raises ``RetryableError`` when rank 0 is lost.
        """
        self._send(self._hello)
        pool: Pool | None = None
        try:
            # Rank 0 looks through the store first, which may take long: no clock runs yet.
            while self._share is None:
                self._look(is_started=False)
                self._sleep(POLL_SECONDS)
            self._processes = min(self._hello.processes, self._share)
            self._began = self._now()
            pool = make_pool(self._processes)

            def tick() -> None:
                self._hungry = 0
                self._look()
                check()
                self._ask()

            try:
                pool.run(self._take, self._report, self._stopping, tick, self._next_pause)
                cause = self.stopped_by or "it has nothing to do"
            except StoreError as error:
                self._send(Broken(str(error)))
                cause = str(error)
            except AudiogridError as error:
                cause = str(error)
            except terminated:
                cause = self.stopped_by or "it was told to end"
            self._send(Leave(cause))
            while True:
                self._look()
                self._sleep(self._next_pause())
        except _EndedError:
            self._send(Bye(pool.made if pool else {}))

    def _send(self, message: object) -> None:
        self._link.send(0, message)

    def _take(self) -> Task | Wait | None:
        if self._inbox:
            task = self._inbox.popleft()
            self._ask()
            return task
        self._hungry += 1
        self._ask()
        return WAIT

    def _ask(self) -> None:
        """Have as many requests on their way as there are free processes, and some ahead where tasks are short."""
        wanted = self._hungry + self._ahead() - len(self._inbox)
        while self._asked < wanted and not self._stopping():
            self._asked += 1
            self._send(Ask())
            self._pause = POLL_SECONDS / 2

    def _ahead(self) -> int:
        if not self._tasks:
            return 0
        each = (self._now() - self._began) * self._processes / self._tasks
        return self._processes if each < SHORT_SECONDS else 0

    def _report(self, outcome: Outcome) -> None:
        self._pace.learn(outcome)
        self._send(Done(outcome))

    def _stopping(self) -> bool:
        return self.stopped_by is not None

    def _next_pause(self) -> float:
        """Short after a request, longer and longer while none is answered: the end of a job may be long."""
        if not self._hungry:
            return IDLE_SECONDS
        self._pause = min(self._pause * 1.2, IDLE_SECONDS / 2)
        return self._pause

    def _look(self, is_started: bool = True) -> None:
        now = self._now()
        if now - self._last_look > self._silence / 2:
            # This process itself was stopped for a while: rank 0 is not to blame.
            self._heard = now
        self._last_look = now
        for _, message in self._link.receive():
            self._heard = now
            match message:
                case Go(share):
                    self._share = share
                case Work(task):
                    self._asked -= 1
                    self._tasks += 1
                    self._inbox.append(task)
                case Stop(reason):
                    self.stopped_by = self.stopped_by or reason
                case End():
                    raise _EndedError
        if now - self._last_beat >= BEAT_SECONDS:
            self._last_beat = now
            self._send(Beat())
        if is_started and now - self._heard > self._silence:
            raise RetryableError(
                f"rank 0 has said nothing to rank {self._link.rank} on {self._hello.host} for {self._silence:.0f} s: "
                "it hangs, or its node does. The job ends; what is finished is in the store, the retry goes on "
                "from there"
            )
