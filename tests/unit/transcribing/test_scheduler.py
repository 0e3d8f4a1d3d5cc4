"""The hand-out as a simulation: ranks of different speeds, no processes, no clock."""

import heapq
import random

import pytest

from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.records.chunks import Chunk, Seam
from audiogrid.records.outcome import Outcome
from audiogrid.transcribing.scheduler import Limits, Scheduler
from audiogrid.transcribing.task_sizes import group
from audiogrid.transcribing.worker import Job

EDGE = Seam("edge", 0, 0)


def job(name, seconds, folder="f"):
    samples = int(seconds * SAMPLE_RATE)
    return Job(Chunk(name, name, None, 0, 0, samples, 0, samples, EDGE, EDGE, ""), name, folder, {})


def simulate(seconds, speeds, limits=None):
    """Makespan and who did what, when every worker pulls as soon as it is free."""
    clock = [0.0]
    scheduler = Scheduler(
        [[job(f"c{i}", length)] for i, length in enumerate(seconds)], limits or Limits(), lambda: clock[0]
    )
    for rank in range(len(speeds)):
        scheduler.add_rank(rank)
    scheduler.return_tasks([])
    free = [(0.0, rank) for rank in range(len(speeds))]
    heapq.heapify(free)
    done = {rank: [] for rank in range(len(speeds))}
    end = 0.0
    while free:
        clock[0], rank = heapq.heappop(free)
        if done[rank]:
            name, length = done[rank][-1]
            scheduler.record(Outcome(name, name, "decoded", int(length * SAMPLE_RATE), length / speeds[rank]), rank)
        task = None if scheduler.is_stopping() else scheduler.next_task(rank)
        if task is None:
            continue
        length = task[0].audio / SAMPLE_RATE
        done[rank].append((task[0].name, length))
        end = clock[0] + length / speeds[rank]
        heapq.heappush(free, (end, rank))
    finished = max((sum(length for _, length in tasks) / speeds[rank] for rank, tasks in done.items()), default=0.0)
    return finished, done, scheduler


@pytest.mark.parametrize("workers", [1, 2, 7, 16, 64])
def test_workers_of_different_speeds_finish_together(workers):
    chance = random.Random(workers)
    seconds = [min(600.0, 5 * chance.paretovariate(1.1)) for _ in range(2000)]
    speeds = [(1.0, 2.0, 4.0)[number % 3] for number in range(workers)]
    makespan, done, _ = simulate(seconds, speeds)
    ideal = max(sum(seconds) / sum(speeds), max(seconds) / max(speeds))
    assert makespan <= ideal / 0.95
    assert sorted(name for tasks in done.values() for name, _ in tasks) == sorted(f"c{i}" for i in range(2000))


def test_tasks_that_come_back_take_their_place_in_the_order():
    scheduler = Scheduler([[job("b", 20)], [job("d", 5)]], Limits())
    scheduler.return_tasks([[job("c", 10)], [job("a", 30)]])
    assert [scheduler.next_task()[0].name for _ in range(4)] == ["a", "b", "c", "d"]


def test_near_the_end_a_fast_rank_goes_on_when_a_slow_one_cannot():
    now = [0.0]
    scheduler = Scheduler([[job("a", 300)], [job("b", 290)]], Limits(ends_at=20.0), lambda: now[0])
    scheduler.add_rank(1)
    scheduler.record(Outcome("x", "x", "decoded", 100 * SAMPLE_RATE, 100.0), 1)
    scheduler.record(Outcome("y", "y", "decoded", 100 * SAMPLE_RATE, 1.0), 0)
    assert scheduler.next_task(1) is None
    assert scheduler.stopped_by is None
    assert scheduler.next_task(0)[0].name == "a"
    now[0] = 18.0
    assert scheduler.next_task(0) is None
    assert "time limit" in scheduler.stopped_by


def test_the_pace_of_one_rank_says_nothing_about_another():
    scheduler = Scheduler([], Limits())
    scheduler.add_rank(1)
    scheduler.record(Outcome("x", "x", "decoded", 1000 * SAMPLE_RATE, 1.0), 1)
    assert scheduler.expected_seconds([job("a", 300)], 1) == pytest.approx(0.3)
    assert scheduler.expected_seconds([job("a", 300)], 0) == 0
    # Nobody has seen this process work: its tasks are not hurried along by a GPU elsewhere.
    assert scheduler.timeout([job("a", 300)]) == 6000


def known(speeds, tasks):
    """A scheduler whose ranks have shown their speed."""
    scheduler = Scheduler(tasks, Limits(), lambda: 0.0)
    for rank, speed in enumerate(speeds):
        scheduler.add_rank(rank)
        scheduler.record(Outcome("x", "x", "decoded", int(speed * SAMPLE_RATE), 1.0), rank)
    return scheduler


def test_a_slow_rank_takes_nothing_that_would_keep_all_others_waiting():
    scheduler = known([100.0, 1.0], [[job(name, 300)] for name in "abc"])
    # The fast one has all three done in 9 s.
    assert scheduler.next_task(1) is None
    assert [scheduler.next_task(0)[0].name for _ in range(3)] == ["a", "b", "c"]


def test_a_slow_rank_takes_what_it_can_finish_meanwhile():
    scheduler = known([4.0, 1.0], [[job("long", 600)], [job("middle", 100)], [job("short", 10)]])
    assert scheduler.next_task(1)[0].name == "middle"
    assert scheduler.next_task(0)[0].name == "long"
    assert scheduler.next_task(1)[0].name == "short"


def test_the_first_task_of_a_rank_whose_speed_is_unknown_is_of_middle_length():
    scheduler = Scheduler([[job(name, length)] for name, length in (("a", 600), ("b", 60), ("c", 6))], Limits())
    scheduler.add_rank(1)
    assert scheduler.next_task(1)[0].name == "b"


def test_a_rank_that_was_passed_over_in_vain_gets_its_task():
    now = [0.0]
    scheduler = Scheduler([[job("a", 300)]], Limits(), lambda: now[0])
    scheduler.add_rank(1)
    for rank, speed in ((0, 100.0), (1, 10.0)):
        scheduler.record(Outcome("x", "x", "decoded", int(speed * SAMPLE_RATE), 1.0), rank)
    assert scheduler.next_task(1) is None
    now[0] = 31.0
    assert scheduler.next_task(1)[0].name == "a"


def test_short_chunks_are_grouped_for_several_ranks():
    tasks = group([job(f"n{i}", 30) for i in range(20)], 60)
    assert [len(task) for task in tasks] == [2] * 10
