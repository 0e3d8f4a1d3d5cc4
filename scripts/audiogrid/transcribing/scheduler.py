"""What is handed out to workers, in which order, and how long it may take: pure, no processes in it.

Hand-out is by pull: a worker that is free takes the longest task that is left. With tasks in
falling order that keeps the idle tail about as long as the shortest tasks (Graham's list
scheduling; longest first is at most a third above the optimum).

Between ranks of different speeds that is not enough: a slow one that takes the longest task keeps
everybody waiting. So a rank takes the longest task that it can finish before all others would have
finished everything, and its first task, while its speed is unknown, is one of middle length.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from audiogrid.core.timebase import to_seconds
from audiogrid.records.outcome import Outcome
from audiogrid.transcribing.worker import Job

Task = Sequence[Job]


class Wait(Enum):
    """The answer of ``take`` when there is nothing now, but may be later."""

    WAIT = "ask again"


WAIT = Wait.WAIT

# Short chunks travel together until they fill a few batches; a lone voice note wastes most of a window.
GROUP_SECONDS = 300.0
# A GPU decodes up to 64 windows at once: one chunk of 5 minutes has a dozen. Results are stored chunk by chunk even so.
GPU_GROUP_SECONDS = 1800.0
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


@dataclass(frozen=True)
class _Taken:
    """A chunk that somebody is at. ``audio``: its seconds; ``since``: when it was taken."""

    taker: int
    audio: float
    since: float


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
        self._workers: dict[int, int] = {0: 1}
        self._taken: dict[str, _Taken] = {}
        self._too_slow: set[int] = set()
        self._declined: dict[int, float] = {}
        self._audio = sum(audio_seconds(task) for task in tasks)
        self.stopped_by: str | None = None

    @property
    def left(self) -> int:
        """Tasks that nobody has taken."""
        return len(self._tasks)

    @property
    def speed(self) -> float | None:
        """Speed of this process's workers."""
        return self._paces[0].speed

    def admit(self, taker: int, workers: int = 1) -> None:
        """Expect ``taker`` to take tasks for so many workers."""
        self._paces.setdefault(taker, Pace())
        self._workers[taker] = workers

    def dismiss(self, taker: int) -> None:
        """Expect nothing more of ``taker``."""
        self._paces.pop(taker, None)
        self._workers.pop(taker, None)
        self._declined.pop(taker, None)
        self._too_slow.discard(taker)

    def give_back(self, tasks: Sequence[Task]) -> None:
        """Take back tasks that were not finished; they go to their place in the order."""
        for task in tasks:
            self._audio += audio_seconds(task)
            for job in task:
                self._taken.pop(job.name, None)
        everything = [*tasks, *self._tasks]
        self._tasks = deque(sorted(everything, key=lambda task: -sum(job.audio for job in task)))
        self._too_slow.clear()

    def learn(self, outcome: Outcome, taker: int = 0) -> None:
        """Take note of how a chunk went, and of the time it took."""
        self._taken.pop(outcome.chunk, None)
        if taker in self._paces:
            self._paces[taker].learn(outcome)

    def predicted(self, task: Task, taker: int = 0) -> float:
        """Seconds that ``task`` will take one worker of ``taker``; 0 while nothing is known."""
        return self._paces[taker].predicted(task)

    def patience(self, task: Task) -> float:
        """Seconds after which a task of this process is taken to hang."""
        return self._paces[0].patience(task, self._limits.chunk_timeout)

    def take(self, taker: int = 0) -> Task | None:
        """The longest task that ``taker`` can finish in time; ``None`` also when others should have the rest."""
        if not self._tasks:
            return None
        left = self._limits.ends_at - self._now()
        horizon = self._horizon()
        if len(self._paces) > 1 and self._paces[taker].speed is None:
            # Its speed is not known: not too much at first.
            return self._hand_out(len(self._tasks) // 2, taker)
        for index, task in enumerate(self._tasks):
            seconds = self.predicted(task, taker)
            # A quarter more than predicted: a result that is not stored in time is lost.
            if seconds * 1.25 <= left and seconds <= horizon:
                return self._hand_out(index, taker)
        shortest = self.predicted(self._tasks[-1], taker)
        if shortest * 1.25 > left:
            self._too_slow.add(taker)
            if self._too_slow >= self._paces.keys():
                self.stopped_by = self.stopped_by or NEAR_THE_END
        elif self._now() - self._declined.setdefault(taker, self._now()) >= shortest:
            # Things did not go as predicted: meanwhile it could have done the task.
            return self._hand_out(len(self._tasks) - 1, taker)
        return None

    def stopping(self) -> bool:
        """Whether no new task is to begin."""
        if self.stopped_by is None and self._now() >= self._limits.ends_at:
            self.stopped_by = NEAR_THE_END
        return self.stopped_by is not None

    def _hand_out(self, index: int, taker: int) -> Task:
        task = self._tasks[index]
        del self._tasks[index]
        self._declined.pop(taker, None)
        self._audio -= audio_seconds(task)
        for job in task:
            self._taken[job.name] = _Taken(taker, to_seconds(job.audio), self._now())
        return task

    def _horizon(self) -> float:
        """Seconds until everything can be finished if every rank works at its pace; infinite while unknown."""
        speeds = {taker: pace.speed for taker, pace in self._paces.items()}
        known = {taker: speed for taker, speed in speeds.items() if speed}
        if len(speeds) == 1 or len(known) < len(speeds):
            return math.inf
        now = self._now()
        waiting, longest = self._audio, audio_seconds(self._tasks[0]) / max(known.values())
        for taken in self._taken.values():
            if taken.taker in known:
                begun = (now - taken.since) * known[taken.taker]
                waiting += max(0.0, taken.audio - begun)
                longest = max(longest, (taken.audio - begun) / known[taken.taker])
        return max(longest, waiting / sum(speed * self._workers[taker] for taker, speed in known.items()))
