"""Chooses recordings for comparisons and rollouts by hash, so that adding recordings changes few choices."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from audiogrid.core.errors import InputError
from audiogrid.core.timebase import SAMPLE_RATE


def stable_fraction(recording: str, seed: object) -> float:
    """Returns a number in [0, 1) that depends on the recording's id and the seed only."""
    digest = hashlib.sha256(f"{seed}\0{recording}".encode()).digest()
    # A float holds 53 bits exactly.
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53


#: Larger samples are mistakes.
_MOST = 1e9


@dataclass(frozen=True)
class Sample:
    """Size of a sample: a number of ``recordings``, ``minutes`` of audio, or everything when both are ``None``."""

    recordings: int | None = None
    minutes: float | None = None


def parse_sample(value: str | int | float) -> Sample:
    """Parse ``all``, ``40`` (recordings) or ``90 min``. Raises ``InputError`` for anything else."""
    text = str(value).strip().lower()
    if text == "all":
        return Sample()
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(|recordings?|m|min|minutes?|h|hours?)", text)
    if match and float(match[1]) > 0:
        number, what = float(match[1]), match[2]
        if number > _MOST:
            raise InputError(f"compare.sample: {str(value)[:40]} is out of range; write all to take everything")
        if what[:1] in ("m", "h"):
            return Sample(minutes=number * (60 if what[0] == "h" else 1))
        if number == int(number):
            return Sample(recordings=int(number))
    raise InputError(
        f"compare.sample: {value!r} is not an amount; write all, a number of recordings (40), "
        "or minutes or hours of audio (90 min, 2 h)"
    )


def choose_sample(
    recordings: Sequence[Mapping[str, Any]],
    sample: Sample,
    seed: int,
    preferred: Callable[[Mapping[str, Any]], bool] = lambda _: False,
) -> list[Mapping[str, Any]]:
    """Returns the sample in the order of ``recordings`` (entries of ``probe.json``).

    ``preferred`` recordings are taken first, the others in the order of a hash of seed and id: adding a recording
    displaces at most one. A sample in minutes skips recordings longer than the time left; when all are longer, it
    is the shortest recording.
    """
    ordered = sorted(recordings, key=lambda item: (not preferred(item), stable_fraction(item["recording"], seed)))
    chosen: set[str] = set()
    if sample.minutes is not None:
        left = sample.minutes * 60 * SAMPLE_RATE
        for item in ordered:
            if item["duration"] <= left:
                chosen.add(item["recording"])
                left -= item["duration"]
        if not chosen and ordered:
            chosen.add(min(ordered, key=lambda item: item["duration"])["recording"])
    else:
        chosen = {item["recording"] for item in ordered[: sample.recordings]}
    return [item for item in recordings if item["recording"] in chosen]


def parse_share(value: str | int | float) -> float:
    """Parse ``10 %``, ``10%`` or ``0.1`` as 0.1. Raises ``InputError`` for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(%?)", str(value).strip())
    share = float(match[1]) / (100 if match[2] else 1) if match else -1.0
    if not 0 <= share <= 1:
        raise InputError(f"rollout.share: {value!r} is not a share; write a percentage (10 %) or a number from 0 to 1")
    return share


def is_rolled_out(recording: str, share: float) -> bool:
    """Returns whether a recording belongs to ``share`` of all recordings. It then belongs to all larger ones, too."""
    return stable_fraction(recording, "rollout") < share
