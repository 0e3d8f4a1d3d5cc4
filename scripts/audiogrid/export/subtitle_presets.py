"""Rules of well-known guides for subtitles, by name. A key that has another value than its default wins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: The name that stands for no preset.
NONE = "none"


@dataclass(frozen=True)
class Preset:
    """The keys of ``subtitles`` that a guide sets. ``source``: the guide, and what of it has no number there."""

    values: Mapping[str, Any]
    source: str


#: Presets by name. docs/formats.md lists them (``make docs``).
PRESETS: dict[str, Preset] = {
    NONE: Preset({}, "the defaults of the keys"),
    "bbc": Preset(
        {"max_line_chars": 37, "max_lines": 2, "max_chars_per_second": 17, "min_seconds": 1},
        "BBC Subtitle Guidelines: 37 characters on teletext, two lines, 160 to 180 words a minute "
        "(about 17 characters a second)",
    ),
    "netflix": Preset(
        {
            "max_line_chars": 42,
            "max_lines": 2,
            "min_seconds": 0.833,
            "max_seconds": 7,
            "max_chars_per_second": 20,
            "gap_seconds": 0.084,
        },
        "Netflix Timed Text Style Guide, general requirements and English: 42 characters, two lines, 5/6 to 7 s, "
        "20 characters a second, gaps of two frames (at 24 frames a second)",
    ),
    "ebu": Preset(
        {"max_line_chars": 37, "max_lines": 2, "gap_seconds": 0.08},
        "EBU Tech 3264 (STL): rows of 40 columns, of which control codes take three, two rows, 25 frames a second; "
        "reading speed and times as by default",
    ),
    "tedtalk": Preset(
        {"max_line_chars": 42, "max_lines": 2, "min_seconds": 1, "max_seconds": 7, "max_chars_per_second": 21},
        "TED Translators cheat-sheet: 42 characters, two lines, 1 to 7 s, 21 characters a second",
    ),
}


def with_preset(subtitles: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a ``subtitles`` section with the values of its preset for all keys that have their default.

    A key with its default counts as not given, because ``config/config.yaml`` spells all defaults out.
    """
    values = PRESETS[subtitles["preset"]].values
    return {key: values.get(key, value) if value == defaults[key] else value for key, value in subtitles.items()}
