"""Whether jobs run on other machines, as Snakemake's workflow tells it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from audiogrid.orchestration.executor import runs_on_cluster


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
