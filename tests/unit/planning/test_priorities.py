"""What is listened to first, and that nothing that exists moves for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from audiogrid.planning.bundles_and_shards import plan_recordings
from audiogrid.planning.priorities import JobOrder, by_priority
from audiogrid.records.plan import Plan, Recording, Settings
from audiogrid.records.plan_files.reader import open_plan
from audiogrid.records.plan_files.writer import write_plan
from audiogrid.records.run_folder import RunFolder

SETTINGS = Settings("m", {"m": "f" * 64}, {}, 5, 1, 1, 1, 1)
MINUTE = 60 * 16_000


def recording(name: str, priority: str = "") -> Recording:
    columns = {"priority": priority} if priority else {}
    return Recording(name, f"{name}.wav", 1, 1, MINUTE, 1, "mix", 1, columns=columns)


def order(plan: Plan) -> list[str]:
    found = JobOrder(plan)
    return [shard.chunks[0].partition(".")[0] for shard in sorted(plan.shards, key=lambda s: -found.of_shard(s.shard))]


def test_new_recordings_are_planned_by_priority_and_else_in_their_order() -> None:
    given = [recording("a"), recording("b", "-3"), recording("c", "+7"), recording("d", "0"), recording("e", "007")]
    assert [one.recording for one in by_priority(given)] == ["c", "e", "a", "d", "b"]
    plan = plan_recordings(given, SETTINGS)
    assert [bundle.recordings for bundle in plan.bundles] == [["c"], ["e"], ["a"], ["d"], ["b"]]
    assert order(plan) == ["c", "e", "a", "d", "b"]


def test_a_priority_that_changes_or_comes_later_moves_only_the_order_of_jobs() -> None:
    first = plan_recordings([recording("a"), recording("b"), recording("c")], SETTINGS)
    later = [recording("a"), recording("b"), recording("c", "5"), recording("d", "9"), recording("e")]
    plan = plan_recordings(later, SETTINGS, first)
    assert plan.bundles[:3] == first.bundles
    assert plan.shards[:3] == first.shards
    assert order(plan) == ["d", "c", "a", "b", "e"]


def test_the_order_is_the_same_from_the_file_of_a_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder(tmp_path)
    given = [recording(f"r{n}", str(n) if n % 3 == 0 else "") for n in range(12)]
    # Several recordings share a bundle, and each has a shard of its own.
    plan = plan_recordings(given, replace(SETTINGS, bundle_minutes=3))
    write_plan(plan, folder.plan)
    opened = open_plan(folder.plan)
    found, expected = JobOrder(opened), JobOrder(plan)
    for shard in plan.shards:
        assert found.of_shard(shard.shard) == expected.of_shard(shard.shard)
        assert 0 < found.of_shard(shard.shard) < 1
    assert order(plan)[:4] == ["r9", "r6", "r3", "r0"]
    # Without the column nothing is read of recordings.
    write_plan(plan_recordings([recording("a"), recording("b")], SETTINGS), folder.plan)
    opened = open_plan(folder.plan)
    monkeypatch.setattr(type(opened), "recordings_of", lambda *_: pytest.fail("read"))
    monkeypatch.setattr(type(opened), "pieces_of", lambda *_: pytest.fail("read"))
    assert JobOrder(opened).of_shard("s0001") > JobOrder(opened).of_shard("s0002")
