"""What a pool makes of GPUs that fail, without any process: who is charged, who goes on."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest

from audiogrid.core.child_process import ChildDiedError
from audiogrid.core.errors import RetryableError
from audiogrid.decoding.whisper.device_errors import OutOfMemoryError
from audiogrid.records.outcome import Outcome
from audiogrid.transcribing.retrying_pool import WorkerPool
from audiogrid.transcribing.worker import Job, WorkerSettings
from audiogrid.transcribing.worker_process import WorkerProcess, make_processes, reserve_processes

LOST = "RuntimeError: CUDA failed with error no CUDA-capable device is detected"


def job(name: str) -> Job:
    return Job(SimpleNamespace(chunk=name, context_start=0, context_end=16_000), f"key-{name}", "folder", {})  # type: ignore[arg-type]


class Bench:
    """A pool, and all that it says."""

    def __init__(self, *gpus: str, reserve: tuple[int, int] = (0, 0)) -> None:
        settings = WorkerSettings(
            "model", "hash", "cuda" if gpus else "cpu", "auto", 1, 0, "store", "own", gpus=gpus, reserve=reserve
        )
        self.said: list[str] = []
        self.outcomes: list[Outcome] = []
        self.pool = WorkerPool(settings, max(1, len(gpus)), 2, lambda task: 60.0, self.said.append)

    def fail(self, worker: int, *names: str, cause: str = LOST) -> None:
        """The GPU of ``worker`` fails at a task that is handed out (again)."""
        self.pool._retries.clear()
        self.pool._retry_after_gpu_failure(
            self.pool._workers[worker], [job(name) for name in names], cause, self.outcomes.append
        )

    @property
    def waiting(self) -> list[list[str]]:
        return [[one.name for one in task] for task in self.pool._retries]

    @property
    def gpus(self) -> list[str]:
        return [worker.gpu for worker in self.pool._workers]


def test_no_two_processes_share_a_gpu():
    settings = WorkerSettings(
        "model", "hash", "cuda", "auto", 1, 0, "store", "own", gpus=("GPU-a", "GPU-b", "GPU-a", "MIG-c")
    )
    for processes in range(1, 6):
        workers = make_processes(settings, processes)
        assert [worker.gpu for worker in workers] == ["GPU-a", "GPU-b", "MIG-c"][:processes]
        assert all(len(worker.settings.gpus) == 1 for worker in workers)
    assert reserve_processes(settings) == []


def test_processes_that_share_gpus_are_spread_over_all_of_them():
    settings = WorkerSettings(
        "model", "hash", "cuda", "auto", 1, 0, "store", "own", gpus=("GPU-a", "GPU-b"), per_gpu=2, reserve=(3, 1)
    )
    every = ["GPU-a", "GPU-b", "GPU-a", "GPU-b"]
    for processes in range(1, 6):
        assert [worker.gpu for worker in make_processes(settings, processes)] == every[:processes]
    assert [worker.settings.per_gpu for worker in reserve_processes(settings)] == [1, 1, 1]


def test_the_first_failure_of_a_gpu_costs_no_attempt():
    bench = Bench("GPU-a")
    bench.fail(0, "x")
    assert bench.waiting == [["x"]] and not bench.outcomes
    assert "GPU-a" in bench.said[0] and "known clip" in bench.said[0]


def test_a_chunk_at_which_a_tried_gpu_fails_again_is_charged():
    bench = Bench("GPU-a")
    for _ in range(3):
        bench.fail(0, "x")
    assert [outcome.status for outcome in bench.outcomes] == ["failed"]
    assert bench.gpus == ["GPU-a"]


def test_chunks_that_travel_together_are_told_apart_first():
    bench = Bench("GPU-a")
    bench.fail(0, "x", "y")
    assert bench.waiting == [["x", "y"]]
    bench.fail(0, "x", "y")
    assert bench.waiting == [["x"], ["y"]] and not bench.outcomes


def test_a_gpu_that_fails_task_after_task_is_dropped_and_its_chunks_keep_their_attempts():
    bench = Bench("GPU-a", "GPU-b")
    for name in ("x", "y", "z"):
        bench.fail(0, name)
    assert bench.gpus == ["GPU-b"] and bench.waiting == [["z"]] and not bench.outcomes
    assert "not used any more" in bench.said[-1] and "1 other process(es) go on" in bench.said[-1]


def test_one_bad_chunk_costs_one_gpu_at_most():
    bench = Bench("GPU-a", "GPU-b", "GPU-c")
    for _ in range(3):
        bench.fail(0, "x")
    assert bench.gpus == ["GPU-b", "GPU-c"] and not bench.outcomes
    for _ in range(3):
        bench.fail(0, "x")
    assert [outcome.status for outcome in bench.outcomes] == ["failed"]
    assert bench.gpus == ["GPU-b", "GPU-c"]


def test_after_the_last_gpu_comes_the_cpu_or_an_error_that_names_node_and_gpu():
    import os

    bench = Bench("GPU-a", reserve=(2, 3))
    for name in ("x", "y", "z"):
        bench.fail(0, name)
    assert bench.gpus == ["", ""] and "the CPU goes on" in bench.said[-1]
    assert {worker.settings.device for worker in bench.pool._workers} == {"cpu"}
    assert {worker.settings.threads for worker in bench.pool._workers} == {3}
    bench = Bench("GPU-a")
    with pytest.raises(RetryableError, match=f"GPU GPU-a of {os.uname().nodename}.*store"):
        bench.pool._drop_gpu(bench.pool._workers[0], LOST)


def test_only_gpus_are_blamed_and_only_for_what_can_be_theirs():
    gpu, cpu = Bench("GPU-a").pool._workers[0], Bench().pool._workers[0]
    for error in (ChildDiedError("gone"), RuntimeError(LOST), OutOfMemoryError("full")):
        assert gpu.may_be_gpu_failure(error) and not cpu.may_be_gpu_failure(error)
    assert not gpu.may_be_gpu_failure(RetryableError("the audio of chunk x is damaged"))
    assert not gpu.may_be_gpu_failure(RuntimeError("fault on request in chunk x"))


class LateProcess:
    """A process that gives its answer at the moment at which it is killed for being late."""

    def __init__(self, answer: Any) -> None:
        self.future: Future[Any] = Future()
        self.is_closed = False
        self._answer = answer

    def kill(self) -> None:
        if isinstance(self._answer, BaseException):
            self.future.set_exception(self._answer)
        else:
            self.future.set_result(self._answer)

    def close(self) -> None:
        self.is_closed = True


def late(bench: Bench, answer: Any, is_ready: bool = True) -> WorkerProcess:
    """A worker of ``bench`` whose process has answered, but too late."""
    (worker,) = bench.pool._workers
    process = LateProcess(answer)
    worker.process, worker.future, worker.task = process, process.future, [job("x")]  # type: ignore[assignment]
    worker.is_ready, worker.deadline = is_ready, -1.0
    bench.pool._check(worker, bench.outcomes.append)
    assert worker.is_overdue and not bench.outcomes
    bench.pool._check(worker, bench.outcomes.append)
    assert process.is_closed and worker.process is None and worker.task is None and not worker.is_overdue
    return worker


def test_an_answer_that_arrives_as_its_process_is_killed_counts_and_the_next_chunk_gets_another_process():
    bench = Bench()
    late(bench, [Outcome("x", "key-x", "decoded", 16_000)])
    assert [outcome.status for outcome in bench.outcomes] == ["decoded"]
    assert not bench.said and not bench.waiting


def test_an_error_that_arrives_as_its_process_is_killed_is_the_cause_that_is_told():
    bench = Bench()
    late(bench, RetryableError("the audio is damaged"))
    assert bench.waiting == [["x"]]
    assert "the audio is damaged" in bench.said[0] and "hung" not in bench.said[0]


def test_a_process_that_is_killed_as_it_becomes_ready_gets_no_task():
    bench = Bench()
    late(bench, {}, is_ready=False)
    assert bench.waiting == [["x"]] and not bench.outcomes
    assert "hung and was stopped; starting another" in bench.said[0]


def test_a_process_that_is_killed_for_being_late_is_blamed_for_its_own_chunk_only():
    bench = Bench()
    worker = late(bench, ChildDiedError("the process died of SIGKILL"))
    assert bench.said == ["chunk x: decoding hung and was stopped; attempt 2 of 2 follows"]
    worker.process = SimpleNamespace(submit=lambda *call: Future())  # type: ignore[assignment]
    worker.is_overdue = True
    worker.submit([job("y")], 60.0)
    assert not worker.is_overdue
