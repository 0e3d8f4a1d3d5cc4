"""Jobs that Slurm will never finish, as the executor is told of them."""

import asyncio
import importlib
from types import SimpleNamespace

import pytest

from audiogrid.orchestration import lost_jobs
from audiogrid.orchestration.lost_jobs import PATIENCE_SECONDS, LostJobs, fail_lost_jobs


class Slurm:
    """What squeue says, and the time."""

    def __init__(self, **states: str) -> None:
        self.states: dict[str, str] | None = {name.removeprefix("j"): state for name, state in states.items()}
        self.time = 0.0
        self.said: list[str] = []
        self.jobs = LostJobs(lambda: self.states, self.said.append, lambda: self.time)

    def look(self, after: float, active: list[str], **seen: str) -> dict[str, str]:
        self.time += after
        return self.jobs.corrected({name.removeprefix("j"): state for name, state in seen.items()}, active)


def test_jobs_that_slurm_knows_are_left_alone():
    slurm = Slurm(j1="RUNNING", j2="PENDING", j3="COMPLETED")
    for _ in range(5):
        assert slurm.look(100, ["1", "2", "3"], j1="RUNNING", j3="COMPLETED") == {"1": "RUNNING", "3": "COMPLETED"}
    assert slurm.said == []


@pytest.mark.parametrize("seen", [{}, {"j7": "RUNNING"}, {"j7": "PENDING"}])
def test_a_job_that_nobody_knows_counts_as_cancelled_after_a_while(seen):
    slurm = Slurm(j1="RUNNING")
    assert "7" not in slurm.look(0, ["7"]) and slurm.said == []
    assert slurm.look(PATIENCE_SECONDS / 2, ["7"], **seen).get("7") != "CANCELLED"
    assert slurm.look(PATIENCE_SECONDS / 2, ["7"], **seen)["7"] == "CANCELLED"
    assert slurm.said == ["job 7 is unknown to Slurm: it counts as failed; what it finished is in the store"]


def test_a_job_that_comes_back_is_waited_for():
    slurm = Slurm()
    slurm.look(0, ["7"])
    slurm.states = {"7": "PENDING"}
    slurm.look(PATIENCE_SECONDS, ["7"])
    slurm.states = {}
    assert slurm.look(PATIENCE_SECONDS, ["7"]) == {}
    assert slurm.said == []


def test_while_slurm_does_not_answer_nothing_is_lost():
    slurm = Slurm()
    slurm.states = None
    for _ in range(5):
        assert slurm.look(PATIENCE_SECONDS, ["7"], j7="RUNNING") == {"7": "RUNNING"}


def test_a_preempted_job_is_lost_unless_it_is_put_back():
    slurm = Slurm(j7="PREEMPTED", j8="PREEMPTED")
    slurm.look(0, ["7", "8"], j7="PREEMPTED", j8="PREEMPTED")
    slurm.states = {"7": "PREEMPTED", "8": "PENDING"}
    seen = slurm.look(PATIENCE_SECONDS, ["7", "8"], j7="PREEMPTED", j8="PREEMPTED")
    assert seen == {"7": "CANCELLED", "8": "PREEMPTED"}


def test_tasks_of_arrays_and_what_has_ended_are_not_asked_about():
    slurm = Slurm()
    slurm.states = None
    asked: list[None] = []
    slurm.jobs.queue = lambda: asked.append(None)
    assert slurm.look(0, ["7_1", "8", "9"], j8="COMPLETED", j9="FAILED") == {"8": "COMPLETED", "9": "FAILED"}
    assert asked == []


def test_the_installed_executor_is_what_is_expected(monkeypatch):
    """The real plugin: its question is asked through the watch, its answer decides."""
    plugin = importlib.import_module(lost_jobs.PLUGIN)
    for name in ("query_job_status",):
        monkeypatch.setattr(plugin, name, getattr(plugin, name))
    monkeypatch.setattr(plugin.Executor, "check_active_jobs", plugin.Executor.check_active_jobs)
    assert fail_lost_jobs(print)
    assert plugin.query_job_status.__module__ == lost_jobs.__name__


def test_states_reach_an_executor_corrected(monkeypatch):
    async def ask(command):
        return {}, 0.1

    class Executor:
        async def check_active_jobs(self, active_jobs):
            self.states, _ = await plugin.query_job_status("squeue")
            for job in active_jobs:
                yield job

    plugin = SimpleNamespace(Executor=Executor, query_job_status=ask)
    monkeypatch.setattr(lost_jobs, "squeue", dict)
    monkeypatch.setattr(lost_jobs, "PATIENCE_SECONDS", 0.0)
    said: list[str] = []
    assert fail_lost_jobs(said.append, plugin)

    async def look(executor):
        return [job async for job in executor.check_active_jobs([SimpleNamespace(external_jobid=7)])]

    executor = Executor()
    assert len(asyncio.run(look(executor))) == 1
    assert executor.states == {"7": "CANCELLED"}
    # One that talks to several clusters is left alone.
    executor._submitted_job_clusters = {"other"}
    asyncio.run(look(executor))
    assert executor.states == {}


def test_another_executor_is_left_as_it_is():
    assert not fail_lost_jobs(print, SimpleNamespace(Executor=object, query_job_status=print))
