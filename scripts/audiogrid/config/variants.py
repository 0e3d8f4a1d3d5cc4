"""Variants: named changes to the configuration that decide how recordings are decoded.

A variant is what the run would be with ``variant: <name>``. To be compared with others, to get a share of the
recordings (rollout) or all of them (promotion) therefore means the same options, hence the same store keys.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from audiogrid.config.conditions import Condition, parse_conditions
from audiogrid.config.sampling import Sample, parse_sample, parse_share
from audiogrid.core.errors import InputError

#: The run as it is configured, without any variant.
CURRENT = "current"
# Folders that lie beside those of the variants.
_TAKEN = (CURRENT, "chunks", "conditions", "logs")


def overlaid(settings: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The configuration with the changes of a variant; ``current`` and an empty name change nothing."""
    if name in ("", CURRENT):
        return dict(settings)
    changes = settings["variants"][name]
    decoding = {**settings["decoding"], **changes.get("decoding", {})}
    return {**settings, **changes, "decoding": decoding}


@dataclass(frozen=True)
class Comparison:
    """What ``snakemake compare`` is to do. ``variants``: names, the baseline first."""

    variants: list[str]
    sample: Sample
    seed: int
    conditions: list[Condition]

    @property
    def baseline(self) -> str:
        """The variant that the others are measured against."""
        return self.variants[0]


def comparison(settings: Mapping[str, Any]) -> Comparison:
    """What the configuration wants compared: the variants it names, else the run as it is and all variants."""
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
    """A share of all recordings (0 to 1) that is decoded as a variant wants it."""

    variant: str
    share: float


def rollout(settings: Mapping[str, Any]) -> Rollout | None:
    """The rollout of a configuration; ``None`` without one, and once its variant is that of the whole run."""
    name = settings["rollout"]["variant"]
    if not name or name == settings["variant"]:
        return None
    return Rollout(name, parse_share(settings["rollout"]["share"]))


def mistakes(settings: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with variants, comparison and rollout beyond their types: key, value and fix."""
    from audiogrid.core.language_codes import check_language

    known = [CURRENT, *settings["variants"]]

    def unknown(key: str, name: str) -> Iterator[str]:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            advice = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
            yield f"{key}: there is no variant {name!r}: {advice}"

    for name, changes in settings["variants"].items():
        if name in _TAKEN:
            yield f"variants: {name!r} cannot be the name of a variant, it has a meaning of its own; choose another one"
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
