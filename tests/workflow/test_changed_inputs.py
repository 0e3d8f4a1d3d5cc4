"""Changes that Snakemake does not see by itself: recordings that were added, weights that were replaced."""

from __future__ import annotations

import pytest

import runs
from media import write_wav

pytestmark = pytest.mark.workflow


def test_added_recordings_and_replaced_weights_are_noticed(workspace, speech, base_model) -> None:
    def record(name: str, sentence: str) -> None:
        (workspace.path / "in").mkdir(exist_ok=True)
        write_wav(workspace.path / "in" / name, speech(sentences=[sentence]).pcm)

    runs.second_model(workspace.path / "mine", base_model)
    settings = ("--config", "run=x", "recordings=in", "model=./mine", "language=en", "formats=txt")
    run = workspace.path / "results" / "x"
    record("one.wav", "The first recording is here.")
    workspace.snakemake(*settings)

    # Sites have this in their profiles: parameters are not looked at then.
    record("two.wav", "The second recording came later.")
    workspace.snakemake("--rerun-triggers", "mtime", *settings)
    assert "second" in runs.text(run, "two").lower()
    before = runs.stored(workspace.path / "results" / "store")
    assert "Nothing to be done" in workspace.snakemake("--rerun-triggers", "mtime", *settings).stdout
    assert "Nothing to be done" in workspace.snakemake(*settings).stdout

    with (workspace.path / "mine" / "config.json").open("a") as file:
        file.write(" ")
    done = workspace.snakemake(*settings)
    assert "staged mine-" in done.stdout
    after = runs.stored(workspace.path / "results" / "store")
    # The same recordings, decoded again with the model as it is now.
    assert len(after) == 2 * len(before) and before.items() <= after.items()
    assert "Nothing to be done" in workspace.snakemake(*settings).stdout
