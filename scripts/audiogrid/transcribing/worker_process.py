"""Slots of a pool: each a process that can be started, watched and ended by itself."""

from __future__ import annotations

import multiprocessing
import os
import time
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from multiprocessing.process import BaseProcess
from typing import Any

from audiogrid.decoding.whisper.device_errors import is_device_failure
from audiogrid.transcribing import worker
from audiogrid.transcribing.scheduler import Task
from audiogrid.transcribing.worker import WorkerSettings

START_SECONDS = 300.0


@dataclass(eq=False)
class Slot:
    """One worker process and what it is doing.

    ``strikes``: tasks that failed on its GPU since the last one that went well; ``failed_at``: chunks among them.
    """

    settings: WorkerSettings
    executor: ProcessPoolExecutor | None = None
    process: BaseProcess | None = None
    future: Future[Any] | None = None
    task: Task | None = None
    deadline: float = 0.0
    overdue: bool = False
    is_ready: bool = False
    strikes: int = 0
    failed_starts: int = 0
    failed_at: set[str] = field(default_factory=set)

    @property
    def gpu(self) -> str:
        """UUID of its GPU; empty on the CPU."""
        return self.settings.gpus[0] if self.settings.gpus else ""

    @property
    def name(self) -> str:
        """For a person."""
        return f"GPU {self.gpu}" if self.gpu else "the CPU"

    def is_to_blame(self, error: BaseException) -> bool:
        """Whether it may be the GPU that failed, not what it was at. A death says nothing about who was it."""
        return bool(self.gpu) and (isinstance(error, BrokenProcessPool) or is_device_failure(error))

    def launch(self) -> None:
        """Start a process and let it load the model."""
        os.environ.update(worker.worker_environment(self.settings.threads))
        # A GPU that failed has to show that it works; one that never did is known to.
        settings = replace(self.settings, examine=True) if self.strikes or self.failed_starts else self.settings
        before = {process.pid for process in multiprocessing.active_children()}
        context = multiprocessing.get_context("spawn")
        self.executor = ProcessPoolExecutor(1, context, initializer=worker.start, initargs=(settings,))
        self.is_ready = False
        self.future = self.executor.submit(worker.ready)
        self.deadline = time.monotonic() + START_SECONDS
        fresh = [process for process in multiprocessing.active_children() if process.pid not in before]
        self.process = fresh[0] if fresh else None

    def submit(self, task: Task, seconds: float) -> None:
        """Give the process a task that may take ``seconds``."""
        assert self.executor is not None
        self.task = task
        self.future = self.executor.submit(worker.work, task)
        self.deadline = time.monotonic() + seconds

    def kill(self) -> None:
        """End the process at once."""
        if self.process is not None and self.process.is_alive():
            self.process.kill()

    def exit_code(self) -> int | None:
        """Exit code of the dead process; ``None`` when it cannot be told."""
        if self.process is None:
            return None
        # The executor's own thread waits for the process, too, and may be the one that learns its code.
        deadline = time.monotonic() + 5
        while self.process.exitcode is None and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.process.exitcode

    def discard(self) -> None:
        """Forget the process after its death."""
        self.kill()
        if self.executor is not None:
            self.executor.shutdown(wait=True, cancel_futures=True)
        self.executor = self.process = self.future = None
        self.overdue = False


def make_slots(settings: WorkerSettings, processes: int) -> list[Slot]:
    """Slots for ``processes``: on a CPU all alike, else one for each GPU, and no two on the same."""
    if not settings.gpus:
        return [Slot(settings) for _ in range(processes)]
    return [Slot(replace(settings, gpus=(gpu,))) for gpu in dict.fromkeys(settings.gpus)][:processes]


def reserve_slots(settings: WorkerSettings) -> list[Slot]:
    """Slots on the CPU in place of GPUs that were lost; none where a GPU was asked for by name."""
    processes, threads = settings.reserve
    on_cpu = replace(settings, device="cpu", gpus=(), threads=threads, why="all GPUs failed", reserve=(0, 0))
    return [Slot(on_cpu) for _ in range(processes)]
