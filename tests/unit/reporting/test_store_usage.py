"""Which results of a store the plans of runs refer to."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from audiogrid.core.errors import InputError
from audiogrid.records.results import SCHEMA
from audiogrid.records.run_folder import RunFolder
from audiogrid.reporting import store_usage


def key(character: str) -> str:
    return character * 64


def put(store: Path, character: str, suffix: str = ".json", **other: object) -> Path:
    path = store / (character * 2) / f"{key(character)}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"schema": SCHEMA, "result": {"segments": []}, **other}))
    return path


def note(run: RunFolder, shard: str, spec: str, keys: dict[str, str], journal: Path | None = None) -> None:
    journal = journal or run.journal
    journal.mkdir(parents=True, exist_ok=True)
    entry = {"event": "begin", "at": 1.0, "spec": spec, "facts": {"keys": keys}, "workers": 1}
    with (journal / f"{shard}.host.1.jsonl").open("a") as file:
        file.write(json.dumps(entry) + "\n")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    shard = SimpleNamespace(shard="s0001", spec="now", chunks=["a.0000", "b.0000"])
    plan = SimpleNamespace(shards=[shard], whole_shard=lambda name: shard)
    monkeypatch.setattr(store_usage, "open_plan", lambda path: plan)
    folder = RunFolder(tmp_path / "results" / "x")
    folder.root.mkdir(parents=True)
    folder.plan.touch()
    return folder


def test_keys_of_the_present_plan_count_and_older_ones_do_not(run: RunFolder) -> None:
    note(run, "s0001", "before", {"a.0000": key("0"), "b.0000": key("1")})
    note(run, "s0001", "now", {"a.0000": key("2"), "b.0000": key("1"), "gone.0000": key("3")})
    assert store_usage.referenced_keys(run) == {key("1"), key("2")}


def test_a_shard_that_has_not_run_yet_keeps_all_that_its_chunks_ever_had(run: RunFolder) -> None:
    note(run, "s0007", "before", {"a.0000": key("0"), "other.0000": key("9")})
    assert store_usage.referenced_keys(run) == {key("0")}


def test_voices_are_noted_apart(run: RunFolder) -> None:
    note(run, "s0001", "now", {"a.0000": key("1")})
    note(run, "s0001", "before", {"a.0000": key("2")}, run.voices_journal)
    assert store_usage.referenced_keys(run) == {key("1"), key("2")}
    note(run, "s0001", "now", {"a.0000": key("3")}, run.voices_journal)
    assert store_usage.referenced_keys(run) == {key("1"), key("3")}


def test_reports_count_where_journals_are_gone(run: RunFolder) -> None:
    run.shards.mkdir()
    report = {"spec": "now", "facts": {"keys": {"a.0000": key("5")}}}
    (run.shards / "s0001.json").write_text(json.dumps(report))
    assert store_usage.referenced_keys(run) == {key("5")}


def test_a_plan_that_cannot_be_read_stops_everything(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> None:
        raise ValueError("damaged")

    monkeypatch.setattr(store_usage, "open_plan", fail)
    with pytest.raises(InputError, match="cannot be read"):
        store_usage.referenced_keys(run)


def test_only_results_of_chunks_are_named(tmp_path: Path) -> None:
    store = tmp_path / "store"
    kept, lost, error = put(store, "a"), put(store, "b"), put(store, "c", ".error.json")
    voices = put(store, "f")
    voices.write_text(json.dumps({"schema": 1, "result": {"samples": 1, "tracklets": []}}))
    foreign = put(store, "d")
    foreign.write_text(json.dumps({"schema": 1, "result": {"something": []}}))
    (store / "ee").mkdir()
    (store / "ee" / ".tmp-host-1-x").touch()
    found = store_usage.unreferenced(store, {key("a")})
    assert found.files == [lost, error, voices]
    assert found.kept == 1 and found.size == sum(path.stat().st_size for path in found.files)
    assert kept.exists() and foreign.exists()


def test_variants_of_a_comparison_have_plans_of_their_own(run: RunFolder) -> None:
    variant = run.compare.root / "turbo"
    variant.mkdir(parents=True)
    (variant / "plan.json").touch()
    assert [folder.root for folder in store_usage.plan_folders(run)] == [run.root, variant]
    assert [one.root for one in store_usage.runs_of(run.root.parent)] == [run.root]
