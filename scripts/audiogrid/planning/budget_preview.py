"""How far a call of the command gets with its budget: what `snakemake plan` says of it."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence

from audiogrid.config.budget import Budget
from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.planning.priorities import by_priority, priority_of
from audiogrid.records.plan import Recording


def budget_lines(
    budget: Budget,
    core_hours: float,
    recordings: Sequence[Recording],
    waiting: Mapping[str, int] | None,
    cores: int,
    now: datetime.datetime,
) -> list[str]:
    """Returns the lines of a plan on its budget; none without one. Raises ``InputError`` where its time has passed.

    ``core_hours``: that all of it is expected to take. ``waiting``: samples to decode, by recording; ``None``: all.
    ``cores``: of this machine, for a budget that ends at a time.
    """
    if not budget.is_limited:
        return []
    parts, shares = [], []
    if budget.core_hours is not None:
        parts.append(f"{budget.core_hours:g} core-hours")
        shares.append(budget.core_hours / core_hours if core_hours else math.inf)
    if budget.gpu_hours is not None:
        parts.append(f"{budget.gpu_hours:g} GPU-hours (how far they get is seen in the run)")
    if (end := budget.deadline(now)) is not None:
        hours = (end - now).total_seconds() / 3600
        parts.append(f"until {end:%Y-%m-%d %H:%M}, {hours:.1f} h on {cores} core(s)")
        shares.append(hours * cores / core_hours if core_hours else math.inf)
    said = ", ".join(parts)
    if not shares:
        return [f"budget       {said}"]
    share = min(shares)
    if share >= 1:
        return [f"budget       {said}: enough for all of it"]
    reached, samples = _reached(by_priority(recordings), waiting, share)
    lowest = priority_of(reached[-1]) if reached else 0
    told = f", down to priority {lowest}" if any(map(priority_of, recordings)) and reached else ""
    # The smallest numbers have no inverse.
    calls = f", {math.ceil(1 / share):,} calls like it in all" if budget.comes_again and share > 1e-9 else ""
    return [
        f"budget       {said}: about {share:.0%} of it, {samples / SAMPLE_RATE / 3600:.2f} h of "
        f"{len(reached)} recording(s){told}{calls}"
    ]


def _reached(
    recordings: Sequence[Recording], waiting: Mapping[str, int] | None, share: float
) -> tuple[list[Recording], float]:
    """Returns the recordings, in their order, that a share of the work finishes, and the samples of that share."""
    left = {one.recording: one.audio if waiting is None else waiting.get(one.recording, 0) for one in recordings}
    samples = share * sum(left.values())
    found, used = [], 0
    for one in recordings:
        used += left[one.recording]
        if used > samples:
            break
        if left[one.recording]:
            found.append(one)
    return found, samples
