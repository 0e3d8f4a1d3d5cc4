"""Presets of subtitles, and the gap between cues."""

from __future__ import annotations

from dataclasses import asdict
from itertools import pairwise
from typing import Any

import pytest

from audiogrid.config.resolve import resolve
from audiogrid.core.errors import InputError
from audiogrid.core.json_values import from_json
from audiogrid.export.cues import CueOptions, make_cues
from audiogrid.export.line_breaking import width
from audiogrid.export.subtitle_presets import PRESETS


def document() -> dict[str, Any]:
    text = "So we went down to the harbour, and the captain said that nobody knew. Then it rained again, very hard. "
    words = [
        {"start": round(0.3 * n, 3), "end": round(0.3 * n + 0.3, 3), "word": f" {word}"}
        for n, word in enumerate((text * 6).split())
    ]
    segment = {"start": 0.0, "end": words[-1]["end"], "text": text, "language": "en", "words": words}
    return {"channels_mode": "mix", "duration": 60.0, "segments": [segment], "gaps": []}


@pytest.mark.parametrize("name", PRESETS)
def test_cues_keep_to_the_rules_of_a_preset(name: str) -> None:
    options = from_json(CueOptions, resolve({"subtitles": {"preset": name}})["subtitles"])
    assert {key: asdict(options)[key] for key in PRESETS[name].values} == PRESETS[name].values
    cues = make_cues(document(), options)
    assert len(cues) > 5
    for cue in cues:
        assert len(cue.lines) <= options.max_lines
        assert max(map(width, cue.lines)) <= options.max_line_chars
        assert cue.end - cue.start <= 1000 * options.max_seconds
    for cue, following in pairwise(cues):
        assert following.start - cue.end >= round(1000 * options.gap_seconds)


def test_a_value_of_its_own_wins_over_the_preset() -> None:
    settings = resolve({"subtitles": {"preset": "netflix", "max_line_chars": 30, "max_lines": 2}})["subtitles"]
    assert (settings["max_line_chars"], settings["gap_seconds"], settings["min_seconds"]) == (30, 0.084, 0.834)
    assert resolve({})["subtitles"]["gap_seconds"] == 0.08


def test_every_value_of_a_preset_is_a_valid_one() -> None:
    for preset in PRESETS.values():
        resolve({"subtitles": dict(preset.values)})
        assert preset.source


def test_an_unknown_preset_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"subtitles\.preset: 'netflx' is not known; did you mean 'netflix'\? choose"):
        resolve({"subtitles": {"preset": "netflx"}})
