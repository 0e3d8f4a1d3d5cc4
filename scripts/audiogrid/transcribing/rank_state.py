"""The ranks of a job as rank 0 sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from audiogrid.transcribing.scheduler import Task


@dataclass
class Member:
    """A rank as rank 0 sees it. ``tasks``: what it has, by its chunks; ``asks``: requests without an answer."""

    rank: int
    host: str
    pid: int
    processes: int
    threads: int
    heard: float
    tasks: list[dict[str, Any]] = field(default_factory=list)
    asks: int = 0
    decoded: int = 0
    is_here: bool = True
    left_because: str = ""
    made: dict[str, Any] | None = None

    def __str__(self) -> str:
        return f"rank {self.rank} on {self.host}"

    def has(self, task: Task) -> None:
        """Note that the rank was given ``task``."""
        self.tasks.append({job.name: job for job in task})

    def finished(self, chunk: str) -> bool:
        """Note that a chunk is done; ``False`` when it was not this rank's."""
        for task in self.tasks:
            if task.pop(chunk, None) is not None:
                self.tasks = [task for task in self.tasks if task]
                return True
        return False

    def unfinished(self) -> list[Task]:
        """Give up all tasks."""
        tasks: list[Task] = [list(task.values()) for task in self.tasks]
        self.tasks = []
        return tasks


def introduce(members: Sequence[Member]) -> list[dict[str, Any]]:
    """Facts on every rank for the shard's report."""
    return [
        {
            "rank": member.rank,
            "host": member.host,
            "processes": member.processes,
            "threads": member.threads,
            "device": (member.made or {}).get("device"),
            "decoded": member.decoded,
        }
        for member in sorted(members, key=lambda member: member.rank)
    ]
