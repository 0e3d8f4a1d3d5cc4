"""Variants: named changes to the configuration that decide how recordings are decoded.

The options of a variant are those of the run with ``variant: <name>``. Comparing it, rolling it out to a share of
the recordings and promoting it to all of them therefore use the same store keys.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from audiogrid.config.conditions import Condition, parse_conditions
from audiogrid.config.sampling import Sample, parse_sample, parse_share
from audiogrid.core.errors import InputError

#: Names the run as it is configured, without any variant.
CURRENT = "current"
# Names of folders beside those of the variants.
_RESERVED = (CURRENT, "chunks", "conditions", "logs")


def with_variant(settings: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Returns the configuration with the changes of a variant. ``current`` and an empty name change nothing."""
    if name in ("", CURRENT):
        return dict(settings)
    changes = settings["variants"][name]
    decoding = {**settings["decoding"], **changes.get("decoding", {})}
    return {**settings, **changes, "decoding": decoding}


@dataclass(frozen=True)
class Comparison:
    """Settings of ``snakemake compare``. ``variants``: names, the baseline first."""

    variants: list[str]
    sample: Sample
    seed: int
    conditions: list[Condition]

    @property
    def baseline(self) -> str:
        """Returns the variant with which the others are compared."""
        return self.variants[0]


def parse_comparison(settings: Mapping[str, Any]) -> Comparison:
    """Returns the comparison of a valid configuration: of the variants it names, else of the run and all variants."""
    wanted = settings["compare"]
    names = list(dict.fromkeys(wanted["variants"] or [CURRENT, *settings["variants"]]))
    baseline = wanted["baseline"] or (CURRENT if CURRENT in names else names[0])
    return Comparison(
        [baseline, *(name for name in names if name != baseline)],
        parse_sample(wanted["sample"]),
        wanted["seed"],
        parse_conditions(settings["conditions"]),
    )


@dataclass(frozen=True)
class Rollout:
    """The share of all recordings (0 to 1) that is decoded with a variant."""

    variant: str
    share: float


def parse_rollout(settings: Mapping[str, Any]) -> Rollout | None:
    """Returns the rollout of a configuration; ``None`` without one, or when the whole run uses its variant."""
    name = settings["rollout"]["variant"]
    if not name or name == settings["variant"]:
        return None
    return Rollout(name, parse_share(settings["rollout"]["share"]))


def variant_mistakes(settings: Mapping[str, Any]) -> Iterator[str]:
    """Yields mistakes in variants, comparison and rollout that the schema cannot find: key, value and fix."""
    from audiogrid.core.language_codes import check_language

    known = [CURRENT, *settings["variants"]]

    def unknown(key: str, name: str) -> Iterator[str]:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            advice = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
            yield f"{key}: there is no variant {name!r}: {advice}"

    for name, changes in settings["variants"].items():
        if name in _RESERVED:
            yield f"variants: {name!r} is reserved and cannot be the name of a variant; choose another one"
        wrong = check_language(changes["language"]) if "language" in changes else None
        if wrong:
            yield f"variants.{name}.language: {wrong}"
    for key, name in (("variant", settings["variant"]), ("rollout.variant", settings["rollout"]["variant"])):
        if name:
            yield from unknown(key, name)
    for name in settings["compare"]["variants"]:
        yield from unknown("compare.variants", name)
    baseline = settings["compare"]["baseline"]
    if baseline:
        yield from unknown("compare.baseline", baseline)
    readers: list[Callable[[], object]] = [
        lambda: parse_sample(settings["compare"]["sample"]),
        lambda: parse_share(settings["rollout"]["share"]),
        lambda: parse_conditions(settings["conditions"]),
    ]
    for read in readers:
        try:
            read()
        except InputError as error:
            yield str(error)
