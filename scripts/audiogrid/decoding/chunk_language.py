"""Which language a chunk is in, from all of its windows rather than its first half minute."""

from __future__ import annotations

import math
from collections.abc import Sequence

from audiogrid.decoding.windows import seconds

# A window in one language has it at 0.96 and more (Whisper base, telephone prompts in five languages); one in two
# languages had neither above 0.8.
ONE_LANGUAGE = 0.9
# What a change of language costs, in nats: a piece of a second or two is taken for another language now and then.
_CHANGE_COST = 2.0


def choose_language(ranked: Sequence[dict[str, float]], speech: Sequence[list[tuple[int, int]]]) -> tuple[str, float]:
    """Language and its probability: the mean over windows, each weighing as much as it has speech.

    ``ranked``: probability of every language, per window; ``speech``: voice activity per window, in samples.
    """
    total: dict[str, float] = {}
    weight = 0.0
    for probabilities, spans in zip(ranked, speech, strict=True):
        length = max(0.1, seconds(spans))
        weight += length
        for language, probability in probabilities.items():
            total[language] = total.get(language, 0.0) + length * probability
    language = max(sorted(total), key=lambda code: total[code])
    return language, total[language] / weight


def window_languages(ranked: Sequence[dict[str, float]], language: str) -> list[str]:
    """The likeliest language of every window; that of the chunk (``language``) where none has half the probability."""
    found = []
    for probabilities in ranked:
        code = max(sorted(probabilities), key=lambda name: probabilities[name])
        found.append(code if probabilities[code] >= 0.5 else language)
    return found


def language_runs(ranked: Sequence[dict[str, float]]) -> list[tuple[int, int, str]]:
    """Runs ``[first, last)`` of consecutive pieces in one language, with it: the likeliest path (Viterbi).

    ``ranked``: probability of every language, per piece; a change of language costs 2 nats.
    """
    spoken = sorted({max(sorted(one), key=lambda code: one[code]) for one in ranked})
    total = dict.fromkeys(spoken, 0.0)
    came: list[dict[str, str]] = []
    for probabilities in ranked:
        origin = {
            code: max(spoken, key=lambda before: total[before] - _CHANGE_COST * (before != code)) for code in spoken
        }
        total = {
            code: total[before] - _CHANGE_COST * (before != code) + math.log(max(probabilities.get(code, 0.0), 1e-6))
            for code, before in origin.items()
        }
        came.append(origin)
    path: list[str] = []
    code = max(spoken, key=lambda name: total[name], default="")
    for origin in reversed(came):
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
    """The likeliest language of a window besides ``language``, and its probability."""
    others = {code: value for code, value in probabilities.items() if code != language}
    if not others:
        return "", 0.0
    code = max(sorted(others), key=lambda name: others[name])
    return code, round(others[code], 4)
