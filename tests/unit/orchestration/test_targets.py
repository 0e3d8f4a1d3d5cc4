"""What is said to somebody who asks Snakemake for a single transcript."""

from __future__ import annotations

from pathlib import Path

import pytest

from audiogrid.core.errors import InputError
from audiogrid.orchestration.targets import check_targets

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
