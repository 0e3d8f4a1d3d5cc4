"""The options of single formats (``format_options`` in the configuration) and their defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from audiogrid.core.errors import InputError

_TIMECODE = re.compile(r"(\d{2,3}):([0-5]\d):([0-5]\d)(?:[:;.](\d{2}))?")
_ZERO = "00:00:00:00"

#: Defaults by format and option; the schema of the configuration has the same.
DEFAULTS: dict[str, dict[str, Any]] = {
    "srt": {"start": _ZERO, "frames_per_second": 25, "speakers": "name"},
    "vtt": {
        "start": _ZERO,
        "frames_per_second": 25,
        "provenance": True,
        "responsible_party": "",
        "media_identifier": "",
        "date": "",
    },
    "ttml": {"start": _ZERO, "frames_per_second": 25, "profile": "imsc"},
    "docx": {"time_marks": "brackets"},
    "md": {"time_marks": "brackets"},
    "ohms": {"minutes": 1},
}


@dataclass(frozen=True)
class FormatOptions:
    """Options by format, as in the configuration. What is left out has its default."""

    given: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def value(self, name: str, option: str) -> Any:
        """Returns an option of a format."""
        return self.given.get(name, {}).get(option, DEFAULTS[name][option])

    def offset(self, name: str) -> int:
        """Returns what is added to all times of a format, in ms: the time code of the recording's first frame."""
        return parse_timecode(str(self.value(name, "start")), float(self.value(name, "frames_per_second")))


def parse_timecode(text: str, frames_per_second: float) -> int:
    """Returns a time code such as ``10:00:00:12`` in ms. Raises ``InputError`` if it is none."""
    found = _TIMECODE.fullmatch(text)
    frames = int(found[4] or 0) if found else 0
    if found is None or frames >= frames_per_second:
        raise InputError(f"{text!r} is not a time code; write hours:minutes:seconds:frames, in quotes: '10:00:00:00'")
    return 1000 * (3600 * int(found[1]) + 60 * int(found[2]) + int(found[3])) + round(1000 * frames / frames_per_second)


def option_mistakes(options: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Returns a sentence for every time code of a valid ``format_options`` section that is none."""
    found = []
    for name in DEFAULTS:
        if "start" in options.get(name, {}):
            try:
                FormatOptions(options).offset(name)
            except InputError as error:
                found.append(f"format_options.{name}.start: {error}")
    return found


def time_mark(seconds: float, style: str) -> str:
    """Returns the mark before a paragraph that begins at a time, with a space after it; empty for ``none``."""
    whole = int(seconds)
    clock = f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    if style == "maxqda":
        return f"#{clock}-{int(10 * (seconds - whole))}# "
    return f"[{clock}] " if style == "brackets" else ""
