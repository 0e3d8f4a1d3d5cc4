"""What rank 0 knows of each rank of a job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from audiogrid.transcribing.scheduler import Task


@dataclass
class RankState:
    """One rank. ``last_message``: when rank 0 last heard from it, by its own clock.

    ``tasks``: the tasks it has, each as chunk -> job. ``requests``: requests that are not answered yet.
    """

    rank: int
    host: str
    pid: int
    processes: int
    threads: int
    last_message: float
    tasks: list[dict[str, Any]] = field(default_factory=list)
    requests: int = 0
    decoded: int = 0
    is_working: bool = True
    withdrew_because: str = ""
    made: dict[str, Any] | None = None

    def __str__(self) -> str:
        return f"rank {self.rank} on {self.host}"

    def add_task(self, task: Task) -> None:
        """Record that the rank was given ``task``."""
        self.tasks.append({job.name: job for job in task})

    def remove_chunk(self, chunk: str) -> bool:
        """Record that a chunk is finished; returns ``False`` if the rank did not have it."""
        for task in self.tasks:
            if task.pop(chunk, None) is not None:
                self.tasks = [task for task in self.tasks if task]
                return True
        return False

    def remove_tasks(self) -> list[Task]:
        """Returns the rank's unfinished tasks, which it no longer has."""
        tasks: list[Task] = [list(task.values()) for task in self.tasks]
        self.tasks = []
        return tasks


def rank_summaries(ranks: Sequence[RankState]) -> list[dict[str, Any]]:
    """Returns what the shard's report says of each rank."""
    return [
        {
            "rank": rank.rank,
            "host": rank.host,
            "processes": rank.processes,
            "threads": rank.threads,
            "device": (rank.made or {}).get("device"),
            "decoded": rank.decoded,
        }
        for rank in sorted(ranks, key=lambda rank: rank.rank)
    ]
