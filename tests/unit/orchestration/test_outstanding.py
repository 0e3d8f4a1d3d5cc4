"""What is left to do for a run whose jobs are done."""

from __future__ import annotations

from pathlib import Path

import pytest

from audiogrid.orchestration import outstanding
from audiogrid.records.run_folder import RunFolder
from audiogrid.remote.address import parse


@pytest.mark.parametrize(
    ("table", "left"),
    [(None, False), ("recording\tpath\treason\n", False), ("recording\tpath\treason\na\tin/a.wav\tempty\n", True)],
)
def test_a_run_with_rejected_recordings_is_not_done(tmp_path: Path, table: str | None, left: bool) -> None:
    if table is not None:
        (tmp_path / "rejected.tsv").write_text(table)
    assert outstanding.is_outstanding(RunFolder(tmp_path), None) == left


@pytest.mark.parametrize("published", [True, False])
def test_a_run_whose_results_are_not_published_is_not_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, published: bool
) -> None:
    monkeypatch.setattr(outstanding, "is_published", lambda root, to: published)
    assert outstanding.is_outstanding(RunFolder(tmp_path), parse("s3://bucket/x/")) == (not published)
