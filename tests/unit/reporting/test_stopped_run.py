"""What is merged after a run was stopped on purpose."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import report
from audiogrid.merging.merge_bundle import MergedBundle, MergeSettings
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.store import Store


@pytest.mark.parametrize("is_stopped", [True, False])
def test_what_a_stopped_run_did_not_reach_is_no_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_stopped: bool
) -> None:
    """With ``allow_gaps`` a recording that is half decoded would else get a transcript with a gap."""
    seen: list[bool] = []

    def merge_bundle(plan: Any, bundle: str, facts: Any, store: Any, settings: MergeSettings, *_: Any) -> MergedBundle:
        seen.append(settings.allow_gaps)
        return MergedBundle(bundle)

    monkeypatch.setattr(report, "merge_bundle", merge_bundle)
    monkeypatch.setattr(report, "facts_from_journals", lambda *_: None)
    folder = RunFolder(tmp_path)
    folder.shards.mkdir(parents=True)
    (folder.shards / "s0001.json").write_text("{}")
    plan: Any = SimpleNamespace(
        bundles=[SimpleNamespace(bundle="b0001", recordings=3), SimpleNamespace(bundle="b0002", recordings=2)],
        shards_of_bundle={"b0001": ["s0001"], "b0002": ["s0002"]},
        of_bundle=lambda name: name,
    )
    bundles, merge, left = report._merge_unless_done(
        folder, plan, Store(tmp_path), MergeSettings([], {}, allow_gaps=True), None, is_stopped=is_stopped
    )
    # Of what was not begun nothing is merged after a stop.
    assert (bundles, left) == ((["b0001"], 2) if is_stopped else (["b0001", "b0002"], 0))
    assert merge(bundles[0]) == MergedBundle("b0001")
    assert seen == [not is_stopped]
