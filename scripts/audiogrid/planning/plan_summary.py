"""What a plan amounts to, as lines for a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audiogrid.core.timebase import SAMPLE_RATE, to_seconds
from audiogrid.records.plan import Plan

if TYPE_CHECKING:
    from audiogrid.planning.store_preview import Foresight
    from audiogrid.records.prices import Prices

# Remarks that are shown at once.
_REMARKS = 5


def core_seconds(audio: int, speed_per_core: float) -> float:
    """Core-seconds to decode ``audio`` samples at a speed given as a multiple of real time per core."""
    return to_seconds(audio) / speed_per_core


@dataclass(frozen=True)
class Speed:
    """What a model decodes per core, as a multiple of real time, and where that figure comes from."""

    per_core: float
    source: str


def describe(
    plan: Plan,
    speeds: Mapping[str, Speed],
    cores: int,
    foresight: Foresight | None = None,
    prices: Prices | None = None,
) -> list[str]:
    """What the plan amounts to, as lines for a person.

    ``speeds``: of every model of the plan, by name. ``foresight``: what of it is done already; the estimate is for
    the rest then. ``prices``: for the cost of its core-hours.
    """
    audio = plan.audio_by_model()
    used = {model: audio[model] for model in plan.models if audio.get(model)} or {plan.settings.model: 0}
    waiting = used if foresight is None else foresight.waiting
    core_hours = sum(core_seconds(samples, speeds[model].per_core) for model, samples in waiting.items()) / 3600
    price = prices.core_hour if prices else 0
    chunks = sum(len(recording.chunk_ids) for recording in plan.recordings)
    sources = "; ".join(dict.fromkeys(speeds[model].source for model in used))
    rejected = f", {plan.rejected} rejected" if plan.rejected else ""
    return [
        f"recordings   {len(plan.recordings)}{rejected}",
        f"audio        {plan.audio / SAMPLE_RATE / 3600:.2f} h",
        f"chunks       {chunks} in {len(plan.bundles)} bundle(s)",
        *_shard_lines(plan, used),
        *(foresight.lines() if foresight else []),
        f"estimate     {core_hours:.2f} core-hours ({sources}), about {core_hours * 60 / cores:.0f} min "
        f"on {cores} core(s)",
        *([f"cost         {core_hours * price:.2f} {prices.currency}".rstrip()] if prices and price else []),
        *(f"warning      {warning}" for warning in plan.warnings),
        *_remark_lines(plan),
    ]


def _remark_lines(plan: Plan) -> list[str]:
    """The first few remarks on recordings."""
    remarks = [f"{recording.recording}: {remark}" for recording in plan.recordings for remark in recording.remarks]
    more = [f"note         and {len(remarks) - _REMARKS} more"] if len(remarks) > _REMARKS else []
    return [f"note         {remark}" for remark in remarks[:_REMARKS]] + more


def _shard_lines(plan: Plan, audio: Mapping[str, int]) -> list[str]:
    """A line per model; where there are several, with what each has to do."""
    counts = {model: [shard.model for shard in plan.shards].count(model) for model in audio}
    if len(audio) == 1:
        return [f"shards       {count} for model {model}" for model, count in counts.items()]
    recordings = [model for recording in plan.recordings for model in plan.models_of(recording)]
    return [
        f"{'shards' if number == 0 else '':<13}{count} for model {model} "
        f"({recordings.count(model)} recording(s), {audio[model] / SAMPLE_RATE / 3600:.2f} h)"
        for number, (model, count) in enumerate(counts.items())
    ]
