"""Finds the language of a chunk from all of its windows, not only from its first half minute."""

from __future__ import annotations

import math
from collections.abc import Sequence

from audiogrid.decoding.windows import seconds

# Cost of a change of language, in nats: short pieces are sometimes taken for another language.
_CHANGE_COST = 2.0


def choose_language(
    language_probabilities: Sequence[dict[str, float]], speech: Sequence[list[tuple[int, int]]]
) -> tuple[str, float]:
    """Returns the language and its probability, the mean over windows weighted by their speech.

    ``language_probabilities``: probability of every language, per window. ``speech``: voice activity per window, in
    samples.
    """
    total: dict[str, float] = {}
    weight = 0.0
    for probabilities, spans in zip(language_probabilities, speech, strict=True):
        length = max(0.1, seconds(spans))
        weight += length
        for language, probability in probabilities.items():
            total[language] = total.get(language, 0.0) + length * probability
    language = max(sorted(total), key=lambda code: total[code])
    return language, total[language] / weight


def language_runs(language_probabilities: Sequence[dict[str, float]]) -> list[tuple[int, int, str]]:
    """Returns runs ``[first, last)`` of consecutive pieces in one language, with it, by the likeliest path (Viterbi).

    ``language_probabilities``: probability of every language, per piece; a change of language costs 2 nats.
    """
    spoken = sorted({max(sorted(one), key=lambda code: one[code]) for one in language_probabilities})
    total = dict.fromkeys(spoken, 0.0)
    origins: list[dict[str, str]] = []
    for probabilities in language_probabilities:
        origin = {
            code: max(spoken, key=lambda before: total[before] - _CHANGE_COST * (before != code)) for code in spoken
        }
        total = {
            code: total[before] - _CHANGE_COST * (before != code) + math.log(max(probabilities.get(code, 0.0), 1e-6))
            for code, before in origin.items()
        }
        origins.append(origin)
    path: list[str] = []
    code = max(spoken, key=lambda name: total[name], default="")
    for origin in reversed(origins):
        path.append(code)
        code = origin[code]
    path.reverse()
    runs: list[tuple[int, int, str]] = []
    for index, code in enumerate(path):
        if runs and runs[-1][2] == code:
            runs[-1] = (runs[-1][0], index + 1, code)
        else:
            runs.append((index, index + 1, code))
    return runs


def other_language(probabilities: dict[str, float], language: str) -> tuple[str, float]:
    """Returns the likeliest language of a window besides ``language``, and its probability."""
    others = {code: value for code, value in probabilities.items() if code != language}
    if not others:
        return "", 0.0
    code = max(sorted(others), key=lambda name: others[name])
    return code, round(others[code], 4)
