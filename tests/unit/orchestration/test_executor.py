"""Whether jobs run on other machines, as Snakemake's workflow tells it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from audiogrid.orchestration.executor import lift_default_rate, runs_on_cluster


@pytest.mark.parametrize(
    ("facts", "nodes", "expected"),
    [
        ({"local_exec": True}, None, False),
        ({}, None, True),
        # A job on a node of the cluster runs what it has locally.
        ({"remote_exec": True, "local_exec": True}, None, True),
        ({"dryrun": True}, None, False),
        ({"dryrun": True}, 8, True),
        ({"touch": True}, 8, True),
    ],
)
def test_where_jobs_run(facts: dict[str, bool], nodes: int | None, expected: bool) -> None:
    workflow = SimpleNamespace(
        **({"remote_exec": False, "dryrun": False, "touch": False, "local_exec": False} | facts),
        resource_settings=SimpleNamespace(nodes=nodes),
    )
    assert runs_on_cluster(workflow) == expected


@pytest.mark.parametrize(("limit", "stays"), [((100, 1), False), ((100, 60), True), ((10, 1), True)])
def test_only_the_default_limit_on_job_starts_is_lifted(limit: tuple[int, int], stays: bool) -> None:
    limiter = SimpleNamespace(max_jobs=limit[0], timespan=limit[1])
    scheduler = SimpleNamespace(job_rate_limiter=limiter)
    lift_default_rate(scheduler)
    assert scheduler.job_rate_limiter is (limiter if stays else None)


def test_a_scheduler_of_another_snakemake_is_left_alone() -> None:
    scheduler = SimpleNamespace()
    lift_default_rate(scheduler)
    assert vars(scheduler) == {}
