"""Rank 0 and its followers over an in-memory link, with a clock that tests move and pools that decode nothing."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import pytest

from audiogrid.core.errors import InputError, RetryableError, StoreError
from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.records.chunks import Chunk, Seam
from audiogrid.records.outcome import Outcome
from audiogrid.transcribing.coordinator import Team
from audiogrid.transcribing.members import introduce
from audiogrid.transcribing.protocol import Ask, Beat, Bye, Done, End, Go, Hello, Leave, Say, Stop, Work
from audiogrid.transcribing.rank import Follower
from audiogrid.transcribing.scheduler import WAIT, Dealer, Limits, Wait
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
    """A team of rank 0 and scripted others."""

    tasks: int = 6
    size: int = 3
    processes: tuple[int, ...] = (1, 1, 1)
    now: float = 0.0
    reports: list[Outcome] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.wire = Wire(self.size)
        self.team = Team(self.wire.link(0), silence=60, now=lambda: self.now, sleep=self.sleep)
        self.dealer = Dealer([[job(f"c{i}", 100 - i)] for i in range(self.tasks)], Limits(), lambda: self.now)
        for rank in range(1, self.size):
            self.tell(rank, Hello(f"n{rank}", 10 + rank, self.processes[rank], 1))
        self.team.gather(Hello("n0", 10, self.processes[0], 1))
        self.team.open(self.dealer, self.reports.append, self.said.append)
        for rank in range(self.size):
            self.dealer.learn(outcome("earlier"), rank)

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
    assert stage.team.take()[0].name == "c0"
    stage.tell(1, Ask())
    stage.team.serve()
    (work,) = stage.heard(1, Work)
    assert work.task[0].name == "c1"
    stage.tell(1, Done(outcome("c1")))
    stage.tell(1, Done(outcome("c1")))
    stage.team.serve()
    assert [one.chunk for one in stage.reports] == ["c1"]
    stage.team.done(outcome("c0"))
    assert [one.chunk for one in stage.reports] == ["c1", "c0"]


def test_an_ask_without_an_answer_waits_for_what_another_rank_gives_back():
    stage = Stage(tasks=2)
    stage.tell(1, Ask())
    stage.tell(2, Ask())
    stage.team.serve()
    assert stage.heard(1, Work) and stage.heard(2, Work)
    assert stage.team.take() is WAIT
    stage.tell(2, Done(outcome("c1")))
    stage.tell(2, Ask())
    stage.team.serve()
    assert stage.heard(2, Work) == []
    stage.tell(1, Leave("no decoding process can be started"))
    stage.team.serve()
    # Rank 2 asked first.
    assert [work.task[0].name for work in stage.heard(2, Work)] == ["c0"]
    assert stage.said == ["rank 1 on n1 takes no more work: no decoding process can be started"]
    stage.tell(2, Done(outcome("c0")))
    stage.team.serve()
    assert stage.team.take() is None
    assert not stage.team.is_busy()


def test_few_tasks_go_to_all_nodes_alike():
    stage = Stage(tasks=6, processes=(16, 16, 16))
    mine = [stage.team.take() for _ in range(16)]
    assert [len(task) for task in mine if not isinstance(task, Wait)] == [1, 1]
    assert [go.share for go in stage.heard(1, Go)] == [2]
    for _ in range(16):
        stage.tell(1, Ask())
        stage.tell(2, Ask())
    stage.team.serve()
    assert (len(stage.heard(1, Work)), len(stage.heard(2, Work))) == (2, 2)


def test_alone_nothing_is_shared_and_nobody_is_waited_for():
    team = Team()
    dealer = Dealer([[job("a")], [job("b")]], Limits())
    team.gather(Hello("n", 1, 4, 1))
    reports = []
    team.open(dealer, reports.append, lambda sentence: None)
    assert [team.take()[0].name, team.take()[0].name, team.take()] == ["a", "b", None]
    team.serve()
    team.done(outcome("a"))
    assert [one.chunk for one in reports] == ["a"]
    assert team.close() == []


def test_ranks_without_a_process_are_not_waited_for():
    stage = Stage(tasks=1, processes=(0, 1, 0))
    stage.dealer.learn(outcome("earlier", seconds=0.1), 1)
    stage.tell(1, Ask())
    stage.team.serve()
    assert [work.task[0].name for work in stage.heard(1, Work)] == ["c0"]
    assert stage.dealer.left == 0


def test_a_silent_rank_is_named_and_ends_the_job():
    stage = Stage()
    for _ in range(13):
        stage.now += 5
        stage.tell(2, Beat())
        if stage.now < 61:
            stage.team.serve()
    with pytest.raises(RetryableError, match=r"rank 1 on n1 \(process 11\) has said nothing for 60 s"):
        stage.team.serve()
    assert [member.rank for member in stage.team.close()] == [1, 2]


def test_a_suspended_rank_0_blames_nobody():
    stage = Stage()
    stage.now += 3600
    stage.team.serve()
    stage.now += 50
    stage.team.serve()


def test_what_cannot_be_stored_ends_the_job():
    from audiogrid.transcribing.protocol import Broken

    stage = Stage()
    stage.tell(1, Broken("cannot write x: No space left on device"))
    with pytest.raises(StoreError, match="rank 1 on n1: cannot write x"):
        stage.team.serve()


def test_stopping_is_told_once_and_nothing_more_is_handed_out():
    stage = Stage()
    stage.tell(1, Ask())
    stage.team.serve()
    stage.dealer.stopped_by = "SIGTERM was received"
    stage.tell(2, Ask())
    stage.team.serve()
    stage.team.serve()
    assert stage.heard(2, Work) == []
    assert stage.heard(1, Stop) == [Stop("SIGTERM was received")]
    assert stage.team.take() is None
    assert stage.team.is_busy()
    stage.tell(1, Done(outcome("c0")))
    stage.tell(1, Leave("SIGTERM was received"))
    stage.team.serve()
    assert not stage.team.is_busy()
    assert stage.said == []


def test_ranks_that_do_not_report_are_named():
    wire = Wire(3)
    clock = [0.0]

    def sleep(seconds):
        clock[0] += seconds

    team = Team(wire.link(0), now=lambda: clock[0], sleep=sleep)
    wire.link(1).send(0, Hello("n1", 1, 1, 1))
    with pytest.raises(RetryableError, match=r"rank\(s\) 2 did not report within 5 s"):
        team.gather(Hello("n0", 1, 1, 1), seconds=5)


def test_a_rank_whose_own_processes_cannot_start_leaves_its_tasks_to_others():
    stage = Stage(tasks=1)
    assert stage.team.take()[0].name == "c0"
    stage.team.give_up("no decoding process can be started")
    assert stage.team.is_busy()
    stage.tell(1, Ask())
    stage.team.serve()
    assert [work.task[0].name for work in stage.heard(1, Work)] == ["c0"]
    stage.tell(1, Leave("neither here"))
    stage.tell(2, Leave("nor here"))
    stage.team.serve()
    assert not stage.team.is_busy()
    assert stage.dealer.left == 1
    assert "rank 2 on n2: nor here" in stage.team.causes


def test_the_last_words_say_what_each_rank_did():
    stage = Stage(tasks=1)
    stage.tell(1, Ask())
    stage.team.serve()
    stage.tell(1, Done(outcome("c0")))
    stage.team.serve()
    for rank in (1, 2):
        stage.tell(rank, Bye({"device": "cpu"}))
    assert stage.team.close() == []
    assert [(fact["rank"], fact["decoded"]) for fact in introduce(list(stage.team.others.values()))] == [(1, 1), (2, 0)]


class FakePool:
    """Does what ``script`` says at each turn of its loop, with one process."""

    made = {"device": "cpu"}  # noqa: RUF012

    def __init__(self, done=None, error=None):
        self.got = []
        self.done = done or (lambda task: [outcome(one.name) for one in task])
        self.error = error

    def run(self, take, report, stopping, tick, pause):
        while not stopping():
            task = take()
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
    """Run a follower against what rank 0 says, one message per turn of so many seconds; what it said comes back."""
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

    follower = Follower(
        Scripted(wire, 1), Hello("n1", 1, 2, 1), Limits(), silence=60, now=lambda: clock[0], sleep=lambda s: None
    )
    follower.run(lambda count: pool, check, Terminated)
    return [message for message in said if not isinstance(message, Beat)], follower


def test_a_follower_asks_works_reports_and_says_goodbye():
    pool = FakePool()
    said, _ = follow([Go(1), Beat(), Work([job("a")]), Beat(), Work([job("b")]), Beat(), End()], pool)
    assert [type(message) for message in said] == [Hello, Ask, Done, Ask, Done, Ask, Bye]
    assert pool.got == ["a", "b"]
    assert said[-1].made == {"device": "cpu"}


def test_short_tasks_are_asked_for_ahead():
    pool = FakePool()
    said, _ = follow([Go(1), Beat(), Work([job("a")]), Work([job("b")]), Work([job("c")]), End()], pool, turn=0.5)
    assert [type(message) for message in said] == [Hello, Ask, Ask, Done, Ask, Done, Ask, Done, Bye]
    assert pool.got == ["a", "b", "c"]


def test_a_follower_without_work_never_makes_a_pool():
    said, _ = follow([Beat(), End()], None)
    assert [type(message) for message in said] == [Hello, Bye]


def test_a_follower_that_cannot_decode_says_why_and_stays_until_the_end():
    pool = FakePool(error=InputError("the model is damaged"))
    said, _ = follow([Go(1), Work([job("a")]), Beat(), Beat(), End()], pool)
    assert said[-2:] == [Leave("the model is damaged"), Bye({"device": "cpu"})]


def test_a_follower_that_cannot_store_says_so():
    from audiogrid.transcribing.protocol import Broken

    said, _ = follow([Go(1), Work([job("a")]), Beat(), Beat(), End()], FakePool(error=StoreError("full")))
    assert Broken("full") in said


def test_a_follower_told_to_stop_takes_nothing_more():
    pool = FakePool()
    said, follower = follow([Go(1), Work([job("a")]), Stop("SIGTERM was received"), Beat(), End()], pool)
    assert Leave("SIGTERM was received") in said
    assert follower.stopped_by == "SIGTERM was received"


def test_a_follower_whose_grace_is_over_gives_up_what_it_was_at():
    def check():
        raise Terminated

    said, _ = follow([Go(1), Work([job("a")]), Beat(), End()], FakePool(done=lambda task: []), check)
    assert Leave("it was told to end") in said


def test_a_follower_notices_that_rank_0_is_silent():
    with pytest.raises(RetryableError, match="rank 0 has said nothing to rank 1 on n1 for 60 s"):
        follow([Go(1)], FakePool())


def test_the_patience_of_a_follower_is_its_own():
    _, follower = follow([End()], FakePool())
    assert follower.patience([job("a", 300)]) == 6000
    follower.warn("careful")
    assert isinstance(Say("careful"), Say)
