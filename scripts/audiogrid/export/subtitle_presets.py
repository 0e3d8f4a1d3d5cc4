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
        {
            "max_line_chars": 37,
            "max_lines": 2,
            "max_chars_per_second": 17,
            "min_seconds": 1,
            "close_gaps_seconds": 1.0,
        },
        "BBC Subtitle Guidelines (bbc.co.uk/accessibility/forproducts/guides/subtitles), sections 3.1 (37 characters, "
        "because 3 of the 40 bytes of a teletext row are control codes; online at most 68 % of the width), 3.3 (two "
        "lines), 4 (160 to 180 words a minute: 17 characters a second, at 4.7 letters and a space a word) and 4.5 (a "
        "gap lasts a second at least, or there is none). The guide asks for 0.3 s a word instead of a shortest time; "
        "that of a second is ours",
    ),
    "netflix": Preset(
        {
            "max_line_chars": 42,
            "max_lines": 2,
            "min_seconds": 0.834,
            "max_seconds": 7,
            "max_chars_per_second": 20,
            "gap_seconds": 0.084,
            "close_gaps_seconds": 0.5,
        },
        "Netflix Timed Text Style Guide, General Requirements (1 and 4: 5/6 to 7 s, two lines), Subtitle Timing "
        "Guidelines (two "
        "frames between cues, here at 24 a second; gaps of up to half a second are closed to that) and the guides of "
        "the languages: 42 characters and 20 a second in English, 17 in most others; Japanese 13 and 4, Chinese 16 "
        "and 9, Korean 16 and 12",
    ),
    "ebu": Preset(
        {"max_line_chars": 37, "max_lines": 2, "gap_seconds": 0.08},
        "EBU Tech 3264 (STL), for teletext: rows of 40 columns, of which control codes take three; two rows. It has "
        "no rule for gaps or reading speed: two frames at 25 a second between cues are usual, speed and times are the "
        "defaults",
    ),
    "tedtalk": Preset(
        {"max_line_chars": 42, "max_lines": 2, "min_seconds": 1, "max_seconds": 7, "max_chars_per_second": 21},
        "TED Translators Cheat-sheet (translations.ted.com, revision of November 2016): 42 characters, two lines, 1 to "
        "7 s, 21 characters a second, for Latin script; less for others",
    ),
}


def with_preset(subtitles: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a ``subtitles`` section with the values of its preset for all keys that have their default.

    A key with its default counts as not given, because ``config/config.yaml`` spells all defaults out.
    """
    values = PRESETS[subtitles["preset"]].values
    return {key: values.get(key, value) if value == defaults[key] else value for key, value in subtitles.items()}
