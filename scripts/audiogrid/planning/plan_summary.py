"""Describes a plan in lines of text: what `snakemake plan` prints."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from audiogrid.core.timebase import SAMPLE_RATE, to_seconds
from audiogrid.planning.budget_preview import budget_lines
from audiogrid.records.plan import Plan
from audiogrid.records.plan_files.reader import PlanFile
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


@dataclass
class _Counts:
    """What is told of all recordings. ``remarks``: the first ones; ``others``: how many more there are."""

    chunks: int = 0
    texts: int = 0
    models: Counter[str] = field(default_factory=Counter)
    remarks: list[str] = field(default_factory=list)
    others: int = 0

    @classmethod
    def of(cls, plan: Plan | PlanFile) -> _Counts:
        """Returns the counts of a plan; few of its recordings are in memory at a time."""
        found, told = cls(), "\n".join(plan.warnings)
        names = Plan(plan.settings, [], [], [])
        for recording in plan.each_recording():
            found.chunks += recording.chunks * len(recording.tracks)
            found.texts += bool(given_text(recording))
            found.models.update(names.models_of(recording))
            for remark in recording.remarks:
                if remark in told:
                    continue
                if len(found.remarks) < _REMARKS:
                    found.remarks.append(f"{recording.recording}: {remark}")
                else:
                    found.others += 1
        return found


def plan_summary_lines(
    plan: Plan | PlanFile,
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
    counts = _Counts.of(plan)
    sources = "; ".join(dict.fromkeys(speeds[model].source for model in used))
    rejected = f", {plan.rejected} rejected" if plan.rejected else ""
    return [
        f"recordings   {plan.count}{rejected}",
        f"audio        {plan.audio / SAMPLE_RATE / 3600:.2f} h",
        f"chunks       {counts.chunks} in {len(plan.bundles)} bundle(s)",
        *_shard_lines(plan, used, counts),
        *(preview.lines() if preview else []),
        *(voices.lines() if voices else []),
        *_text_lines(plan, counts),
        f"estimate     {core_hours:.2f} core-hours ({sources}), about {core_hours * 60 / cores:.0f} min "
        f"on {cores} core(s)",
        *([f"cost         {core_hours * price:.2f} {prices.currency}".rstrip()] if prices and price else []),
        *_budget_lines(budget, core_hours, plan, preview, cores),
        *(f"warning      {warning}" for warning in plan.warnings),
        *_remark_lines(counts),
    ]


def _budget_lines(
    budget: Budget | None, core_hours: float, plan: Plan | PlanFile, preview: StorePreview | None, cores: int
) -> list[str]:
    if budget is None or not budget.is_limited:
        return []
    now = datetime.datetime.now().astimezone()
    waiting = None if preview is None else preview.recordings
    return budget_lines(budget, core_hours, plan.each_recording(), waiting, cores, now)


def _text_lines(plan: Plan | PlanFile, counts: _Counts) -> list[str]:
    """Returns a line for the recordings whose text is given."""
    if not counts.texts:
        return []
    jobs = sum(bool(aligned_chunks(plan.of_shard(shard.shard), shard.shard)) for shard in plan.shards)
    return [f"texts        of {counts.texts} recording(s), aligned in {jobs} job(s); not in the estimate"]


def _remark_lines(counts: _Counts) -> list[str]:
    """Returns lines for the first remarks on recordings."""
    more = [f"note         and {counts.others} more"] if counts.others else []
    return [f"note         {remark}" for remark in counts.remarks] + more


def _shard_lines(plan: Plan | PlanFile, audio: Mapping[str, int], recordings: _Counts) -> list[str]:
    """Returns a line per model; with several models each line has its recordings and hours."""
    counts = {model: [shard.model for shard in plan.shards].count(model) for model in audio}
    if len(audio) == 1:
        return [f"shards       {count} for model {model}" for model, count in counts.items()]
    return [
        f"{'shards' if number == 0 else '':<13}{count} for model {model} "
        f"({recordings.models[model]} recording(s), {audio[model] / SAMPLE_RATE / 3600:.2f} h)"
        for number, (model, count) in enumerate(counts.items())
    ]
