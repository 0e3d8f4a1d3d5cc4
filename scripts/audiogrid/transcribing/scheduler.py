"""Which task goes to which worker, in which order, and how long it may take. Pure: no processes are started here.

A worker that is free takes the longest task that is left (Graham's list scheduling: the total time is at most a third
above the optimum). Between ranks of different speeds that is not enough, because all would wait for a slow rank that
took the longest task. So a rank takes the longest task that it can finish before the others would have finished
everything; its first task, while its speed is unknown, is one of middle length.
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
    """The answer of ``next_task`` when there is no task now, but may be later."""

    WAIT = "ask again"


WAIT = Wait.WAIT

# The slowest speed (multiple of real time per worker) at which a task is not taken to hang.
SLOWEST_SPEED = 0.05
MIN_TIMEOUT_SECONDS = 120.0
# Times that a chunk of which every window is read in every way takes longer than an ordinary one. Base, int8, one
# thread of an AMD EPYC (Zen 4): Russian speech under noise of 5 dB more takes 10.5 core-seconds for 30 s, easy English
# about 1.2 (`decoding.temperatures` may add as much again).
HARDEST_TO_MEAN = 20.0
# Times that the same work may take longer while other programs use the machine.
TIMEOUT_MARGIN = 5.0
NEAR_THE_END = "the job's time limit is near"


@dataclass(frozen=True)
class Limits:
    """``attempts`` per chunk; ``chunk_timeout`` in seconds (0 = by length); ``ends_at``: the job's end as
    ``time.monotonic()``, or infinity."""

    attempts: int = 2
    chunk_timeout: float = 0.0
    ends_at: float = math.inf


def audio_seconds(task: Task) -> float:
    """Returns the seconds of audio in a task."""
    return to_seconds(sum(job.audio for job in task))


class SpeedEstimate:
    """The speed of some workers, measured on the chunks that they finished."""

    def __init__(self) -> None:
        self._audio = self._seconds = 0.0
        self._slowest = math.inf

    @property
    def speed(self) -> float | None:
        """Multiple of real time per worker; ``None`` before anything is finished."""
        return self._audio / self._seconds if self._seconds else None

    def record(self, outcome: Outcome) -> None:
        """Take the time of a decoded chunk into account."""
        if outcome.status == "decoded":
            self._audio += to_seconds(outcome.audio)
            self._seconds += outcome.seconds
            if outcome.seconds:
                self._slowest = min(self._slowest, to_seconds(outcome.audio) / outcome.seconds)

    def expected_seconds(self, task: Task) -> float:
        """Returns the seconds that ``task`` will take one worker; 0 while the speed is unknown."""
        return audio_seconds(task) / self.speed if self.speed else 0.0

    def timeout(self, task: Task, chunk_timeout: float = 0.0) -> float:
        """Returns the seconds after which a task is taken to hang; ``chunk_timeout`` per chunk, 0 = by length.

        The slowest chunk so far counts as well as the mean: where audio is hard, more chunks like it follow.
        """
        if chunk_timeout:
            return chunk_timeout * len(task)
        audio = audio_seconds(task)
        if self.speed is None:
            return max(MIN_TIMEOUT_SECONDS, audio / SLOWEST_SPEED)
        slowest = min(self.speed / HARDEST_TO_MEAN, self._slowest)
        return max(MIN_TIMEOUT_SECONDS, audio * TIMEOUT_MARGIN / slowest)


@dataclass(frozen=True)
class _Running:
    """A chunk that is being decoded. ``audio``: its seconds; ``since``: when its task was handed out."""

    rank: int
    audio: float
    since: float


class Scheduler:
    """Hands out tasks, longest first, and stops in time for the job's end.

    ``rank``: the rank that asks, 0 being this process. Each rank has a speed of its own, because the speed of a GPU
    node says nothing about a CPU node.
    """

    def __init__(self, tasks: Sequence[Task], limits: Limits, now: Callable[[], float] = time.monotonic) -> None:
        self._tasks = deque(tasks)
        self._limits = limits
        self._now = now
        self._speeds: dict[int, SpeedEstimate] = {0: SpeedEstimate()}
        self._workers: dict[int, int] = {0: 1}
        self._running: dict[str, _Running] = {}
        self._too_slow: set[int] = set()
        self._declined_since: dict[int, float] = {}
        self._audio = sum(audio_seconds(task) for task in tasks)
        self.stopped_by: str | None = None

    @property
    def remaining(self) -> int:
        """How many tasks wait."""
        return len(self._tasks)

    @property
    def speed(self) -> float | None:
        """Speed of this process's workers."""
        return self._speeds[0].speed

    def add_rank(self, rank: int, workers: int = 1) -> None:
        """Expect ``rank`` to take tasks for so many workers."""
        self._speeds.setdefault(rank, SpeedEstimate())
        self._workers[rank] = workers

    def remove_rank(self, rank: int) -> None:
        """Expect ``rank`` to take no more tasks."""
        self._speeds.pop(rank, None)
        self._workers.pop(rank, None)
        self._declined_since.pop(rank, None)
        self._too_slow.discard(rank)

    def return_tasks(self, tasks: Sequence[Task]) -> None:
        """Put tasks that were not finished back into the queue, at their place in the order."""
        for task in tasks:
            self._audio += audio_seconds(task)
            for job in task:
                self._running.pop(job.name, None)
        everything = [*tasks, *self._tasks]
        self._tasks = deque(sorted(everything, key=lambda task: -sum(job.audio for job in task)))
        self._too_slow.clear()

    def record(self, outcome: Outcome, rank: int = 0) -> None:
        """Take note of how a chunk went, and of the time it took."""
        self._running.pop(outcome.chunk, None)
        if rank in self._speeds:
            self._speeds[rank].record(outcome)

    def expected_seconds(self, task: Task, rank: int = 0) -> float:
        """Returns the seconds that ``task`` will take one worker of ``rank``; 0 while its speed is unknown."""
        return self._speeds[rank].expected_seconds(task)

    def timeout(self, task: Task) -> float:
        """Returns the seconds after which a task of this process is taken to hang."""
        return self._speeds[0].timeout(task, self._limits.chunk_timeout)

    def next_task(self, rank: int = 0) -> Task | None:
        """Returns the longest task that ``rank`` can finish in time; ``None`` also if others should do the rest."""
        if not self._tasks:
            return None
        left = self._limits.ends_at - self._now()
        finish = self._seconds_to_finish()
        if len(self._speeds) > 1 and self._speeds[rank].speed is None:
            # Its speed is not known yet: begin with a task of middle length.
            return self._hand_out(len(self._tasks) // 2, rank)
        for index, task in enumerate(self._tasks):
            seconds = self.expected_seconds(task, rank)
            # A quarter more than predicted: a result that is not stored in time is lost.
            if seconds * 1.25 <= left and seconds <= finish:
                return self._hand_out(index, rank)
        shortest = self.expected_seconds(self._tasks[-1], rank)
        if shortest * 1.25 > left:
            self._too_slow.add(rank)
            if self._too_slow >= self._speeds.keys():
                self.stopped_by = self.stopped_by or NEAR_THE_END
        elif self._now() - self._declined_since.setdefault(rank, self._now()) >= shortest:
            # The others are slower than expected: in the meantime this rank could have finished the task.
            return self._hand_out(len(self._tasks) - 1, rank)
        return None

    def is_stopping(self) -> bool:
        """Whether no new task may begin."""
        if self.stopped_by is None and self._now() >= self._limits.ends_at:
            self.stopped_by = NEAR_THE_END
        return self.stopped_by is not None

    def _hand_out(self, index: int, rank: int) -> Task:
        task = self._tasks[index]
        del self._tasks[index]
        self._declined_since.pop(rank, None)
        self._audio -= audio_seconds(task)
        for job in task:
            self._running[job.name] = _Running(rank, to_seconds(job.audio), self._now())
        return task

    def _seconds_to_finish(self) -> float:
        """Returns the seconds in which all ranks together can finish everything; infinite while a speed is unknown."""
        speeds = {rank: estimate.speed for rank, estimate in self._speeds.items()}
        known = {rank: speed for rank, speed in speeds.items() if speed}
        if len(speeds) == 1 or len(known) < len(speeds):
            return math.inf
        now = self._now()
        waiting, longest = self._audio, audio_seconds(self._tasks[0]) / max(known.values())
        for running in self._running.values():
            if running.rank in known:
                begun = (now - running.since) * known[running.rank]
                waiting += max(0.0, running.audio - begun)
                longest = max(longest, (running.audio - begun) / known[running.rank])
        return max(longest, waiting / sum(speed * self._workers[rank] for rank, speed in known.items()))
