"""Parses the ``conditions`` of a comparison, such as ``mp3 32`` or ``telephone + noise 10``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from audiogrid.core.errors import InputError

ORIGINAL = "original"
# Kind -> unit as people write it, unit in the name, and the bounds of its value.
_KINDS = {
    "mp3": (r"k|kbps|kbit/s|kbit", "k", 8, 160),
    "opus": (r"k|kbps|kbit/s|kbit", "k", 6, 128),
    "noise": (r"db", "dB", -10, 60),
    "speed": (r"x|times", "x", 0.5, 2),
}
_WITHOUT_VALUE = ("telephone",)


@dataclass(frozen=True)
class Step:
    """One change to the sound of a recording. ``value``: kbit/s, decibels or a factor; 0 for ``telephone``."""

    kind: str
    value: float

    @property
    def name(self) -> str:
        """Returns the step as file names spell it: ``mp3-32k``."""
        return self.kind if self.kind in _WITHOUT_VALUE else f"{self.kind}-{self.value:g}{_KINDS[self.kind][1]}"


@dataclass(frozen=True)
class Condition:
    """Steps in the order in which they are applied."""

    steps: tuple[Step, ...]

    @property
    def name(self) -> str:
        """Returns the names of the steps joined, safe in file names."""
        return "_".join(step.name for step in self.steps)


def _step(text: str, whole: str) -> Step:
    words = text.strip().lower()
    if words in _WITHOUT_VALUE:
        return Step(words, 0.0)
    match = re.fullmatch(r"([a-z0-9]+?)(?:[\s:]+|-)(-?\d+(?:\.\d+)?)\s*([a-z/]*)", words)
    kind = match[1] if match else words.split(" ")[0]
    if kind not in _KINDS:
        raise InputError(
            f"conditions: {whole!r} is not known; write mp3 32 or opus 12 (kbit/s), telephone, "
            "noise 10 (dB between speech and noise), speed 1.25, or several joined by +"
        )
    units, unit, lowest, highest = _KINDS[kind]
    if match is None or (match[3] and not re.fullmatch(units, match[3])):
        raise InputError(f"conditions: {whole!r} needs a number in {unit} after {kind}, such as {kind} {highest / 2:g}")
    value = float(match[2])
    if not lowest <= value <= highest:
        raise InputError(f"conditions: {whole!r} is out of range; {kind} goes from {lowest} to {highest} {unit}")
    return Step(kind, value)


def parse_condition(text: str) -> Condition:
    """Returns one parsed entry of ``conditions``. Raises ``InputError`` that lists what can be written."""
    return Condition(tuple(_step(part, text) for part in str(text).split("+")))


def parse_conditions(texts: Sequence[str]) -> list[Condition]:
    """Returns all parsed entries of ``conditions`` without repetitions. Raises ``InputError``."""
    return list({condition.name: condition for condition in map(parse_condition, texts)}.values())
