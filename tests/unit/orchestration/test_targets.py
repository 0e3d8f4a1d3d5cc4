"""What somebody gets who asks Snakemake for something by name."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from audiogrid.core.errors import InputError
from audiogrid.orchestration.targets import check_targets, stop_at_plan_first

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
    for rules, files, also in (
        ((), (), set()),
        (("probe", "stage_model"), (), set()),
        (("transcribe",), (), {str(plan)}),
        (("probe", "split"), (), {str(plan)}),
        ((), ("results/talks/summary.tsv",), {str(plan)}),
    ):
        graph = SimpleNamespace(untilrules=set(rules), untilfiles=set(files))
        stop_at_plan_first(graph, plan)
        assert (graph.untilrules, graph.untilfiles) == (set(rules), {*files, *also})
