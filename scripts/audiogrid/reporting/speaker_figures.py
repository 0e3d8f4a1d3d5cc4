"""What the report says of speakers: voices per recording, which numbers are doubtful, overlap, and what it took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from audiogrid.export.charts import Lanes, bars
from audiogrid.reporting.attempts import Attempt

# Most recordings of which it is said why their number of speakers is doubtful.
_LISTED = 20
# Recordings with more speakers are counted together.
_MOST = 12


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


def speaker_figures(rows: Sequence[Mapping[str, Any]], attempts: Sequence[Attempt]) -> SpeakerFigures | None:
    """Returns the figures; ``None`` where no speakers are asked for.

    ``rows``: of the summary; ``attempts``: at embedding.
    """
    asked = [row for row in rows if row.get("speakers") not in (None, "")]
    if not asked:
        return None
    counts = Counter(min(_MOST, int(row["speakers"])) for row in asked)
    entries = [
        (f"{count}{' or more' if count == _MOST else ''} speaker{'' if count == 1 else 's'}", number, str(number))
        for count, number in sorted(counts.items())
    ]
    doubtful = sorted(
        (-int(row["doubtful_speakers"] or 0), -int(row["brief_speakers"] or 0), row["recording"], _why(row))
        for row in asked
        if _why(row)
    )
    spoken = [row for row in asked if int(row["speakers"])]
    return SpeakerFigures(
        len(asked),
        sum(int(row["speakers"]) for row in asked),
        bars([(name, float(number), text) for name, number, text in entries]) if len(asked) > 1 else None,
        [(name, why) for _, _, name, why in doubtful[:_LISTED]],
        max(0, len(doubtful) - _LISTED),
        sum(float(row["overlap_share"] or 0) for row in spoken) / len(spoken) if spoken else 0.0,
        sum(attempt.audio for attempt in attempts),
        sum(attempt.busy * attempt.threads for attempt in attempts),
    )
