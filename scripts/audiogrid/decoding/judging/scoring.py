"""How well a hypothesis fits its audio: measures of its text, and the score that hypotheses are compared by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from audiogrid.decoding.judging.loops import DENSE, REMEMBERED, has_loop, plain_words, without_loops
from audiogrid.decoding.options import DecodeOptions


@dataclass(frozen=True)
class Evidence:
    """What is known about one hypothesis of a window.

    ``speech_seconds``: voice activity without pads. ``unspoken_seconds``: the part of it in stretches without words
    that are longer than speakers pause. ``unheard_share``: share of the words' letters outside of voice activity.
    ``voice``: mean probability of the voice activity. ``other_language``: probability of the likeliest language that
    the window was not decoded in. ``capped``: whether the limit of tokens ended the text.
    ``looped_seconds``: further speech without words if what a loop repeats is no word. ``confirmed``: whether other
    hypotheses confirm that what the text repeats was said.
    """

    text: str
    speech_seconds: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float
    capped: bool = False
    unspoken_seconds: float = 0.0
    unheard_share: float = 0.0
    voice: float = 1.0
    other_language: float = 0.0
    looped_seconds: float = 0.0
    confirmed: bool = False


@lru_cache(REMEMBERED)
def spoken_length(text: str) -> float:
    """Returns the number of letters that a text would have if everything in it were spelt out.

    A digit counts as four letters (``seven``), a Chinese character, a kana or a Hangul syllable as
    two and a half. One bound on letters per second therefore serves every script, with or without spaces.
    """
    total = 0.0
    for character in text:
        if character.isdigit():
            total += 4
        elif DENSE.match(character):
            total += 2.5
        elif character.isalpha():
            total += 1
    return total


def rate(evidence: Evidence) -> float:
    """Returns letters per second of speech; speech shorter than half a second counts as half a second."""
    return spoken_length(evidence.text) / max(0.5, evidence.speech_seconds)


def echo_share(text: str, primer: str) -> float:
    """Returns the share (0 to 1) of the words of ``text`` that lie in runs of the prompt's or the hotwords' words.

    Runs of fewer than three words count only if they are the whole ``primer`` or the whole text: names that the prompt
    announces may be spoken. A run counts as often as the text has it: an echo that comes twice is one all the more.
    """
    words, primed = plain_words(text), plain_words(primer)
    if not words or not primed:
        return 0.0
    least = min(3, len(words), len(primed))
    runs = {tuple(primed[first : first + least]) for first in range(len(primed) - least + 1)}
    echoed: set[int] = set()
    for first in range(len(words) - least + 1):
        if tuple(words[first : first + least]) in runs:
            echoed.update(range(first, first + least))
    return len(echoed) / len(words)


def is_repetitive(evidence: Evidence, options: DecodeOptions) -> bool:
    """Returns whether a text repeats itself as runaway decoding does, and nothing confirms that it was said so."""
    if evidence.confirmed:
        return False
    return evidence.compression_ratio > options.max_compression_ratio or has_loop(evidence.text, options.min_repeats)


def score(evidence: Evidence, median_rate: float, options: DecodeOptions) -> float:
    """Returns how well a hypothesis fits its audio; higher is better, 0 is perfect.

    Repetitions of a loop count for nothing: they neither cover speech nor are they probable (-2), so that a loop never
    beats fewer true words. The score is the mean log-probability (at least -2) minus these penalties: twice the
    distance in octaves (two at most) between its rate and the median rate, beyond a factor of 1.25 below and
    ``max_rate_ratio`` above, because among speech words are lost more often than invented; 1.5 for text that compresses
    too well or repeats a phrase too often; 0.2, and 0.15 per second, for speech without words; the share of the words'
    letters outside of voice activity; 2 for an echo of prompt or hotwords.
    """
    import math

    said = evidence.text if evidence.confirmed else without_loops(evidence.text, options.min_repeats)
    length = spoken_length(evidence.text)
    true_share = spoken_length(said) / length if length else 1.0
    value = true_share * max(-2.0, evidence.avg_logprob) - (1 - true_share) * 2.0
    ratio = max(true_share * rate(evidence), 0.25 * median_rate) / median_rate
    allowed = 1.25 if ratio < 1 else options.max_rate_ratio
    value -= 2 * min(2.0, max(0.0, abs(math.log2(ratio)) - math.log2(allowed)))
    if is_repetitive(evidence, options):
        value -= 1.5
    unspoken = evidence.unspoken_seconds + (0.0 if evidence.confirmed else evidence.looped_seconds)
    if unspoken > 0:
        value -= 0.2 + 0.15 * unspoken
    value -= evidence.unheard_share
    if echo_share(evidence.text, f"{options.prompt} {options.hotwords}") >= options.echo_share:
        value -= 2.0
    return round(value, 4)
