"""One worker process of a pool: started, given tasks, watched and ended independently of the others."""

from __future__ import annotations

import importlib
import os
import time
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

from audiogrid.core.child_process import ChildDiedError, ChildProcess
from audiogrid.decoding.whisper.device_errors import is_device_failure
from audiogrid.transcribing.scheduler import Task
from audiogrid.transcribing.worker import WorkerSettings, worker_environment

START_SECONDS = 300.0


@dataclass(eq=False)
class WorkerProcess:
    """A worker process and its task. After the process died, the same object starts another.

    ``gpu_failures``: tasks that failed on its GPU since the last one that went well; ``failed_chunks``: their chunks.
    """

    settings: WorkerSettings
    process: ChildProcess | None = None
    future: Future[Any] | None = None
    task: Task | None = None
    deadline: float = 0.0
    is_overdue: bool = False
    is_ready: bool = False
    gpu_failures: int = 0
    failed_starts: int = 0
    failed_chunks: set[str] = field(default_factory=set)

    @property
    def gpu(self) -> str:
        """UUID of its GPU; empty on the CPU."""
        return self.settings.gpus[0] if self.settings.gpus else ""

    @property
    def name(self) -> str:
        """What messages call its device."""
        return f"GPU {self.gpu}" if self.gpu else "the CPU"

    @property
    def _program(self) -> Any:
        """The module that the process runs."""
        return importlib.import_module(self.settings.program)

    def may_be_gpu_failure(self, error: BaseException) -> bool:
        """Whether the GPU may have failed, not the task. The death of a process does not tell which of the two."""
        return bool(self.gpu) and (isinstance(error, ChildDiedError) or is_device_failure(error))

    def launch(self) -> None:
        """Start a process and let it load the model."""
        os.environ.update(worker_environment(self.settings.threads))
        # Only a GPU that has failed must decode the known clip again.
        settings = replace(self.settings, examine=True) if self.gpu_failures or self.failed_starts else self.settings
        self.process = ChildProcess(self._program.start, (settings,))
        self.is_ready = False
        self.future = self.process.submit(self._program.ready)
        self.deadline = time.monotonic() + START_SECONDS

    def submit(self, task: Task, seconds: float) -> None:
        """Give the process a task; it is taken to hang after ``seconds``."""
        assert self.process is not None
        self.task = task
        self.future = self.process.submit(self._program.work, task)
        self.deadline = time.monotonic() + seconds
        self.is_overdue = False

    def kill(self) -> None:
        """End the process at once."""
        if self.process is not None:
            self.process.kill()

    def discard(self) -> None:
        """End the process and forget it."""
        if self.process is not None:
            self.process.close()
        self.process = self.future = None
        self.is_overdue = False


def make_processes(settings: WorkerSettings, processes: int) -> list[WorkerProcess]:
    """Returns ``processes`` worker processes, not yet started: on GPUs at most ``settings.per_gpu`` on each."""
    if not settings.gpus:
        return [WorkerProcess(settings) for _ in range(processes)]
    # A few processes are spread over all GPUs.
    gpus = [*dict.fromkeys(settings.gpus)] * settings.per_gpu
    return [WorkerProcess(replace(settings, gpus=(gpu,))) for gpu in gpus[:processes]]


def reserve_processes(settings: WorkerSettings) -> list[WorkerProcess]:
    """Returns worker processes on the CPU that replace failed GPUs; none where ``device: cuda`` was asked for."""
    processes, threads = settings.reserve
    on_cpu = replace(settings, device="cpu", gpus=(), per_gpu=1, threads=threads, why="all GPUs failed", reserve=(0, 0))
    return [WorkerProcess(on_cpu) for _ in range(processes)]
