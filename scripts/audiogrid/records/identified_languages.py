"""``languages.json``: what was found out about the languages of recordings, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiogrid.core.atomic_files import write_json
from audiogrid.core.json_values import read_document, to_json

SCHEMA = 1
# Languages that are recorded with their probabilities.
_KEPT = 5


@dataclass(frozen=True)
class HeardWindow:
    """One window that was listened to. ``at``: its start, ``speech``: how much of it is speech; both in seconds."""

    at: float
    speech: float
    language: str
    probability: float


@dataclass(frozen=True)
class Identified:
    """The language of a recording; empty where it could not be found out, for the reason in ``problem``.

    ``languages``: mean probability of the likeliest languages, every window weighing as much as it has speech.
    ``second``: the language in which most of the other windows are, with its share of the speech (empty: none).
    """

    language: str
    probability: float
    languages: dict[str, float]
    windows: list[HeardWindow]
    second: str = ""
    second_share: float = 0.0
    is_multilingual: bool = False
    problem: str = ""

    def summary(self) -> dict[str, Any]:
        """What a transcript records of it."""
        return {"language": self.language, "probability": self.probability, "languages": self.languages}

    def remark(self, decoded_as: str | None) -> str:
        """A sentence about a recording that a single language does not do justice to; empty when one does.

        ``decoded_as``: the language it is decoded in, ``None`` when windows choose for themselves.
        """
        if self.problem:
            return f"language not identified: {self.problem}"
        if not self.is_multilingual:
            return ""
        share = f"multilingual: {self.language}, and {self.second} in {self.second_share:.0%} of what was listened to"
        if decoded_as is None:
            return share
        return f"{share}; all of it is decoded as {decoded_as} (code_switching: auto decodes passages in their own)"


def judge(
    windows: Sequence[HeardWindow], ranked: Sequence[Mapping[str, float]], multilingual_share: float
) -> Identified:
    """The language of a recording from its windows.

    ``ranked``: probability of every language, per window. ``multilingual_share``: share of the speech in a second
    language from which a recording counts as multilingual.
    """
    if not windows:
        return unknown("no speech was found in it")
    total = sum(window.speech for window in windows)
    means: dict[str, float] = {}
    for window, probabilities in zip(windows, ranked, strict=True):
        for code, probability in probabilities.items():
            means[code] = means.get(code, 0.0) + window.speech * probability / total
    order = sorted(means, key=lambda code: (-means[code], code))
    language = order[0]
    others: dict[str, float] = {}
    for window in windows:
        # An undecided window says nothing about a second language.
        if window.language != language and window.probability >= 0.5:
            others[window.language] = others.get(window.language, 0.0) + window.speech / total
    second = min(others, key=lambda code: (-others[code], code)) if others else ""
    share = round(others.get(second, 0.0), 4)
    return Identified(
        language,
        round(means[language], 4),
        {code: round(means[code], 4) for code in order[:_KEPT]},
        list(windows),
        second,
        share,
        is_multilingual=bool(second) and share >= multilingual_share,
    )


def unknown(problem: str) -> Identified:
    """Nothing could be found out."""
    return Identified("", 0.0, {}, [], problem=problem)


@dataclass(frozen=True)
class _Identified:
    """What is read of ``languages.json``."""

    recordings: dict[str, Identified]


def write_identified(path: Path, found: Mapping[str, Identified], made: Mapping[str, Any]) -> None:
    """Write ``languages.json``; ``made``: the model and the settings."""
    write_json(path, {"schema": SCHEMA, **made, "recordings": to_json(dict(found))}, indent=1)


def read_identified(path: Path) -> dict[str, Identified]:
    """Returns what ``write_identified`` wrote, by recording. Raises as ``read_document`` does."""
    return read_document(_Identified, path).recordings
