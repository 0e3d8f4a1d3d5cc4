"""The clip of two voices that `audiogrid doctor` tells apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from audiogrid.embedding.known_voices import check_speakers, judge
from audiogrid.models.registry import RECORD_NAME

TURNS = [(0.3, 4.0, 0), (5.0, 9.0, 1), (10.0, 13.9, 0), (15.0, 19.4, 1)]
GOOD: dict[str, Any] = {"voices": 2, "cosine": 0.33, "turns": TURNS, "speed": 40.0}


@pytest.mark.parametrize(
    ("changed", "state", "said"),
    [
        ({}, "ok", "40x real time"),
        ({"voices": 1, "cosine": -1.0, "turns": [(0.3, 19.4, 0)]}, "wrong", "1 voice(s)"),
        ({"turns": [(start, end, 1 - who) for start, end, who in TURNS[:1]] + TURNS[1:]}, "wrong", "2 voice(s)"),
        ({"turns": TURNS[:3]}, "wrong", "2 voice(s)"),
        ({"cosine": 0.9}, "wrong", "cosine 0.90"),
        ({"error": "the process died of SIGILL"}, "wrong", "SIGILL"),
    ],
)
def test_what_the_clip_says(changed: dict[str, Any], state: str, said: str) -> None:
    verdict = judge({**GOOD, **changed})
    assert verdict.state == state
    assert said in verdict.found


def test_absent_networks_are_no_fault_and_damaged_ones_are(tmp_path: Path) -> None:
    assert check_speakers(tmp_path).state == "ok"
    (tmp_path / "speakers").mkdir()
    (tmp_path / "speakers" / RECORD_NAME).write_text("{}")
    assert check_speakers(tmp_path).state == "wrong"


def test_the_staged_networks_tell_the_voices_apart(speakers_model: Path) -> None:
    verdict = check_speakers(speakers_model.parent)
    assert verdict.state == "ok", verdict
    assert "2 voice(s)" in verdict.found
