"""Renders the page of a comparison: error rates, differences and costs of the variants."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiogrid.comparing.comparison import Comparison
from audiogrid.comparing.decoding_cost import DecodingCost, sum_costs
from audiogrid.comparing.rollout_parts import RolloutPart
from audiogrid.config.conditions import ORIGINAL
from audiogrid.export.charts import Lanes, intervals
from audiogrid.export.media_links import media_url
from audiogrid.export.template import clock, percent, render, span
from audiogrid.records.prices import Prices
from audiogrid.scoring.bootstrap import RESAMPLES, Interval
from audiogrid.scoring.error_rates import GroupFigures, VariantFigures
from audiogrid.scoring.score_recording import ScoredRecording, TimedPassage

# Most passages shown, in total and per condition.
_PASSAGES = 24
_PER_CONDITION = 6
_KINDS = ("bar", "k1", "k2", "k3", "k4", "k5")
_LEFT_OUT = 50


@dataclass(frozen=True)
class ShownPassage:
    """A passage as it is shown on the page."""

    where: str
    condition: str
    time: str
    href: str
    reference: str
    readings: list[tuple[str, list[Any]]]


def rate_text(found: Interval | None, digits: int = 1) -> str:
    """Returns a rate such as ``6.1% (5.2 to 7.0)``."""
    if found is None:
        return "–"
    if found.low is None or found.high is None:
        return percent(found.value, digits)
    return f"{percent(found.value, digits)} ({100 * found.low:.{digits}f} to {100 * found.high:.{digits}f})"


def difference_text(found: Interval | None) -> str:
    """Returns a difference such as ``-0.9 (-1.6 to -0.2)``, in percentage points."""
    if found is None:
        return "–"
    text = _signed(found.value)
    return (
        text if found.low is None or found.high is None else f"{text} ({_signed(found.low)} to {_signed(found.high)})"
    )


def _signed(value: float) -> str:
    return f"{100 * value:+.1f}".replace("-", "\N{MINUS SIGN}").replace("+0.0", "0.0")


def is_clear(found: Interval | None) -> bool:
    """Whether an interval excludes 0."""
    return found is not None and found.low is not None and found.high is not None and not found.low <= 0 <= found.high


def _points(difference: Interval) -> str:
    return f"{abs(100 * difference.value):.1f} points {'better' if difference.value < 0 else 'worse'}"


def _elsewhere(groups: Sequence[GroupFigures], variant: str, unit: str) -> str:
    """Returns a sentence on conditions under which a variant clearly differs from the baseline."""
    found = [
        f"{_points(figure.difference)} with {group.value}"
        for group in groups
        for figure in group.figures
        if group.value != ORIGINAL and group.unit == unit and figure.variant == variant
        if figure.difference is not None and is_clear(figure.difference)
    ]
    return f" Clearly {', '.join(found)}." if found else ""


def _verdict(
    group: GroupFigures, figure: VariantFigures, baseline: VariantFigures, speeds: Mapping[str, float | None]
) -> str:
    """Returns one sentence that compares a variant with the baseline."""
    what = "word" if group.unit == "words" else "character"
    if figure.rate is None or baseline.rate is None or figure.difference is None:
        text = f"differs from {baseline.variant} in {percent(figure.apart.value)} of the {group.unit}"
    else:
        text = f"{percent(figure.rate.value)} {what} error rate against {percent(baseline.rate.value)}: "
        if figure.difference.value == 0 and figure.apart.value == 0:
            text += "the very same texts"
        elif figure.difference.value == 0:
            text += "no difference"
        else:
            text += _points(figure.difference)
            text += ", more than chance explains" if is_clear(figure.difference) else ", which may be chance"
        if figure.chance is not None and 0 < figure.chance < 1:
            text += f" (better in {percent(figure.chance, 0)} of the draws)"
    mine, theirs = speeds[figure.variant], speeds[baseline.variant]
    if mine and theirs:
        ratio = mine / theirs
        text += f"; {ratio:.2g} times as fast" if not 0.95 <= ratio <= 1.05 else "; as fast"
    return text + "."


def _chart(groups: Sequence[GroupFigures], variants: Sequence[str]) -> Lanes | None:
    """Returns a chart of error rates with intervals, a lane per condition and variant."""
    rows = []
    kinds = []
    for group in groups:
        for number, figure in enumerate(group.figures):
            if figure.rate is None:
                continue
            low = figure.rate.value if figure.rate.low is None else figure.rate.low
            high = figure.rate.value if figure.rate.high is None else figure.rate.high
            # Only the first lane of a condition has its name.
            name = group.value if number == 0 else ""
            rows.append((name, low, figure.rate.value, high, percent(figure.rate.value)))
            kinds.append(_KINDS[number % len(_KINDS)])
    if not rows:
        return None
    lanes = intervals(rows, lambda value: percent(value, 0), kinds=kinds, low=0.0)
    return Lanes(lanes.lanes, lanes.ticks, dict(zip(_KINDS, variants, strict=False)), lanes.axis)


def _address(path: str, folder: Path, at: float) -> str:
    """Returns the URL of a second of a recording, relative to a page in ``folder``."""
    target = media_url(path, folder)
    return f"{target}#t={at:.1f}" if target else ""


def _shown(one: ScoredRecording, found: TimedPassage, folder: Path, referenced: bool) -> ShownPassage:
    readings = found.passage.readings
    first = next(iter(readings.values()))
    return ShownPassage(
        where=one.recording,
        condition=one.condition,
        time=clock(found.at),
        href=_address(one.path, folder, found.at),
        reference=" ".join(piece.wanted for piece in first if piece.wanted) if referenced else "",
        readings=list(readings.items()),
    )


def passages(judged: Sequence[ScoredRecording], folder: Path) -> list[ShownPassage]:
    """Returns the passages in which variants differ most, over all recordings."""
    ordered = sorted(
        ((found.passage.score, number, one, found) for number, one in enumerate(judged) for found in one.passages),
        key=lambda entry: (-entry[0], entry[1], entry[3].passage.start),
    )
    counts: dict[str, int] = {}
    chosen: list[ShownPassage] = []
    for _, _, one, found in ordered:
        if counts.get(one.condition, 0) < _PER_CONDITION and len(chosen) < _PASSAGES:
            counts[one.condition] = counts.get(one.condition, 0) + 1
            chosen.append(_shown(one, found, folder, bool(one.scores)))
    return chosen


def _costs(result: Comparison, prices: Prices | None) -> list[dict[str, Any]]:
    rows = []
    for name in result.variants:
        effort = sum_costs(result.effort[name].values())
        rows.append(
            {
                "variant": name,
                "model": result.models[name],
                "speed": effort.speed,
                "cores": effort.core_seconds / effort.audio * 3600 if effort.audio else None,
                "gpus": effort.gpu_seconds / effort.audio * 3600 if effort.audio else None,
                "memory": effort.memory_mb or None,
                "cost": effort.price(prices) if prices else None,
                "audio": effort.audio,
            }
        )
    return rows


def _changes(changes: Mapping[str, Any]) -> str:
    """Returns what a variant changes, as in the configuration."""
    flat = {key: value for key, value in changes.items() if key != "decoding"} | dict(changes.get("decoding", {}))
    return ", ".join(f"{key}: {value if isinstance(value, str) else json.dumps(value)}" for key, value in flat.items())


def _part_name(part: RolloutPart) -> str:
    return f"rolled out: {part.variant}" if part.variant else "all others"


def compare_page(
    result: Comparison, folder: Path, prices: Prices | None = None, parts: Sequence[RolloutPart] = ()
) -> str:
    """Returns the HTML of the page. ``folder``: of the page, for its links; ``parts``: of a rollout, if any."""
    conditions = [group for group in result.groups if group.kind == "condition"]
    speeds = {name: sum_costs(result.effort[name].values()).speed for name in result.variants}
    original = [group for group in conditions if group.value == ORIGINAL]
    verdicts = [
        (
            figure.variant,
            group.unit,
            _verdict(group, figure, group.figures[0], speeds) + _elsewhere(conditions, figure.variant, group.unit),
        )
        for group in original
        for figure in group.figures[1:]
    ]
    charts = [
        (unit, chart)
        for unit in ("words", "characters")
        if (chart := _chart([g for g in conditions if g.unit == unit], list(result.variants)))
    ]
    seconds = sum(one.seconds for one in result.judged if one.condition == ORIGINAL)
    return render(
        "compare.html",
        run=result.run,
        variants={name: _changes(changes) for name, changes in result.variants.items()},
        models=result.models,
        baseline=next(iter(result.variants)),
        figures=[
            (len(result.variants), "variants"),
            (sum(one.condition == ORIGINAL for one in result.judged), "recordings"),
            (span(seconds), "of audio"),
            (len({group.value for group in conditions}), "conditions"),
            (sum(bool(one.scores) for one in result.judged if one.condition == ORIGINAL), "with a reference"),
        ],
        verdicts=verdicts,
        same=result.same,
        charts=charts,
        tables=[("By condition", conditions)]
        + [
            (kind.removeprefix("column ").capitalize(), [group for group in result.groups if group.kind == kind])
            for kind in dict.fromkeys(group.kind for group in result.groups)
            if kind != "condition"
        ],
        with_references=any(group.referenced for group in conditions),
        too_few=any(f.rate is not None and f.rate.low is None for group in original for f in group.figures),
        several_units=len({group.unit for group in result.groups}) > 1,
        costs=_costs(result, prices),
        has_gpus=any(effort.gpu_seconds for by in result.effort.values() for effort in by.values()),
        currency=(prices.currency or "Cost") if prices and (prices.core_hour or prices.gpu_hour) else "",
        passages=passages(result.judged, folder),
        parts=[(_part_name(part), part) for part in parts],
        left_out=result.left_out[:_LEFT_OUT],
        left_out_more=max(0, len(result.left_out) - _LEFT_OUT),
        resamples=RESAMPLES,
        rate_text=rate_text,
        difference_text=difference_text,
        is_clear=is_clear,
        effort_speed=lambda effort: _speed_text(effort),
    )


def _speed_text(effort: DecodingCost) -> str:
    return f"{effort.speed:.1f}" if effort.speed else "–"
