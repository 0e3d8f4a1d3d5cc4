"""What is handed out to workers, in which order, and how long it may take: pure, no processes in it.

Hand-out is by pull: a worker that is free takes the longest task that is left. With tasks in
falling order that keeps the idle tail about as long as the shortest tasks (Graham's list
scheduling; longest first is at most a third above the optimum), whatever the workers' speeds.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from audiogrid.times import to_seconds
from audiogrid.worker import Job, Outcome

Task = Sequence[Job]


class Wait(Enum):
    """The answer of ``take`` when there is nothing now, but may be later."""

    WAIT = "ask again"


WAIT = Wait.WAIT

# Short chunks travel together until they fill a few batches; a lone voice note wastes most of a window.
GROUP_SECONDS = 300.0
# Slowest speed (multiple of real time per worker) that a watchdog puts up with.
HOPELESS_SPEED = 0.05
LEAST_PATIENCE_SECONDS = 120.0
NEAR_THE_END = "the job's time limit is near"


@dataclass(frozen=True)
class Limits:
    """``attempts`` per chunk; ``chunk_timeout`` in seconds (0 = by length); ``ends_at``: the job's end as
    ``time.monotonic()``, or infinity."""

    attempts: int = 2
    chunk_timeout: float = 0.0
    ends_at: float = math.inf


def audio_seconds(task: Task) -> float:
    """Seconds of audio in a task."""
    return to_seconds(sum(job.audio for job in task))


def group(jobs: Sequence[Job], seconds: float = GROUP_SECONDS) -> list[Task]:
    """Tasks, longest first: long chunks alone, short ones together (same options, same bundle)."""
    tasks: list[Task] = []
    short: dict[tuple[str, str], list[Job]] = {}
    for job in sorted(jobs, key=lambda job: -job.audio):
        if to_seconds(job.audio) > seconds / 2:
            tasks.append([job])
            continue
        kind = (job.folder, repr(sorted(job.options.items())))
        waiting = short.setdefault(kind, [])
        waiting.append(job)
        if sum(to_seconds(other.audio) for other in waiting) >= seconds:
            tasks.append(short.pop(kind))
    tasks.extend(short.values())
    return sorted(tasks, key=lambda task: -sum(job.audio for job in task))


class Pace:
    """Speed of some workers, learnt from what they finished."""

    def __init__(self) -> None:
        self._audio = self._seconds = 0.0

    @property
    def speed(self) -> float | None:
        """Multiple of real time per worker; ``None`` before anything is finished."""
        return self._audio / self._seconds if self._seconds else None

    def learn(self, outcome: Outcome) -> None:
        """Take the time of a decoded chunk into account."""
        if outcome.status == "decoded":
            self._audio += to_seconds(outcome.audio)
            self._seconds += outcome.seconds

    def predicted(self, task: Task) -> float:
        """Seconds that ``task`` will take one worker; 0 while nothing is known."""
        return audio_seconds(task) / self.speed if self.speed else 0.0

    def patience(self, task: Task, chunk_timeout: float = 0.0) -> float:
        """Seconds after which a task is taken to hang; ``chunk_timeout`` per chunk, 0 = by length."""
        if chunk_timeout:
            return chunk_timeout * len(task)
        expected = 20 * self.predicted(task)
        return max(LEAST_PATIENCE_SECONDS, expected or audio_seconds(task) / HOPELESS_SPEED)


class Dealer:
    """Hands out tasks, longest first, and stops in time.

    ``taker``: who takes, 0 being this process; others are the ranks of an MPI job, each with a
    pace of its own, because a GPU node says nothing about a CPU node.
    """

    def __init__(self, tasks: Sequence[Task], limits: Limits, now: Callable[[], float] = time.monotonic) -> None:
        self._tasks = deque(tasks)
        self._limits = limits
        self._now = now
        self._paces: dict[int, Pace] = {0: Pace()}
        self._too_slow: set[int] = set()
        self.stopped_by: str | None = None

    @property
    def left(self) -> int:
        """Tasks that nobody has taken."""
        return len(self._tasks)

    @property
    def speed(self) -> float | None:
        """Speed of this process's workers."""
        return self._paces[0].speed

    def admit(self, taker: int) -> None:
        """Expect ``taker`` to take tasks."""
        self._paces.setdefault(taker, Pace())

    def dismiss(self, taker: int) -> None:
        """Expect nothing more of ``taker``."""
        self._paces.pop(taker, None)
        self._too_slow.discard(taker)

    def give_back(self, tasks: Sequence[Task]) -> None:
        """Take back tasks that were not finished; they go to their place in the order."""
        everything = [*tasks, *self._tasks]
        self._tasks = deque(sorted(everything, key=lambda task: -sum(job.audio for job in task)))
        self._too_slow.clear()

    def learn(self, outcome: Outcome, taker: int = 0) -> None:
        """Take the time of a decoded chunk into account."""
        if taker in self._paces:
            self._paces[taker].learn(outcome)

    def predicted(self, task: Task, taker: int = 0) -> float:
        """Seconds that ``task`` will take one worker of ``taker``; 0 while nothing is known."""
        return self._paces[taker].predicted(task)

    def patience(self, task: Task) -> float:
        """Seconds after which a task of this process is taken to hang."""
        return self._paces[0].patience(task, self._limits.chunk_timeout)

    def take(self, taker: int = 0) -> Task | None:
        """The longest task that ``taker`` can finish before the job ends."""
        left = self._limits.ends_at - self._now()
        for index, task in enumerate(self._tasks):
            # A quarter more than predicted: a result that is not stored in time is lost.
            if self.predicted(task, taker) * 1.25 <= left:
                del self._tasks[index]
                return task
        if self._tasks:
            self._too_slow.add(taker)
            if self._too_slow >= self._paces.keys():
                self.stopped_by = self.stopped_by or NEAR_THE_END
        return None

    def stopping(self) -> bool:
        """Whether no new task is to begin."""
        if self.stopped_by is None and self._now() >= self._limits.ends_at:
            self.stopped_by = NEAR_THE_END
        return self.stopped_by is not None
