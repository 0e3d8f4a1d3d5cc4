"""Reads what the jobs of a run did and when: attempts, tasks of workers, times.

A job leaves the sum of its journal beside it (``<journal>.sum``). A journal without one, of a job that was killed or is
still at work, is read itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from audiogrid.core.file_sums import read_sum, write_sum
from audiogrid.core.timebase import to_seconds
from audiogrid.records.journal import JournalFile, list_journals, read_entries
from audiogrid.records.run_folder import RunFolder

# A sum keeps so many tasks of an attempt, and so many sentences.
_TASKS, _WARNINGS = 200, 20
# Of more attempts than this, a report draws each worker of an attempt as a whole.
_MANY_ATTEMPTS = 300


@dataclass
class Task:
    """Chunks that a worker decoded in one batch. ``began``: seconds since 1970.

    ``count``: number of chunks, of which a sum names only the first.
    """

    worker: str
    shard: str
    began: float
    seconds: float = 0.0
    chunks: list[str] = field(default_factory=list)
    count: int = 0

    @property
    def size(self) -> int:
        """Number of chunks."""
        return self.count or len(self.chunks)


@dataclass
class Attempt:
    """One job that worked on a shard. ``reason``: why it ended; ``None`` if it was killed or is still running.

    ``audio``: seconds decoded; ``busy``: seconds that its workers spent decoding; ``gpu``: whether on a GPU;
    ``per_gpu``: how many of its workers share one.
    ``stored``: number of chunks found in the store. ``memory_mb``: peak memory of one of its processes. ``spec``: of
    the shard as it was then.
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
    per_gpu: int = 1
    memory_mb: int = 0
    decoded: int = 0
    stored: int = 0
    failed: int = 0
    tasks: dict[tuple[str, float], Task] = field(default_factory=dict)
    warnings: list[tuple[float, str]] = field(default_factory=list)
    spec: str = ""

    @property
    def seconds(self) -> float:
        """Duration in seconds, up to the last journal entry."""
        return max(0.0, self.ended - self.began)

    @property
    def units(self) -> float:
        """Cores or GPUs that the job occupied."""
        return self.workers / self.per_gpu if self.gpu else self.workers * self.threads

    @property
    def reserved(self) -> float:
        """Core-seconds or GPU-seconds that the job occupied, including time without decoding."""
        return self.seconds * self.units

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
        self.stored += status == "stored"
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


@dataclass
class JournalSum:
    """The attempts of one journal, without their tasks, and these in lists in the same order."""

    attempts: list[Attempt] = field(default_factory=list)
    tasks: list[list[Task]] = field(default_factory=list)


def read_journal(path: Path) -> list[Attempt]:
    """Returns the attempts of a journal, whatever the spec of their shard."""
    found: list[Attempt] = []
    attempt = None
    for entry in read_entries(path):
        try:
            if entry["event"] == "begin":
                attempt = None
                at, threads = entry["at"], entry.get("threads", 1)
                attempt = Attempt(entry["shard"], entry["host"], at, at, entry["workers"], threads)
                attempt.spec = entry["spec"]
                device = entry.get("device") or {}
                attempt.gpu, attempt.per_gpu = device.get("device") == "cuda", int(device.get("per_gpu") or 1)
                found.append(attempt)
            elif attempt is not None:
                attempt.add(entry)
        except (KeyError, TypeError):
            continue
    return found


def _whole_workers(tasks: Iterable[Task]) -> list[Task]:
    """Returns one task for each worker, from the beginning of its first to the end of its last."""
    found: dict[str, Task] = {}
    for task in tasks:
        whole = found.setdefault(task.worker, Task(task.worker, task.shard, task.began, 0.0, task.chunks[:1]))
        end = max(whole.began + whole.seconds, task.began + task.seconds)
        whole.began = min(whole.began, task.began)
        whole.seconds = end - whole.began
        whole.count += task.size
    return list(found.values())


def _summed(attempts: Sequence[Attempt]) -> JournalSum:
    found = JournalSum()
    for attempt in attempts:
        tasks = list(attempt.tasks.values())
        tasks = tasks if len(tasks) <= _TASKS else _whole_workers(tasks)
        found.tasks.append([Task(t.worker, t.shard, t.began, t.seconds, t.chunks[:1], t.size) for t in tasks])
        found.attempts.append(replace(attempt, tasks={}, warnings=attempt.warnings[:_WARNINGS]))
    return found


def _sum_path(journal: Path) -> Path:
    return journal.with_name(journal.name + ".sum")


def sum_journals(journal: Path, shard: str) -> None:
    """Write the sums of a shard's journals in the folder ``journal``, as a job does at its end.

    A sum that cannot be written is left out: whoever wants it reads the journal.
    """
    for file in list_journals(journal, shard).get(shard, ()):
        if read_sum(JournalSum, _sum_path(file.path), [file.size, file.mtime_ns]) is None:
            with suppress(OSError):
                write_sum(_sum_path(file.path), [file.size, file.mtime_ns], _summed(read_journal(file.path)))


def _attempts_of(file: JournalFile, *, has_sum: bool) -> list[Attempt]:
    found = read_sum(JournalSum, _sum_path(file.path), [file.size, file.mtime_ns]) if has_sum else None
    if found is None:
        return read_journal(file.path)
    for attempt, tasks in zip(found.attempts, found.tasks, strict=True):
        attempt.tasks = {(task.worker, task.began): task for task in tasks}
    return found.attempts


def read_attempts(folder: RunFolder, specs: Mapping[str, str], journal: Path | None = None) -> list[Attempt]:
    """Returns all attempts at the present shards of a run, ordered by their start. ``specs``: shard -> spec.

    ``journal``: folder of the journals (default: those of decoding).
    """
    where = journal or folder.journal
    try:
        sums = {path.name for path in where.iterdir() if path.suffix == ".sum"}
    except OSError:
        return []
    files = [file for files in list_journals(where).values() for file in files]
    found: list[Attempt] = []
    for file in files:
        attempts = _attempts_of(file, has_sum=_sum_path(file.path).name in sums)
        attempts = [attempt for attempt in attempts if specs.get(attempt.shard) == attempt.spec]
        found += attempts
        if len(files) > _MANY_ATTEMPTS:
            for attempt in attempts:
                attempt.tasks = {(task.worker, task.began): task for task in _whole_workers(attempt.tasks.values())}
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
