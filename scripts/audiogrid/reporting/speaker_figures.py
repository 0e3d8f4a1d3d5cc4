"""What the report says of speakers: voices per recording, which numbers are doubtful, overlap, and what it took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from audiogrid.export.charts import Lanes, bars
from audiogrid.reporting.attempts import Attempt
from audiogrid.reporting.bundle_sum import MOST_SPEAKERS, SpeakerSum


@dataclass(frozen=True)
class SpeakerFigures:
    """``recordings`` with speakers asked for, and their ``voices`` in all; ``counts``: chart of voices per recording.

    ``doubtful``: recordings with a doubtful number, and why, the most doubtful first; ``more``: how many are left out.
    ``overlap``: mean share of the time with speech in which several talk. ``audio``, ``core_seconds``: embedded now.
    """

    recordings: int
    voices: int
    counts: Lanes | None
    doubtful: list[tuple[str, str]]
    more: int
    overlap: float
    audio: float
    core_seconds: float


def _why(row: Mapping[str, Any]) -> str:
    """Returns why the number of speakers of a recording is doubtful; empty where it is not."""
    near, brief = int(row["doubtful_speakers"] or 0), int(row["brief_speakers"] or 0)
    reasons = []
    if near:
        reasons.append(f"{near} of {row['speakers']} are so like another that they may be one person")
    if brief:
        verb = "has" if brief == 1 else "have"
        reasons.append(f"{brief} {verb} less than 10 s of speech")
    return "; ".join(reasons)


def speaker_figures(found: SpeakerSum, attempts: Sequence[Attempt]) -> SpeakerFigures | None:
    """Returns the figures; ``None`` where no speakers are asked for.

    ``found``: sum over the recordings; ``attempts``: at embedding.
    """
    if not found.asked:
        return None
    entries = [
        (f"{count}{' or more' if count == MOST_SPEAKERS else ''} speaker{'' if count == 1 else 's'}", number)
        for count, number in sorted((int(name), number) for name, number in found.counts.items())
    ]
    return SpeakerFigures(
        found.asked,
        found.voices,
        bars([(name, float(number), str(number)) for name, number in entries]) if found.asked > 1 else None,
        [(row["recording"], _why(row)) for row in found.examples],
        found.doubtful - len(found.examples),
        found.overlap / found.spoken if found.spoken else 0.0,
        sum(attempt.audio for attempt in attempts),
        sum(attempt.busy * attempt.threads for attempt in attempts),
    )
