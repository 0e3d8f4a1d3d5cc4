"""Which language a chunk is in, from all of its windows rather than its first half minute."""

from __future__ import annotations

from collections.abc import Sequence

from audiogrid.decoding.windows import seconds


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


def other_language(probabilities: dict[str, float], language: str) -> tuple[str, float]:
    """The likeliest language of a window besides ``language``, and its probability."""
    others = {code: value for code, value in probabilities.items() if code != language}
    if not others:
        return "", 0.0
    code = max(sorted(others), key=lambda name: others[name])
    return code, round(others[code], 4)
