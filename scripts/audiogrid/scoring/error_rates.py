"""Error rates of variants per group of recordings, with intervals, differences and chances."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audiogrid.scoring.bootstrap import BootstrapRates, Interval, bootstrap_rates
from audiogrid.scoring.score_recording import Score, ScoredRecording, group_recordings

# With fewer recordings the bootstrap draws passages of them instead.
ENOUGH_RECORDINGS = 30


@dataclass(frozen=True)
class VariantFigures:
    """Figures of one variant in one group.

    ``rate``: errors per token against the references (``None`` without any), ``difference`` from the baseline's and
    the ``chance`` that the variant is the better one. ``apart``: tokens per token of the baseline that differ.
    """

    variant: str
    rate: Interval | None
    substitutions: int
    deletions: int
    insertions: int
    difference: Interval | None
    chance: float | None
    apart: Interval


@dataclass(frozen=True)
class GroupFigures:
    """A group of recordings with the figures of each variant, the baseline first.

    ``seconds``: audio; ``tokens``: words or characters (``unit``) of the references; ``units``: what the bootstrap
    drew from (``recordings`` or ``passages``), ``drawn``: how many.
    """

    kind: str
    value: str
    unit: str
    recordings: int
    referenced: int
    seconds: float
    tokens: int
    units: str
    drawn: int
    figures: list[VariantFigures]


def _table(
    members: Sequence[ScoredRecording],
    variants: Sequence[str],
    scores: Callable[[ScoredRecording], dict[str, Score]],
    tokens: Callable[[ScoredRecording], NDArray[np.float64]],
) -> tuple[BootstrapRates, str]:
    """Returns the rates over recordings, or over blocks of them where there are few recordings."""
    whole = len(members) >= ENOUGH_RECORDINGS
    errors = np.array(
        [
            np.concatenate(
                [
                    np.atleast_1d(scores(one)[name].errors.sum() if whole else scores(one)[name].errors)
                    for one in members
                ]
            )
            for name in variants
        ]
    )
    weights = np.concatenate([np.atleast_1d(tokens(one).sum() if whole else tokens(one)) for one in members])
    return bootstrap_rates(errors, weights), "recordings" if whole else "passages"


def _tokens(one: ScoredRecording) -> NDArray[np.float64]:
    return one.tokens if one.tokens is not None else np.zeros(0)


def make_group(kind: str, value: str, members: Sequence[ScoredRecording], variants: Sequence[str]) -> GroupFigures:
    """Returns the figures of recordings counted in the same unit. ``variants``: the baseline first."""
    known = [one for one in members if one.scores]
    apart, units = _table(members, variants, lambda one: one.apart, lambda one: one.base_tokens)
    drawn = apart.units
    found: BootstrapRates | None = None
    if known:
        found, units = _table(known, variants, lambda one: one.scores, _tokens)
        drawn = found.units
    figures = []
    for number, name in enumerate(variants):
        has_rate = found is not None and not np.isnan(found.rates[number])
        figures.append(
            VariantFigures(
                variant=name,
                rate=found.rate(number) if found is not None and has_rate else None,
                substitutions=sum(one.scores[name].substitutions for one in known),
                deletions=sum(one.scores[name].deletions for one in known),
                insertions=sum(one.scores[name].insertions for one in known),
                difference=found.difference(number, 0) if found is not None and has_rate and number else None,
                chance=found.chance_of_better(number, 0) if found is not None and number else None,
                apart=apart.rate(number),
            )
        )
    return GroupFigures(
        kind=kind,
        value=value,
        unit=members[0].unit,
        recordings=len(members),
        referenced=len(known),
        seconds=sum(one.seconds for one in members),
        tokens=int(sum(_tokens(one).sum() for one in known)),
        units=units,
        drawn=drawn,
        figures=figures,
    )


def all_groups(judged: Sequence[ScoredRecording], variants: Sequence[str]) -> list[GroupFigures]:
    """Returns the figures of every group of ``group_recordings``; words and characters are never added up."""
    return [
        make_group(kind, value, same, variants)
        for kind, value, members in group_recordings(judged)
        for unit in ("words", "characters")
        if (same := [one for one in members if one.unit == unit])
    ]
