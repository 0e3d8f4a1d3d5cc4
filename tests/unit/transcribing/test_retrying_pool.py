"""What a pool makes of GPUs that fail, without any process: who is charged, who goes on."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from audiogrid.core.child_process import ChildDiedError
from audiogrid.core.errors import RetryableError
from audiogrid.decoding.whisper.device_errors import OutOfMemoryError
from audiogrid.records.outcome import Outcome
from audiogrid.transcribing.retrying_pool import WorkerPool
from audiogrid.transcribing.worker import Job, WorkerSettings
from audiogrid.transcribing.worker_process import make_processes, reserve_processes

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
