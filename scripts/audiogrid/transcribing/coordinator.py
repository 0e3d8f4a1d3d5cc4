"""Rank 0's side of a job over several ranks: who is there, who has which task, what came back.

Rank 0 owns the tasks. Every other rank asks for one whenever a worker process of its own is free,
and reports each outcome; rank 0 works, too. Nothing here knows MPI: messages travel over a ``Link``,
of which a job of one process has none. All messages are small, and nobody ever blocks on one.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable

from audiogrid.core.errors import RetryableError, StoreError
from audiogrid.records.outcome import Outcome
from audiogrid.transcribing.members import Member
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
from audiogrid.transcribing.scheduler import WAIT, Dealer, Task, Wait

# How often rank 0 looks for messages while there are some, and after a second without any. A request waits half of
# it on average, against seconds of decoding; looking costs about 0.1 ms of CPU.
POLL_SECONDS = 0.01
QUIET_POLL_SECONDS = 0.03
# A job alone has nobody to listen to; the pool itself wakes at once when a task is finished.
IDLE_SECONDS = 0.5
# Ranks start together, but their Pythons may come from a slow file system.
GATHER_SECONDS = 600.0


class Team:
    """The ranks of a job, rank 0 (this process) included; without a link, this process alone.

    ``silence``: seconds after which a rank that says nothing is taken to be lost.
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
        self.me = Member(0, "", 0, 0, 0, now())
        self.others: dict[int, Member] = {}
        self._turn: deque[int] = deque()
        self._dealer: Dealer | None = None
        self._report: Callable[[Outcome], None] = lambda outcome: None
        self._say: Callable[[str], None] = lambda sentence: None
        self._is_stopped = self._is_closed = False
        self._missing: list[Member] = []
        self._last_beat = self._last_look = self._last_message = now()

    @property
    def processes(self) -> int:
        """Worker processes of the other ranks."""
        return sum(member.processes for member in self.others.values() if member.is_here)

    @property
    def is_alone(self) -> bool:
        """Whether no other rank takes tasks."""
        return not any(member.is_here for member in self.others.values())

    def gather(self, me: Hello, seconds: float = GATHER_SECONDS) -> None:
        """Wait for the first word of every rank. Raises ``RetryableError`` that names those that are missing."""
        self.me = Member(0, me.host, me.pid, me.processes, me.threads, self._now())
        if self._link is None:
            return
        deadline = self._now() + seconds
        while len(self.others) < self._link.size - 1:
            for rank, message in self._link.receive():
                if isinstance(message, Hello):
                    self.others[rank] = Member(
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

    def open(self, dealer: Dealer, report: Callable[[Outcome], None], say: Callable[[str], None]) -> None:
        """Begin to hand out. ``report`` gets every outcome, whoever had it; ``say`` gets sentences for a person."""
        self._dealer, self._report, self._say = dealer, report, say
        now = self._now()
        if self.me.processes or not self.others:
            dealer.admit(0, self.me.processes)
        else:
            dealer.dismiss(0)
        for member in self.others.values():
            member.heard = now
            # One without a process (more ranks than GPUs) never asks: nothing is to be expected of it.
            if member.processes:
                dealer.admit(member.rank, member.processes)
        for member in self.others.values():
            self._send(member, Go(self._share(member)))
        self._last_beat = self._last_look = now

    def take(self) -> Task | Wait | None:
        """A task for a process of this rank; ``WAIT`` as long as another rank may still give one back."""
        assert self._dealer is not None
        if self._dealer.stopping():
            return None
        if len(self.me.tasks) < self._share(self.me):
            task = self._dealer.take(0)
            if task is not None:
                self.me.has(task)
                return task
        return WAIT if self.is_busy() else None

    def done(self, outcome: Outcome) -> None:
        """Take note of an outcome of this rank's own processes."""
        self._finish(self.me, outcome)

    def give_up(self, cause: str) -> None:
        """This rank can take no more tasks; others go on with what it had."""
        assert self._dealer is not None
        self._leave(self.me, cause)

    @property
    def causes(self) -> str:
        """Why ranks left, for a person."""
        return "; ".join(f"{m}: {m.left_because}" for m in (self.me, *self.others.values()) if not m.is_here)

    def is_busy(self) -> bool:
        """Whether other ranks are at work, or may soon be."""
        here = [member for member in self.others.values() if member.is_here]
        if any(member.tasks for member in here):
            return True
        return bool(here and self._dealer and self._dealer.left and not self._dealer.stopping())

    def pause(self) -> float:
        """Seconds that may pass until ``serve`` should be called again."""
        if not self.others:
            return IDLE_SECONDS
        return POLL_SECONDS if self._now() - self._last_message < 1.0 else QUIET_POLL_SECONDS

    def serve(self) -> None:
        """Read and answer what the ranks say.

        Raises ``RetryableError`` when one is silent for too long, ``StoreError`` when one cannot store.
        """
        if self._link is None or not self.others:
            return
        assert self._dealer is not None
        now = self._now()
        if now - self._last_look > self._silence / 2:
            # This process itself was stopped for a while (a suspended machine): the others are not to blame.
            for member in self.others.values():
                member.heard = now
        self._last_look = now
        for rank, message in self._link.receive():
            self.others[rank].heard = self._last_message = now
            self._hear(self.others[rank], message)
        self._answer()
        if now - self._last_beat >= BEAT_SECONDS:
            self._last_beat = now
            for member in self.others.values():
                self._send(member, Beat())
        for member in self.others.values():
            if now - member.heard > self._silence:
                raise RetryableError(
                    f"{member} (process {member.pid}) has said nothing for {self._silence:.0f} s: it hangs, or its "
                    "node does. The job ends; what is finished is in the store, the retry goes on from there"
                )

    def close(self, seconds: float = 20.0) -> list[Member]:
        """Tell all ranks to leave and wait for their last word; those that did not say it are returned."""
        if self._link is None or self._is_closed:
            return self._missing
        self._is_closed = True
        for rank in range(1, self._link.size):
            self._link.send(rank, End())
        deadline = self._now() + seconds
        missing = [member for member in self.others.values() if member.made is None]
        # One that is silent already is not waited for.
        while any(self._now() - member.heard <= self._silence for member in missing) and self._now() < deadline:
            for rank, message in self._link.receive():
                if isinstance(message, Bye) and rank in self.others:
                    self.others[rank].made = message.made
            missing = [member for member in missing if member.made is None]
            self._sleep(POLL_SECONDS)
        self._missing = missing
        return missing

    def _share(self, member: Member) -> int:
        """Tasks that a rank may be at together: when there are few, they go to all nodes alike."""
        assert self._dealer is not None
        here = [one for one in (self.me, *self.others.values()) if one.is_here]
        tasks = self._dealer.left + sum(len(one.tasks) for one in here)
        if self.is_alone:
            return max(1, tasks)
        processes = sum(one.processes for one in here)
        return max(1, math.ceil(tasks * member.processes / max(1, processes)))

    def _send(self, member: Member, message: object) -> None:
        assert self._link is not None
        self._link.send(member.rank, message)

    def _hear(self, member: Member, message: object) -> None:
        match message:
            case Ask():
                member.asks += 1
                self._turn.append(member.rank)
            case Done(outcome):
                self._finish(member, outcome)
            case Say(sentence):
                self._say(f"{member}: {sentence}")
            case Leave(cause):
                self._leave(member, cause)
            case Broken(sentence):
                raise StoreError(f"{member}: {sentence}")
            case Bye(made):
                member.made = made

    def _finish(self, member: Member, outcome: Outcome) -> None:
        assert self._dealer is not None
        self._dealer.learn(outcome, member.rank)
        member.decoded += outcome.status == "decoded"
        if member.finished(outcome.chunk):
            self._report(outcome)

    def _leave(self, member: Member, cause: str) -> None:
        assert self._dealer is not None
        if not member.is_here:
            return
        member.is_here = False
        member.left_because = cause
        member.asks = 0
        self._turn = deque(rank for rank in self._turn if rank != member.rank)
        self._dealer.dismiss(member.rank)
        self._dealer.give_back(member.unfinished())
        if not self._dealer.stopping():
            self._say(f"{member} takes no more work: {cause}")

    def _answer(self) -> None:
        assert self._dealer is not None
        if self._dealer.stopping():
            if not self._is_stopped:
                self._is_stopped = True
                for member in self.others.values():
                    self._send(member, Stop(str(self._dealer.stopped_by)))
            return
        for _ in range(len(self._turn)):
            if not self._dealer.left:
                return
            rank = self._turn.popleft()
            member = self.others[rank]
            task = self._dealer.take(rank) if len(member.tasks) < self._share(member) else None
            if task is None:
                self._turn.append(rank)
                continue
            member.asks -= 1
            member.has(task)
            self._send(member, Work(task))
