"""What somebody gets who asks Snakemake for something by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from audiogrid.core.errors import InputError
from audiogrid.orchestration.targets import check_targets, check_until

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


@pytest.mark.parametrize(
    "asked",
    [
        "--until transcribe",
        "-n --until=split",
        "--unt merge -n",
        "-U probe report",
        f"--until {RESULTS}/summary.tsv -n",
    ],
)
def test_until_a_step_beyond_the_plan_is_answered_with_what_to_do(asked: str) -> None:
    with pytest.raises(InputError, match=r"--until \S+: .* results/talks/shards/s0001\.json transcribes a shard"):
        check_until([*asked.split(), "--config", "run=talks"], RESULTS)


def test_until_the_plan_is_let_through() -> None:
    for asked in ("all --cores 2", "--until probe make_plan --config run=until", f"-U {RESULTS}/plan.json -- report"):
        check_until(asked.split(), RESULTS)
