"""What a plan says of texts that are given."""

from __future__ import annotations

from audiogrid.planning.bundles_and_shards import plan_recordings
from audiogrid.planning.plan_summary import ModelSpeed, plan_summary_lines
from audiogrid.records.plan import Recording, Settings

HOUR = 3600 * 16_000


def test_given_texts_have_a_line_and_a_plan_without_any_has_none() -> None:
    recordings = [
        Recording(name, f"{name}.wav", 1, 1, HOUR, 1, "mix", 12, columns=columns)
        for name, columns in (("a", {"text": "a.txt"}), ("b", {}), ("c", {"text": "c.docx"}))
    ]
    speeds = {"base": ModelSpeed(20.0, "measured")}
    plan = plan_recordings(recordings, Settings("base", {"base": "hash"}, {}, 5, 60, 600, 1, 0))
    (line,) = (line for line in plan_summary_lines(plan, speeds, 1) if line.startswith("texts"))
    assert "of 2 recording(s)" in line and "not in the estimate" in line
    plain = plan_recordings([recordings[1]], plan.settings)
    assert not [line for line in plan_summary_lines(plain, speeds, 1) if line.startswith("texts")]
