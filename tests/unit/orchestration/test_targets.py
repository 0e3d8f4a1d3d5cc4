"""What somebody gets who asks Snakemake for something by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from audiogrid.core.errors import InputError
from audiogrid.orchestration.targets import check_targets, until_with_plan

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


def test_until_a_rule_whose_jobs_the_plan_tells_also_means_the_plan() -> None:
    plan = RESULTS / "plan.json"
    assert until_with_plan([], plan) == set()
    assert until_with_plan(["probe", "stage_model"], plan) == {"probe", "stage_model"}
    for asked in (["transcribe"], ["probe", "split"], ["results/talks/summary.tsv"]):
        assert until_with_plan(asked, plan) == {*asked, str(plan)}
