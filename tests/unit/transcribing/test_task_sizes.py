"""How much audio a worker is given at once."""

from __future__ import annotations

from typing import Any

import pytest

from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.records.chunks import Chunk, Seam
from audiogrid.transcribing.task_sizes import GPU_GROUP_SECONDS, GROUP_SECONDS, group, group_seconds
from audiogrid.transcribing.worker import Job


def job(name: str, seconds: float, folder: str = "f", options: dict[str, Any] | None = None) -> Job:
    samples = int(seconds * SAMPLE_RATE)
    edge = Seam("edge", 0, 0)
    return Job(Chunk(name, name, None, 0, 0, samples, 0, samples, edge, edge, ""), name, folder, options or {"a": 1})


def test_long_chunks_travel_alone_and_short_ones_together() -> None:
    tasks = group([job("s1", 30), job("long", 300), *(job(f"n{i}", 30) for i in range(10))], 300)
    assert [one.name for one in tasks[0]] in (["long"], [f"n{i}" for i in range(10)])
    assert sorted(len(task) for task in tasks) == [1, 1, 10]


def test_chunks_of_other_options_or_bundles_do_not_travel_together() -> None:
    tasks = group([job("a", 10), job("b", 10, options={"a": 2}), job("c", 10, folder="g")], 300)
    assert sorted(len(task) for task in tasks) == [1, 1, 1]


@pytest.mark.parametrize(
    ("hours", "processes", "device", "seconds"),
    [
        # Much to do: full batches. A GPU has larger ones.
        (10, 4, "cpu", GROUP_SECONDS),
        (10, 4, "cuda", GPU_GROUP_SECONDS),
        # Alone on a GPU a process waits for nobody: all it can hold at once.
        (0.4, 1, "cuda", 1440),
        (0.4, 2, "cuda", 360),
        # Little to do: at least two tasks for every process, but not of seconds.
        (0.5, 6, "cpu", 150),
        (0.1, 8, "cpu", 60),
    ],
)
def test_tasks_are_full_batches_and_enough_for_every_process(
    hours: float, processes: int, device: str, seconds: float
) -> None:
    assert group_seconds([job("x", hours * 3600)], processes, device) == seconds
