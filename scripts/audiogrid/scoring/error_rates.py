"""From judged recordings to figures per group and variant: rates, intervals, differences, chances."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audiogrid.scoring.bootstrap import Interval, Rates, rates
from audiogrid.scoring.score_recording import Judged, Score, groups

# Below this many recordings, passages of them are drawn instead: too few draws say nothing.
ENOUGH_RECORDINGS = 30


@dataclass(frozen=True)
class Figure:
    """How one variant did in one group.

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
class Group:
    """Recordings that belong together, with a figure per variant, the baseline's first.

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
    figures: list[Figure]


def _table(
    members: Sequence[Judged],
    variants: Sequence[str],
    scores: Callable[[Judged], dict[str, Score]],
    tokens: Callable[[Judged], NDArray[np.float64]],
) -> tuple[Rates, str]:
    """Rates over recordings, or over blocks of them where recordings are few."""
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
    return rates(errors, weights), "recordings" if whole else "passages"


def _tokens(one: Judged) -> NDArray[np.float64]:
    return one.tokens if one.tokens is not None else np.zeros(0)


def make_group(kind: str, value: str, members: Sequence[Judged], variants: Sequence[str]) -> Group:
    """Figures of recordings that are counted in the same unit. ``variants``: the baseline first."""
    known = [one for one in members if one.scores]
    apart, units = _table(members, variants, lambda one: one.apart, lambda one: one.base_tokens)
    drawn = apart.units
    found: Rates | None = None
    if known:
        found, units = _table(known, variants, lambda one: one.scores, _tokens)
        drawn = found.units
    figures = []
    for number, name in enumerate(variants):
        has_rate = found is not None and not np.isnan(found.rates[number])
        figures.append(
            Figure(
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
    return Group(
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


def all_groups(judged: Sequence[Judged], variants: Sequence[str]) -> list[Group]:
    """Every group of ``judging.groups``; words and characters are never added up."""
    return [
        make_group(kind, value, same, variants)
        for kind, value, members in groups(judged)
        for unit in ("words", "characters")
        if (same := [one for one in members if one.unit == unit])
    ]
