"""Describes a plan in lines of text: what `snakemake plan` prints."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audiogrid.core.timebase import SAMPLE_RATE, to_seconds
from audiogrid.planning.budget_preview import budget_lines
from audiogrid.records.plan import Plan
from audiogrid.records.texts import aligned_chunks, given_text

if TYPE_CHECKING:
    from audiogrid.config.budget import Budget
    from audiogrid.planning.store_preview import StorePreview
    from audiogrid.planning.voices_preview import VoicesPreview
    from audiogrid.records.prices import Prices

# Most remarks shown.
_REMARKS = 5


def core_seconds(audio: int, speed_per_core: float) -> float:
    """Returns the core-seconds to decode ``audio`` samples at a speed given as a multiple of real time per core."""
    return to_seconds(audio) / speed_per_core


@dataclass(frozen=True)
class ModelSpeed:
    """Speed of a model. ``per_core``: multiple of real time on one core; ``source``: where it comes from."""

    per_core: float
    source: str


def plan_summary_lines(
    plan: Plan,
    speeds: Mapping[str, ModelSpeed],
    cores: int,
    preview: StorePreview | None = None,
    prices: Prices | None = None,
    voices: VoicesPreview | None = None,
    budget: Budget | None = None,
) -> list[str]:
    """Returns the lines that describe a plan.

    ``speeds``: of every model of the plan, by name. ``preview``: what the store holds already; the estimate is then
    for the rest. ``prices``: for the cost of the core-hours. ``voices``: what embedding voices adds to them.
    ``budget``: of one call; it is said how far that gets.
    """
    audio = plan.audio_by_model()
    used = {model: audio[model] for model in plan.models if audio.get(model)} or {plan.settings.model: 0}
    waiting = used if preview is None else preview.waiting
    seconds = sum(core_seconds(samples, speeds[model].per_core) for model, samples in waiting.items())
    core_hours = (seconds + (voices.core_seconds if voices else 0)) / 3600
    price = prices.core_hour if prices else 0
    chunks = sum(recording.chunks * len(recording.tracks) for recording in plan.recordings)
    sources = "; ".join(dict.fromkeys(speeds[model].source for model in used))
    rejected = f", {plan.rejected} rejected" if plan.rejected else ""
    return [
        f"recordings   {len(plan.recordings)}{rejected}",
        f"audio        {plan.audio / SAMPLE_RATE / 3600:.2f} h",
        f"chunks       {chunks} in {len(plan.bundles)} bundle(s)",
        *_shard_lines(plan, used),
        *(preview.lines() if preview else []),
        *(voices.lines() if voices else []),
        *_text_lines(plan),
        f"estimate     {core_hours:.2f} core-hours ({sources}), about {core_hours * 60 / cores:.0f} min "
        f"on {cores} core(s)",
        *([f"cost         {core_hours * price:.2f} {prices.currency}".rstrip()] if prices and price else []),
        *_budget_lines(budget, core_hours, plan, preview, cores),
        *(f"warning      {warning}" for warning in plan.warnings),
        *_remark_lines(plan),
    ]


def _budget_lines(
    budget: Budget | None, core_hours: float, plan: Plan, preview: StorePreview | None, cores: int
) -> list[str]:
    if budget is None:
        return []
    now = datetime.datetime.now().astimezone()
    waiting = None if preview is None else preview.recordings
    return budget_lines(budget, core_hours, plan.recordings, waiting, cores, now)


def _text_lines(plan: Plan) -> list[str]:
    """Returns a line for the recordings whose text is given."""
    count = sum(bool(given_text(recording)) for recording in plan.recordings)
    jobs = sum(bool(aligned_chunks(plan, shard.shard)) for shard in plan.shards)
    return [f"texts        of {count} recording(s), aligned in {jobs} job(s); not in the estimate"] if count else []


def _remark_lines(plan: Plan) -> list[str]:
    """Returns lines for the first remarks on recordings."""
    told = "\n".join(plan.warnings)
    remarks = [
        f"{recording.recording}: {remark}"
        for recording in plan.recordings
        for remark in recording.remarks
        if remark not in told
    ]
    more = [f"note         and {len(remarks) - _REMARKS} more"] if len(remarks) > _REMARKS else []
    return [f"note         {remark}" for remark in remarks[:_REMARKS]] + more


def _shard_lines(plan: Plan, audio: Mapping[str, int]) -> list[str]:
    """Returns a line per model; with several models each line has its recordings and hours."""
    counts = {model: [shard.model for shard in plan.shards].count(model) for model in audio}
    if len(audio) == 1:
        return [f"shards       {count} for model {model}" for model, count in counts.items()]
    recordings = [model for recording in plan.recordings for model in plan.models_of(recording)]
    return [
        f"{'shards' if number == 0 else '':<13}{count} for model {model} "
        f"({recordings.count(model)} recording(s), {audio[model] / SAMPLE_RATE / 3600:.2f} h)"
        for number, (model, count) in enumerate(counts.items())
    ]
