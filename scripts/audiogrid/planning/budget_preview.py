"""How far a call of the command gets with its budget: what `snakemake plan` says of it."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from audiogrid.config.budget import Budget
from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.planning.priorities import priority_of
from audiogrid.records.plan import Recording


def budget_lines(
    budget: Budget,
    core_hours: float,
    recordings: Iterable[Recording],
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
    # Little is kept of each.
    work = [
        _Work(priority_of(one), one.audio if waiting is None else waiting.get(one.recording, 0)) for one in recordings
    ]
    work.sort(key=lambda one: -one.priority)
    reached, samples = _reached(work, share)
    told = f", down to priority {reached[-1].priority}" if any(one.priority for one in work) and reached else ""
    # The smallest numbers have no inverse.
    calls = f", {math.ceil(1 / share):,} calls like it in all" if budget.comes_again and share > 1e-9 else ""
    return [
        f"budget       {said}: about {share:.0%} of it, {samples / SAMPLE_RATE / 3600:.2f} h of "
        f"{len(reached)} recording(s){told}{calls}"
    ]


class _Work(NamedTuple):
    """What a recording needs. ``samples``: to decode."""

    priority: int
    samples: int


def _reached(work: Sequence[_Work], share: float) -> tuple[list[_Work], float]:
    """Returns what a share of the work finishes, in its order, and the samples of that share."""
    samples = share * sum(one.samples for one in work)
    found, used = [], 0
    for one in work:
        used += one.samples
        if used > samples:
            break
        if one.samples:
            found.append(one)
    return found, samples
