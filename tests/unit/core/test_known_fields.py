"""Readers of documents ignore fields that they do not know."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from audiogrid.core.atomic_files import read_json, write_json
from audiogrid.core.known_fields import from_known_fields
from audiogrid.records.chunks import Seam
from audiogrid.records.plan import Plan, Settings
from audiogrid.records.results import ChunkResult, HypothesisRecord, Segment, Window, Word


def test_unknown_fields_are_ignored_and_missing_ones_are_errors() -> None:
    assert from_known_fields(Seam, {"kind": "pause", "at": 1, "margin": 2, "colour": "red"}) == Seam("pause", 1, 2)
    with pytest.raises(TypeError, match="margin"):
        from_known_fields(Seam, {"kind": "pause", "at": 1, "colour": "red"})


def with_more(value: object) -> object:
    """A document as a later version may write it: a field more in every object with fields."""
    if isinstance(value, list):
        return [with_more(one) for one in value]
    if isinstance(value, dict) and value:
        return {**{key: with_more(one) for key, one in value.items()}, "confidence": 0.5}
    return value


def test_a_result_of_a_later_version_is_read() -> None:
    reading = HypothesisRecord("fast", 0.9, 1, -0.2, 1.0, 0.0, [], "hello")
    window = Window(0, 10, [(0, 10)], ["low"], "fast", [reading])
    segment = Segment(0, 10, "hello", [Word(0, 10, " hello", 0.9)], -0.2, 1.0, 0.1, 0.0, "en", 0)
    result = ChunkResult(10, "en", 0.9, [(0, 10)], [window], [segment])
    later = with_more(result.to_json())
    assert isinstance(later, dict)
    assert ChunkResult.from_json(later) == result


def test_a_plan_of_a_later_version_is_read(tmp_path: Path) -> None:
    plan = Plan(Settings("base", {"base": "d0"}, {"beam_size": 1}, 5, 60, 600, 1, 0), [], [], [])
    plan.write(tmp_path / "plan.json")
    raw = read_json(tmp_path / "plan.json")
    raw["settings"]["later"] = raw["later"] = 1
    write_json(tmp_path / "plan.json", raw)
    assert asdict(Plan.read(tmp_path / "plan.json")) == asdict(plan)
