"""Writes ``compare.tsv``: the figures of a comparison, a row per group and variant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from audiogrid.comparing.comparison import Comparison
from audiogrid.comparing.decoding_cost import DecodingCost
from audiogrid.core.tsv import write_table
from audiogrid.records.prices import Prices
from audiogrid.scoring.bootstrap import Interval

COLUMNS = (
    *("kind", "group", "variant", "model", "recordings", "with_reference", "audio_s", "unit", "tokens"),
    *("errors", "substitutions", "deletions", "insertions", "rate", "rate_low", "rate_high"),
    *("difference", "difference_low", "difference_high", "chance_better"),
    *("apart_from_baseline", "apart_low", "apart_high", "drawn_from", "drawn"),
    *("speed", "core_seconds_per_hour", "gpu_seconds_per_hour", "memory_mb", "cost_per_hour"),
)


def _number(value: float | None, digits: int = 5) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _interval(found: Interval | None) -> list[str]:
    return ["", "", ""] if found is None else [_number(found.value), _number(found.low), _number(found.high)]


def _effort(effort: DecodingCost | None, prices: Prices | None) -> list[str]:
    if effort is None or not effort.audio:
        return [""] * 5
    hours = effort.audio / 3600
    return [
        _number(effort.speed, 2),
        _number(effort.core_seconds / hours, 1),
        _number(effort.gpu_seconds / hours, 1),
        str(effort.memory_mb or ""),
        _number(effort.price(prices), 4) if prices else "",
    ]


def table_rows(result: Comparison, prices: Prices | None = None) -> Iterator[list[Any]]:
    """Yields rows in the order of ``COLUMNS``."""
    for group in result.groups:
        for figure in group.figures:
            effort = result.effort[figure.variant].get(group.value) if group.kind == "condition" else None
            errors = figure.substitutions + figure.deletions + figure.insertions
            counts = (
                [errors, figure.substitutions, figure.deletions, figure.insertions] if group.referenced else [""] * 4
            )
            yield [
                *(group.kind, group.value, figure.variant, result.models[figure.variant]),
                *(group.recordings, group.referenced, _number(group.seconds, 3), group.unit, group.tokens),
                *counts,
                *_interval(figure.rate),
                *_interval(figure.difference),
                _number(figure.chance, 4),
                *_interval(figure.apart),
                *(group.units, group.drawn),
                *_effort(effort, prices),
            ]


def write_compare_table(path: Path, result: Comparison, prices: Prices | None = None) -> None:
    """Write ``compare.tsv``."""
    write_table(path, COLUMNS, table_rows(result, prices))
