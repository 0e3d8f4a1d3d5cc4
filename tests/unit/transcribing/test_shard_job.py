import math
import time

from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.records.chunks import Chunk, Seam
from audiogrid.records.outcome import Outcome
from audiogrid.transcribing.scheduler import Limits, Scheduler
from audiogrid.transcribing.task_sizes import group
from audiogrid.transcribing.worker import Job


def job(name, seconds, folder="f", options=None):
    samples = int(seconds * SAMPLE_RATE)
    edge = Seam("edge", 0, 0)
    return Job(Chunk(name, name, None, 0, 0, samples, 0, samples, edge, edge, ""), name, folder, options or {"a": 1})


def test_the_longest_task_comes_first():
    scheduler = Scheduler(group([job("a", 200), job("b", 300), job("c", 250)]), Limits())
    assert [scheduler.next_task()[0].name for _ in range(3)] == ["b", "c", "a"]
    assert scheduler.next_task() is None
    assert not scheduler.is_stopping()


def test_the_scheduler_hands_out_only_what_can_be_finished():
    scheduler = Scheduler(group([job("long", 300), job("short", 160)]), Limits(ends_at=time.monotonic() + 25))
    scheduler.record(Outcome("x", "k", "decoded", 100 * SAMPLE_RATE, seconds=10.0))
    assert scheduler.next_task()[0].name == "short"
    assert scheduler.next_task() is None
    assert scheduler.is_stopping()
    assert "time limit" in scheduler.stopped_by


def test_speed_is_learnt_from_decoded_chunks_only():
    scheduler = Scheduler([], Limits())
    scheduler.record(Outcome("x", "k", "stored", 100 * SAMPLE_RATE))
    assert scheduler.speed is None
    scheduler.record(Outcome("x", "k", "decoded", 100 * SAMPLE_RATE, seconds=5.0))
    assert scheduler.speed == 20


def test_the_timeout_is_generous_but_finite():
    scheduler = Scheduler([], Limits())
    assert scheduler.timeout([job("a", 300)]) == 6000
    scheduler.record(Outcome("x", "k", "decoded", 300 * SAMPLE_RATE, seconds=10.0))
    # A hundred times what an ordinary chunk takes: the hardest take twenty times as long, and the machine may be busy.
    assert scheduler.timeout([job("a", 300)]) == 1000
    assert scheduler.timeout([job("a", 1)]) == 120
    assert Scheduler([], Limits(chunk_timeout=7)).timeout([job("a", 300)]) == 7
    assert math.isinf(Limits().ends_at)


def test_a_chunk_that_is_read_in_every_way_is_not_taken_to_hang():
    scheduler = Scheduler([], Limits())
    for number in range(50):
        scheduler.record(Outcome(f"x{number}", "k", "decoded", 300 * SAMPLE_RATE, seconds=12.0))
    # As measured (see HARDEST_TO_MEAN), on a machine that gives it a fifth of a core.
    assert scheduler.timeout([job("hard", 300)]) > 105 * 5
    before = scheduler.timeout([job("next", 300)])
    scheduler.record(Outcome("hard", "k", "decoded", 300 * SAMPLE_RATE, seconds=900.0))
    assert scheduler.timeout([job("next", 300)]) >= 4500 > before
