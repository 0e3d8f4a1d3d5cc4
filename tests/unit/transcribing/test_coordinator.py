"""Rank 0 and the other ranks over an in-memory link, with a clock that tests move and pools that decode nothing."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import pytest

from audiogrid.core.errors import InputError, RetryableError, StoreError
from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.records.chunks import Chunk, Seam
from audiogrid.records.outcome import Outcome
from audiogrid.transcribing.coordinator import Coordinator
from audiogrid.transcribing.protocol import (
    Assign,
    Farewell,
    Finished,
    Heartbeat,
    Log,
    Registration,
    Request,
    Shutdown,
    Start,
    Stop,
    Withdraw,
)
from audiogrid.transcribing.rank import WorkerRank
from audiogrid.transcribing.rank_state import rank_summaries
from audiogrid.transcribing.scheduler import WAIT, Limits, Scheduler, Wait
from audiogrid.transcribing.worker import Job

EDGE = Seam("edge", 0, 0)


def job(name, seconds=100):
    samples = int(seconds * SAMPLE_RATE)
    return Job(Chunk(name, name, None, 0, 0, samples, 0, samples, EDGE, EDGE, ""), name, "f", {})


def outcome(name, status="decoded", seconds=1.0):
    return Outcome(name, name, status, 100 * SAMPLE_RATE, seconds)


class Wire:
    """Mailboxes of all ranks."""

    def __init__(self, size):
        self.size = size
        self.boxes = [deque() for _ in range(size)]

    def link(self, rank):
        return MemoryLink(self, rank)


class MemoryLink:
    def __init__(self, wire, rank):
        self.wire, self.rank, self.size = wire, rank, wire.size

    def send(self, rank, message):
        self.wire.boxes[rank].append((self.rank, message))

    def receive(self):
        found = list(self.wire.boxes[self.rank])
        self.wire.boxes[self.rank].clear()
        return found


@dataclass
class Stage:
    """A coordinator of rank 0 and scripted others."""

    tasks: int = 6
    size: int = 3
    processes: tuple[int, ...] = (1, 1, 1)
    now: float = 0.0
    reports: list[Outcome] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.wire = Wire(self.size)
        self.coordinator = Coordinator(self.wire.link(0), silence=60, now=lambda: self.now, sleep=self.sleep)
        self.scheduler = Scheduler([[job(f"c{i}", 100 - i)] for i in range(self.tasks)], Limits(), lambda: self.now)
        for rank in range(1, self.size):
            self.tell(rank, Registration(f"n{rank}", 10 + rank, self.processes[rank], 1))
        self.coordinator.wait_for_ranks(Registration("n0", 10, self.processes[0], 1))
        self.coordinator.start(self.scheduler, self.reports.append, self.said.append)
        for rank in range(self.size):
            self.scheduler.record(outcome("earlier"), rank)

    def sleep(self, seconds):
        self.now += seconds

    def tell(self, rank, message):
        self.wire.link(rank).send(0, message)

    def heard(self, rank, kind: type[Any] = object):
        box = self.wire.boxes[rank]
        found = [message for _, message in box if isinstance(message, kind)]
        box.clear()
        return found


def test_a_rank_that_asks_gets_the_longest_task_and_its_outcome_is_reported_once():
    stage = Stage()
    assert stage.coordinator.next_task()[0].name == "c0"
    stage.tell(1, Request())
    stage.coordinator.poll()
    (work,) = stage.heard(1, Assign)
    assert work.task[0].name == "c1"
    stage.tell(1, Finished(outcome("c1")))
    stage.tell(1, Finished(outcome("c1")))
    stage.coordinator.poll()
    assert [one.chunk for one in stage.reports] == ["c1"]
    stage.coordinator.record(outcome("c0"))
    assert [one.chunk for one in stage.reports] == ["c1", "c0"]


def test_a_request_without_an_answer_waits_for_what_another_rank_gives_back():
    stage = Stage(tasks=2)
    stage.tell(1, Request())
    stage.tell(2, Request())
    stage.coordinator.poll()
    assert stage.heard(1, Assign) and stage.heard(2, Assign)
    assert stage.coordinator.next_task() is WAIT
    stage.tell(2, Finished(outcome("c1")))
    stage.tell(2, Request())
    stage.coordinator.poll()
    assert stage.heard(2, Assign) == []
    stage.tell(1, Withdraw("no decoding process can be started"))
    stage.coordinator.poll()
    # Rank 2 asked first.
    assert [work.task[0].name for work in stage.heard(2, Assign)] == ["c0"]
    assert stage.said == ["rank 1 on n1 takes no more tasks: no decoding process can be started"]
    stage.tell(2, Finished(outcome("c0")))
    stage.coordinator.poll()
    assert stage.coordinator.next_task() is None
    assert not stage.coordinator.is_busy()


def test_a_request_that_was_under_way_when_its_rank_withdrew_gets_no_task():
    stage = Stage(tasks=6, processes=(1, 1, 1))
    stage.tell(1, Withdraw("no decoding process can be started"))
    stage.tell(1, Request())
    stage.coordinator.poll()
    assert stage.heard(1, Assign) == []
    assert not isinstance(stage.coordinator.next_task(), Wait)


def test_few_tasks_go_to_all_nodes_alike():
    stage = Stage(tasks=6, processes=(16, 16, 16))
    mine = [stage.coordinator.next_task() for _ in range(16)]
    assert [len(task) for task in mine if not isinstance(task, Wait)] == [1, 1]
    assert [go.share for go in stage.heard(1, Start)] == [2]
    for _ in range(16):
        stage.tell(1, Request())
        stage.tell(2, Request())
    stage.coordinator.poll()
    assert (len(stage.heard(1, Assign)), len(stage.heard(2, Assign))) == (2, 2)


def test_alone_nothing_is_shared_and_nobody_is_waited_for():
    coordinator = Coordinator()
    scheduler = Scheduler([[job("a")], [job("b")]], Limits())
    coordinator.wait_for_ranks(Registration("n", 1, 4, 1))
    reports = []
    coordinator.start(scheduler, reports.append, lambda sentence: None)
    assert [coordinator.next_task()[0].name, coordinator.next_task()[0].name, coordinator.next_task()] == [
        "a",
        "b",
        None,
    ]
    coordinator.poll()
    coordinator.record(outcome("a"))
    assert [one.chunk for one in reports] == ["a"]
    assert coordinator.close() == []


def test_ranks_without_a_process_are_not_waited_for():
    stage = Stage(tasks=1, processes=(0, 1, 0))
    stage.scheduler.record(outcome("earlier", seconds=0.1), 1)
    stage.tell(1, Request())
    stage.coordinator.poll()
    assert [work.task[0].name for work in stage.heard(1, Assign)] == ["c0"]
    assert stage.scheduler.remaining == 0


def test_a_silent_rank_is_named_and_ends_the_job():
    stage = Stage()
    for _ in range(13):
        stage.now += 5
        stage.tell(2, Heartbeat())
        if stage.now < 61:
            stage.coordinator.poll()
    with pytest.raises(RetryableError, match=r"rank 1 on n1 \(process 11\) has sent no message for 60 s"):
        stage.coordinator.poll()
    assert [rank.rank for rank in stage.coordinator.close()] == [1, 2]


def test_a_suspended_rank_0_blames_nobody():
    stage = Stage()
    stage.now += 3600
    stage.coordinator.poll()
    stage.now += 50
    stage.coordinator.poll()


def test_what_cannot_be_stored_ends_the_job():
    from audiogrid.transcribing.protocol import StoreFailure

    stage = Stage()
    stage.tell(1, StoreFailure("cannot write x: No space left on device"))
    with pytest.raises(StoreError, match="rank 1 on n1: cannot write x"):
        stage.coordinator.poll()


def test_stopping_is_told_once_and_nothing_more_is_handed_out():
    stage = Stage()
    stage.tell(1, Request())
    stage.coordinator.poll()
    stage.scheduler.stopped_by = "SIGTERM was received"
    stage.tell(2, Request())
    stage.coordinator.poll()
    stage.coordinator.poll()
    assert stage.heard(2, Assign) == []
    assert stage.heard(1, Stop) == [Stop("SIGTERM was received")]
    assert stage.coordinator.next_task() is None
    assert stage.coordinator.is_busy()
    stage.tell(1, Finished(outcome("c0")))
    stage.tell(1, Withdraw("SIGTERM was received"))
    stage.coordinator.poll()
    assert not stage.coordinator.is_busy()
    assert stage.said == []


def test_ranks_that_do_not_report_are_named():
    wire = Wire(3)
    clock = [0.0]

    def sleep(seconds):
        clock[0] += seconds

    coordinator = Coordinator(wire.link(0), now=lambda: clock[0], sleep=sleep)
    wire.link(1).send(0, Registration("n1", 1, 1, 1))
    with pytest.raises(RetryableError, match=r"rank\(s\) 2 did not report within 5 s"):
        coordinator.wait_for_ranks(Registration("n0", 1, 1, 1), seconds=5)


def test_a_rank_whose_own_processes_cannot_start_leaves_its_tasks_to_others():
    stage = Stage(tasks=1)
    assert stage.coordinator.next_task()[0].name == "c0"
    stage.coordinator.withdraw("no decoding process can be started")
    assert stage.coordinator.is_busy()
    stage.tell(1, Request())
    stage.coordinator.poll()
    assert [work.task[0].name for work in stage.heard(1, Assign)] == ["c0"]
    stage.tell(1, Withdraw("neither here"))
    stage.tell(2, Withdraw("nor here"))
    stage.coordinator.poll()
    assert not stage.coordinator.is_busy()
    assert stage.scheduler.remaining == 1
    assert "rank 2 on n2: nor here" in stage.coordinator.withdrawals


def test_the_last_words_say_what_each_rank_did():
    stage = Stage(tasks=1)
    stage.tell(1, Request())
    stage.coordinator.poll()
    stage.tell(1, Finished(outcome("c0")))
    stage.coordinator.poll()
    for rank in (1, 2):
        stage.tell(rank, Farewell({"device": "cpu"}))
    assert stage.coordinator.close() == []
    assert [(fact["rank"], fact["decoded"]) for fact in rank_summaries(list(stage.coordinator.others.values()))] == [
        (1, 1),
        (2, 0),
    ]


class FakePool:
    """Does what ``script`` says at each turn of its loop, with one process."""

    made = {"device": "cpu"}  # noqa: RUF012

    def __init__(self, done=None, error=None):
        self.got = []
        self.done = done or (lambda task: [outcome(one.name) for one in task])
        self.error = error

    def run(self, next_task, report, is_stopping, tick, pause):
        while not is_stopping():
            task = next_task()
            if task is None:
                return
            if task is not WAIT:
                self.got.append(task[0].name)
                if self.error:
                    raise self.error
                for one in self.done(task):
                    report(one)
            tick()
            assert 0 < pause() <= 0.5


class Terminated(Exception):  # noqa: N818
    pass


def follow(messages, pool, check=lambda: None, size=2, turn=10.0):
    """Run a rank against what rank 0 says, one message per turn of so many seconds; what it said comes back."""
    wire = Wire(size)
    script = deque(messages)
    clock = [0.0]
    said = []

    class Scripted(MemoryLink):
        def send(self, rank, message):
            said.append(message)

        def receive(self):
            clock[0] += turn
            return [(0, script.popleft())] if script else []

    worker_rank = WorkerRank(
        Scripted(wire, 1), Registration("n1", 1, 2, 1), Limits(), silence=60, now=lambda: clock[0], sleep=lambda s: None
    )
    worker_rank.run(lambda count: pool, check, Terminated)
    return [message for message in said if not isinstance(message, Heartbeat)], worker_rank


def test_a_rank_requests_works_reports_and_takes_leave():
    pool = FakePool()
    said, _ = follow(
        [Start(1), Heartbeat(), Assign([job("a")]), Heartbeat(), Assign([job("b")]), Heartbeat(), Shutdown()], pool
    )
    assert [type(message) for message in said] == [
        Registration,
        Request,
        Finished,
        Request,
        Finished,
        Request,
        Farewell,
    ]
    assert pool.got == ["a", "b"]
    assert said[-1].made == {"device": "cpu"}


def test_short_tasks_are_asked_for_ahead():
    pool = FakePool()
    said, _ = follow(
        [Start(1), Heartbeat(), Assign([job("a")]), Assign([job("b")]), Assign([job("c")]), Shutdown()], pool, turn=0.5
    )
    assert [type(message) for message in said] == [
        Registration,
        Request,
        Request,
        Finished,
        Request,
        Finished,
        Request,
        Finished,
        Farewell,
    ]
    assert pool.got == ["a", "b", "c"]


def test_a_rank_without_work_never_makes_a_pool():
    said, _ = follow([Heartbeat(), Shutdown()], None)
    assert [type(message) for message in said] == [Registration, Farewell]


def test_a_rank_that_cannot_decode_says_why_and_stays_until_the_end():
    pool = FakePool(error=InputError("the model is damaged"))
    said, _ = follow([Start(1), Assign([job("a")]), Heartbeat(), Heartbeat(), Shutdown()], pool)
    assert said[-2:] == [Withdraw("the model is damaged"), Farewell({"device": "cpu"})]


def test_a_rank_that_cannot_store_says_so():
    from audiogrid.transcribing.protocol import StoreFailure

    said, _ = follow(
        [Start(1), Assign([job("a")]), Heartbeat(), Heartbeat(), Shutdown()], FakePool(error=StoreError("full"))
    )
    assert StoreFailure("full") in said


def test_a_rank_told_to_stop_takes_nothing_more():
    pool = FakePool()
    said, worker_rank = follow(
        [Start(1), Assign([job("a")]), Stop("SIGTERM was received"), Heartbeat(), Shutdown()], pool
    )
    assert Withdraw("SIGTERM was received") in said
    assert worker_rank.stopped_by == "SIGTERM was received"


def test_a_rank_whose_grace_is_over_gives_up_what_it_was_at():
    def check():
        raise Terminated

    said, _ = follow([Start(1), Assign([job("a")]), Heartbeat(), Shutdown()], FakePool(done=lambda task: []), check)
    assert Withdraw("it was told to end") in said


def test_a_rank_notices_that_rank_0_is_silent():
    with pytest.raises(RetryableError, match="rank 0 has sent no message to rank 1 on n1 for 60 s"):
        follow([Start(1)], FakePool())


def test_the_timeout_of_a_rank_is_its_own():
    _, worker_rank = follow([Shutdown()], FakePool())
    assert worker_rank.timeout([job("a", 300)]) == 6000
    worker_rank.warn("careful")
    assert isinstance(Log("careful"), Log)
