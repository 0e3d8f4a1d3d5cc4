"""How many speakers a recording is asked to have: what the configuration or its table row says of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from audiogrid.core.errors import InputError
from audiogrid.records.plan import Plan, Recording
from audiogrid.records.plan_files.reader import PlanFile

NONE = "none"
AUTO = "auto"


@dataclass(frozen=True)
class SpeakerCount:
    """Bounds for the number of speakers; ``None``: not known."""

    least: int | None = None
    most: int | None = None


def speaker_count(value: Any) -> SpeakerCount | None:
    """Bounds from a value of the configuration or of a table cell; ``None`` where no speakers are asked for.

    ``value``: ``none``, ``auto``, a number, ``2-4``, or ``{count, min, max}``. Raises ``InputError`` for any other.
    """
    if isinstance(value, Mapping):
        found = speaker_count(value.get("count", AUTO))
        if found is None:
            return None
        return SpeakerCount(value.get("min", found.least), value.get("max", found.most))
    text = str(value).strip().lower()
    if text in ("", NONE):
        return None
    if text == AUTO:
        return SpeakerCount()
    match = re.fullmatch(r"([1-9]\d{0,2})(?:\s*-\s*([1-9]\d{0,2}))?", text)
    if match is None or int(match[1]) > int(match[2] or match[1]):
        raise InputError(f"speakers: {value!r} is not understood; write none, auto, a number, or a range such as 2-4")
    return SpeakerCount(int(match[1]), int(match[2] or match[1]))


def link_of(default: Any) -> bool | str:
    """What the key ``speakers`` of the configuration says of linking: a path, ``True`` or ``False``."""
    value = default.get("link", False) if isinstance(default, Mapping) else False
    if isinstance(value, str):
        # Inside braces on the command line everything arrives as text.
        return {"true": True, "false": False}.get(value.strip().lower(), value)
    return bool(value)


def speakers_of(recording: Recording, default: Any) -> SpeakerCount | None:
    """Bounds for one recording: its table row's, else ``default`` (the configuration's). ``None``: not asked for."""
    return speaker_count(recording.columns.get("speakers") or default)


def given_turns(recording: Recording) -> str:
    """Path of the RTTM file that its table row names in place of the stage; empty where it names none."""
    return recording.columns.get("rttm", "")


def is_embedded(recording: Recording, default: Any) -> bool:
    """Whether the stage ``embed`` works on a recording."""
    return not given_turns(recording) and speakers_of(recording, default) is not None


def embedded_chunks(plan: Plan, shard: str, default: Any) -> list[str]:
    """Chunks of a shard whose voices are wanted."""
    return [chunk for chunk in plan.shard[shard].chunks if is_embedded(plan.recording_of_chunk[chunk], default)]


def has_embedded(plan: Plan, shard: str, default: Any) -> bool:
    """Whether the voices of any chunk of a shard are wanted."""
    return any(is_embedded(plan.recording_of_chunk[chunk], default) for chunk in plan.shard[shard].chunks)


def may_have_speakers(plan: Plan | PlanFile, default: Any) -> bool:
    """Whether a recording of a run can be asked to have speakers; no recording is looked at."""
    return not plan.columns.isdisjoint(("rttm", "speakers")) or speaker_count(default) is not None


def has_speakers(plan: Plan | PlanFile, default: Any) -> bool:
    """Whether any recording of a run is asked to have speakers."""
    if "rttm" in plan.columns:
        return True
    if "speakers" not in plan.columns:
        return speaker_count(default) is not None and next(plan.each_recording(), None) is not None
    return any(speakers_of(one, default) is not None for one in plan.each_recording())


def counts_given(plan: Plan | PlanFile) -> dict[str, str]:
    """Returns what table rows say of the number of speakers, by recording."""
    if "speakers" not in plan.columns:
        return {}
    return {one.recording: one.columns["speakers"] for one in plan.each_recording() if one.columns.get("speakers")}
