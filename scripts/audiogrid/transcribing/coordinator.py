"""Rank 0's side of a job over several ranks: which ranks work, which has which task, what they report.

Rank 0 holds the queue of tasks. Every other rank requests a task whenever one of its worker processes is free, and
reports each outcome; rank 0 decodes, too. This module does not know MPI: messages travel over a ``Link``, of which a
job of one process has none. All messages are small, and no call blocks on one.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable

from audiogrid.core.errors import RetryableError, StoreError
from audiogrid.records.outcome import Outcome
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
from audiogrid.transcribing.rank_state import RankState
from audiogrid.transcribing.scheduler import WAIT, Scheduler, Task, Wait

# How often rank 0 looks for messages while there are some, and after a second without any. A request waits half of
# it on average, against seconds of decoding; looking costs about 0.1 ms of CPU.
POLL_SECONDS = 0.01
QUIET_POLL_SECONDS = 0.03
# Without other ranks there are no messages; the pool itself wakes at once when a task is finished.
IDLE_SECONDS = 0.5
# Ranks start together, but their Pythons may come from a slow file system.
REGISTRATION_SECONDS = 600.0


class Coordinator:
    """Hands tasks to all ranks of a job, this process (rank 0) included; without a link, to this process alone.

    ``silence``: seconds without a message after which a rank is taken to be lost.
    """

    def __init__(
        self,
        link: Link | None = None,
        silence: float = 120.0,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._link = link
        self._silence = silence
        self._now = now
        self._sleep = sleep
        self.own: RankState = RankState(0, "", 0, 0, 0, now())
        self.others: dict[int, RankState] = {}
        # Ranks in the order of their unanswered requests.
        self._requests: deque[int] = deque()
        self._scheduler: Scheduler | None = None
        self._report: Callable[[Outcome], None] = lambda outcome: None
        self._warn: Callable[[str], None] = lambda sentence: None
        self._has_sent_stop = self._is_closed = False
        self._missing: list[RankState] = []
        self._last_heartbeat = self._last_poll = self._last_message = now()

    @property
    def processes(self) -> int:
        """Worker processes of the other ranks."""
        return sum(rank.processes for rank in self.others.values() if rank.is_working)

    @property
    def is_alone(self) -> bool:
        """Whether no other rank takes tasks."""
        return not any(rank.is_working for rank in self.others.values())

    def wait_for_ranks(self, own: Registration, seconds: float = REGISTRATION_SECONDS) -> None:
        """Wait until every rank has registered. Raises ``RetryableError`` that names those that have not in time."""
        self.own = RankState(0, own.host, own.pid, own.processes, own.threads, self._now())
        if self._link is None:
            return
        deadline = self._now() + seconds
        while len(self.others) < self._link.size - 1:
            for rank, message in self._link.receive():
                if isinstance(message, Registration):
                    self.others[rank] = RankState(
                        rank, message.host, message.pid, message.processes, message.threads, self._now()
                    )
            missing = sorted(set(range(1, self._link.size)) - self.others.keys())
            if missing and self._now() > deadline:
                raise RetryableError(
                    f"rank(s) {', '.join(map(str, missing))} did not report within {seconds:.0f} s; "
                    "see the log of the MPI job for their node"
                )
            if missing:
                self._sleep(POLL_SECONDS)

    def start(self, scheduler: Scheduler, report: Callable[[Outcome], None], warn: Callable[[str], None]) -> None:
        """Begin to hand out tasks. ``report`` gets the outcomes of all ranks; ``warn`` gets sentences for the log."""
        self._scheduler, self._report, self._warn = scheduler, report, warn
        now = self._now()
        if self.own.processes or not self.others:
            scheduler.add_rank(0, self.own.processes)
        else:
            scheduler.remove_rank(0)
        for rank in self.others.values():
            rank.last_message = now
            # A rank without a process (more ranks than GPUs) never requests a task.
            if rank.processes:
                scheduler.add_rank(rank.rank, rank.processes)
        for rank in self.others.values():
            self._send(rank, Start(self._share(rank)))
        self._last_heartbeat = self._last_poll = now

    def next_task(self) -> Task | Wait | None:
        """Returns a task for a process of rank 0; ``WAIT`` as long as another rank may still return one."""
        assert self._scheduler is not None
        if self._scheduler.is_stopping():
            return None
        if len(self.own.tasks) < self._share(self.own):
            task = self._scheduler.next_task(0)
            if task is not None:
                self.own.add_task(task)
                return task
        return WAIT if self.is_busy() else None

    def record(self, outcome: Outcome) -> None:
        """Take note of an outcome of rank 0's own processes."""
        self._finish(self.own, outcome)

    def withdraw(self, cause: str) -> None:
        """Let rank 0 take no more tasks; other ranks get those it had."""
        self._withdraw(self.own, cause)

    @property
    def withdrawals(self) -> str:
        """The ranks that take no more tasks, each with the reason."""
        ranks = (self.own, *self.others.values())
        return "; ".join(f"{rank}: {rank.withdrew_because}" for rank in ranks if not rank.is_working)

    def is_busy(self) -> bool:
        """Whether other ranks are decoding, or may soon be."""
        working = [rank for rank in self.others.values() if rank.is_working]
        if any(rank.tasks for rank in working):
            return True
        return bool(working and self._scheduler and self._scheduler.remaining and not self._scheduler.is_stopping())

    def poll_seconds(self) -> float:
        """Seconds that may pass until ``poll`` should be called again."""
        if not self.others:
            return IDLE_SECONDS
        return POLL_SECONDS if self._now() - self._last_message < 1.0 else QUIET_POLL_SECONDS

    def poll(self) -> None:
        """Read the messages of the other ranks, and answer them.

        Raises ``RetryableError`` when a rank has been silent for too long, ``StoreError`` when one cannot store.
        """
        if self._link is None or not self.others:
            return
        assert self._scheduler is not None
        now = self._now()
        if now - self._last_poll > self._silence / 2:
            # This process itself stood still for a while (a suspended machine): the others are not to blame.
            for rank in self.others.values():
                rank.last_message = now
        self._last_poll = now
        for number, message in self._link.receive():
            self.others[number].last_message = self._last_message = now
            self._handle(self.others[number], message)
        self._answer_requests()
        if now - self._last_heartbeat >= HEARTBEAT_SECONDS:
            self._last_heartbeat = now
            for rank in self.others.values():
                self._send(rank, Heartbeat())
        for rank in self.others.values():
            if now - rank.last_message > self._silence:
                raise RetryableError(
                    f"{rank} (process {rank.pid}) has sent no message for {self._silence:.0f} s: the process or its "
                    "node hangs. The job ends; finished chunks are in the store, and the retry decodes the others"
                )

    def close(self, seconds: float = 20.0) -> list[RankState]:
        """Tell all ranks to end, and wait for their last messages; returns the ranks that sent none."""
        if self._link is None or self._is_closed:
            return self._missing
        self._is_closed = True
        for number in range(1, self._link.size):
            self._link.send(number, Shutdown())
        deadline = self._now() + seconds
        missing = [rank for rank in self.others.values() if rank.made is None]
        # A rank that has been silent for too long already is not waited for.
        while any(self._now() - rank.last_message <= self._silence for rank in missing) and self._now() < deadline:
            for number, message in self._link.receive():
                if isinstance(message, Farewell) and number in self.others:
                    self.others[number].made = message.made
            missing = [rank for rank in missing if rank.made is None]
            self._sleep(POLL_SECONDS)
        self._missing = missing
        return missing

    def _share(self, rank: RankState) -> int:
        """Returns how many tasks a rank may have at once: when there are few, all nodes get some."""
        assert self._scheduler is not None
        working = [one for one in (self.own, *self.others.values()) if one.is_working]
        tasks = self._scheduler.remaining + sum(len(one.tasks) for one in working)
        if self.is_alone:
            return max(1, tasks)
        processes = sum(one.processes for one in working)
        return max(1, math.ceil(tasks * rank.processes / max(1, processes)))

    def _send(self, rank: RankState, message: object) -> None:
        assert self._link is not None
        self._link.send(rank.rank, message)

    def _handle(self, rank: RankState, message: object) -> None:
        match message:
            case Request() if rank.is_working:
                rank.requests += 1
                self._requests.append(rank.rank)
            case Finished(outcome):
                self._finish(rank, outcome)
            case Log(sentence):
                self._warn(f"{rank}: {sentence}")
            case Withdraw(cause):
                self._withdraw(rank, cause)
            case StoreFailure(sentence):
                raise StoreError(f"{rank}: {sentence}")
            case Farewell(made):
                rank.made = made

    def _finish(self, rank: RankState, outcome: Outcome) -> None:
        assert self._scheduler is not None
        self._scheduler.record(outcome, rank.rank)
        rank.decoded += outcome.status == "decoded"
        if rank.remove_chunk(outcome.chunk):
            self._report(outcome)

    def _withdraw(self, rank: RankState, cause: str) -> None:
        assert self._scheduler is not None
        if not rank.is_working:
            return
        rank.is_working = False
        rank.withdrew_because = cause
        rank.requests = 0
        self._requests = deque(number for number in self._requests if number != rank.rank)
        self._scheduler.remove_rank(rank.rank)
        self._scheduler.return_tasks(rank.remove_tasks())
        if not self._scheduler.is_stopping():
            self._warn(f"{rank} takes no more tasks: {cause}")

    def _answer_requests(self) -> None:
        assert self._scheduler is not None
        if self._scheduler.is_stopping():
            if not self._has_sent_stop:
                self._has_sent_stop = True
                for rank in self.others.values():
                    self._send(rank, Stop(str(self._scheduler.stopped_by)))
            return
        for _ in range(len(self._requests)):
            if not self._scheduler.remaining:
                return
            number = self._requests.popleft()
            rank = self.others[number]
            task = self._scheduler.next_task(number) if len(rank.tasks) < self._share(rank) else None
            if task is None:
                self._requests.append(number)
                continue
            rank.requests -= 1
            rank.add_task(task)
            self._send(rank, Assign(task))
