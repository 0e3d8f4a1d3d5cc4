"""Reads from the journals what the jobs of a run did and when: attempts, tasks of workers, times."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audiogrid.core.timebase import to_seconds
from audiogrid.records.journal import read_entries
from audiogrid.records.plan import Plan
from audiogrid.records.run_folder import RunFolder


@dataclass
class Task:
    """Chunks that a worker decoded in one batch. ``began``: seconds since 1970."""

    worker: str
    shard: str
    began: float
    seconds: float = 0.0
    chunks: list[str] = field(default_factory=list)


@dataclass
class Attempt:
    """One job that worked on a shard. ``reason``: why it ended; ``None`` if it was killed or is still running.

    ``audio``: seconds decoded; ``busy``: seconds that its workers spent decoding; ``gpu``: whether on a GPU.
    ``stored``: chunks found in the store. ``memory_mb``: peak memory of one of its processes.
    """

    shard: str
    host: str
    began: float
    ended: float
    workers: int
    threads: int
    reason: str | None = None
    audio: float = 0.0
    busy: float = 0.0
    gpu: bool = False
    memory_mb: int = 0
    decoded: int = 0
    stored: list[str] = field(default_factory=list)
    failed: int = 0
    tasks: dict[tuple[str, float], Task] = field(default_factory=dict)
    warnings: list[tuple[float, str]] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Duration in seconds, up to the last journal entry."""
        return max(0.0, self.ended - self.began)

    @property
    def reserved(self) -> float:
        """Core-seconds or GPU-seconds that the job occupied, including time without decoding."""
        return self.seconds * self.workers * (1 if self.gpu else self.threads)

    def add(self, entry: dict[str, Any]) -> None:
        """Add one entry of the journal."""
        self.ended = max(self.ended, entry["at"])
        kind = entry["event"]
        if kind == "end":
            self.reason = entry["reason"]
        elif kind == "warning":
            self.warnings.append((entry["at"], entry["text"]))
        elif kind == "chunk":
            self._outcome(entry)
            self.warnings += [(entry["at"], str(note)) for note in entry.get("notes") or []]

    def _outcome(self, entry: dict[str, Any]) -> None:
        status = entry["status"]
        self.decoded += status == "decoded"
        self.failed += status == "failed"
        if status == "stored":
            self.stored.append(entry["chunk"])
        if status != "decoded":
            return
        self.memory_mb = max(self.memory_mb, int(entry.get("memory_mb") or 0))
        self.audio += to_seconds(entry["audio"])
        self.busy += entry["seconds"]
        self.gpu = self.gpu or entry.get("device") == "cuda"
        began = entry.get("began") or entry["at"] - entry["seconds"]
        worker = entry.get("worker") or self.host
        task = self.tasks.setdefault((worker, began), Task(worker, self.shard, began))
        task.seconds += entry["seconds"]
        task.chunks.append(entry["chunk"])


def read_attempts(folder: RunFolder, plan: Plan, journal: Path | None = None) -> list[Attempt]:
    """Returns all attempts at the present shards of ``plan``, ordered by their start.

    ``journal``: folder of the journals (default: those of decoding).
    """
    specs = {shard.shard: shard.spec for shard in plan.shards}
    found: list[Attempt] = []
    for path in sorted((journal or folder.journal).glob("*.jsonl")):
        attempt = None
        for entry in read_entries(path):
            try:
                if entry["event"] == "begin":
                    attempt = None
                    if specs.get(entry["shard"]) == entry["spec"]:
                        at = entry["at"]
                        threads = entry.get("threads", 1)
                        attempt = Attempt(entry["shard"], entry["host"], at, at, entry["workers"], threads)
                        found.append(attempt)
                elif attempt is not None:
                    attempt.add(entry)
            except (KeyError, TypeError):
                continue
    return sorted(found, key=lambda attempt: attempt.began)


def spans_at_work(attempts: Iterable[Attempt]) -> list[tuple[float, float]]:
    """Returns the spans of time in which at least one attempt was running; ordered and disjoint."""
    spans: list[tuple[float, float]] = []
    for attempt in sorted(attempts, key=lambda attempt: attempt.began):
        if spans and attempt.began <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], attempt.ended))
        else:
            spans.append((attempt.began, attempt.ended))
    return spans


def clock_at_work(spans: Sequence[tuple[float, float]]) -> Callable[[float], float]:
    """Returns a function from seconds since 1970 to working seconds: the breaks between two runs are left out."""

    def at(moment: float) -> float:
        passed = 0.0
        for begin, end in spans:
            if moment <= begin:
                break
            passed += min(moment, end) - begin
        return passed

    return at
