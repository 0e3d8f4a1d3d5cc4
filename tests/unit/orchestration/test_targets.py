"""What somebody gets who asks Snakemake for something by name."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from audiogrid.core.errors import InputError
from audiogrid.orchestration.targets import check_targets, has_stopped_at_plan, stop_at_plan_first

RESULTS = Path("results/talks")


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("target", ["results/talks/transcripts/one.txt", "results/talks/transcripts"])
def test_a_transcript_as_target_is_answered_with_what_to_do(target: str, absolute: bool) -> None:
    asked = str(Path.cwd() / target) if absolute else target
    with pytest.raises(InputError, match=r"a whole bundle\. Start without a target") as raised:
        check_targets(["snakemake", "--profile", "profiles/local", asked], RESULTS)
    assert str(raised.value).startswith(asked)


def test_other_arguments_are_let_through() -> None:
    check_targets(
        ["all", "-n", "--config", "run=talks", "results/talks/summary.tsv", "results/store", "/elsewhere", "x" * 5000],
        RESULTS,
    )


def test_until_a_rule_whose_jobs_the_plan_tells_ends_at_the_plan_first() -> None:
    plan = RESULTS / "plan.json"
    planner, other = SimpleNamespace(output=[str(plan)]), SimpleNamespace(output=["results/talks/probe.json"])
    for rules, files, is_beyond in (
        ((), (), False),
        (("probe", "stage_model", "make_plan"), (), False),
        (("transcribe",), (), True),
        (("probe", "split"), (), True),
        ((), ("results/talks/summary.tsv",), True),
    ):
        graph = SimpleNamespace(untilrules=set(rules), untilfiles=set(files), finished_jobs=[other])
        stop_at_plan_first(graph, plan)
        assert graph.untilrules == set(rules) and graph.untilfiles == {*files, *([str(plan)] if is_beyond else [])}
        assert not has_stopped_at_plan(graph, plan)
        graph.finished_jobs.append(planner)
        assert has_stopped_at_plan(graph, plan) == is_beyond
