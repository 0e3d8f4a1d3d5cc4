"""The second pass: windows with a low log-probability are decoded again, with a wider beam and the text before them.

Measured with Whisper base on 20 minutes of professional speakers for each language. The log-probability per token
cannot be compared between languages (Russian at -0.13 had 18 % of its words wrong, English at -0.07 had 3 %). Per word
it can: the medians are -0.29 to -0.32 in Spanish, French, Italian and Russian, -0.10 in English, -0.02 for a
synthesised voice. Where it is low, a beam of 5 that also sees the text of the windows before (up to 223 tokens) left
17.6, 14.6, 11.3 and 16.3 % of the words wrong, a beam without that text 20.7, 15.1, 12.1 and 16.3 %, greedy search
22.3, 16.2, 13.2 and 18.6 %. With noise at 10 dB a bound of -0.18 left 5.6 % wrong, -0.12 4.8 %, -0.08 4.8 %.

Windows in batches cost less than one window after the other, so a chunk is decoded in two rounds: of windows side by
side every second one sees text that is settled, the others what the fast pass wrote. Measured with the encoder in
bfloat16 on a busy AMD EPYC (Zen 4), 6 minutes of Spanish: one by one 15.5 % of the words were wrong, at 1.98
core-seconds a window; in two rounds with 208 tokens 16.3 % (1.35), with 112 tokens 16.8 % (0.96), with 64 tokens
17.5 %, without context 18.0 % (0.8). Russian and noisy English gained nothing from more than 64 tokens (BENCHMARKS.md).
These are costs in batches of up to eight. A CPU is given two windows at once, to save memory: 1.3 to 1.6 with 208.

Windows that the fast pass leaves out (``whisper/search_choice.py``) are read in the same rounds. A window whose reading
breaks a quality rule, and had a context, is read once more without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from audiogrid.decoding.judging.hypotheses import Hypothesis, best
from audiogrid.decoding.judging.loops import plain_words
from audiogrid.decoding.judging.quality_rules import reason_to_drop
from audiogrid.decoding.judging.scoring import echo_share, is_repetitive, rate, spoken_length
from audiogrid.decoding.options import DecodeOptions
from audiogrid.decoding.whisper.model import ModelOutput

ROUNDS = 2
"""Rounds of the second pass over a chunk."""

# Lengths of contexts are multiples of so many tokens.
_STEP = 16
# A hypothesis with fewer letters than this share of another one's has lost words.
_LOST_WORDS = 0.8


def word_logprob(output: ModelOutput, text: str) -> float:
    """Returns the log-probability per word (per character in scripts without spaces), with the end-of-text token."""
    return output.avg_logprob * (len(output.tokens) + 1) / max(1, len(plain_words(text)))


def rounds(numbers: Sequence[int]) -> list[list[int]]:
    """Returns which windows each round decodes, of those of a chunk with these ``numbers`` in ascending order.

    In one round all windows can share batches. In a run of windows side by side, the first goes to the first round, the
    second to the second and so on, and then from the first round again: most windows then follow one that is settled.
    """
    found: list[list[int]] = [[] for _ in range(ROUNDS)]
    position = 0
    for before, number in pairwise([-1, *numbers]):
        position = position + 1 if number == before + 1 and before >= 0 else 0
        found[position % ROUNDS].append(number)
    return found


def preceding_tokens(
    before: Sequence[Hypothesis], language: str, written: int, room: int, options: DecodeOptions
) -> list[int]:
    """Returns the last tokens of what was written in ``language`` for the windows ``before``.

    They are at most ``options.context_tokens``, and few enough that twice the ``written`` tokens of an earlier
    hypothesis (0: there is none) still fit into ``room``, the tokens that context and text may have together. Their
    number is a multiple of 16, so that most windows can share batches. Nothing comes from before a loop: as context, it
    would lead to further loops.
    """
    most = min(options.context_tokens, room - 2 * written)
    tokens: list[int] = []
    for one in reversed(before):
        if one.evidence.capped or is_repetitive(one.evidence, options) or len(tokens) >= most:
            break
        if one.language == language and not reason_to_drop(one.evidence, options):
            tokens = [*one.decoded[0].output.tokens, *tokens]
    length = max(0, min(len(tokens), most)) // _STEP * _STEP
    return tokens[len(tokens) - length :]


def repeats_context(second: str, fast: str, context: str, options: DecodeOptions) -> bool:
    """Returns whether the second hypothesis repeats its context while the fast one, which had no context, does not."""
    return echo_share(second, context) >= options.echo_share > 2 * echo_share(second, fast)


def choose(fast: Hypothesis, second: Hypothesis, context: str, options: DecodeOptions) -> Hypothesis:
    """Returns the hypothesis of higher score, unless it lost words that the other has, or repeats its ``context``.

    Words that come faster than anybody speaks are no words that the other one lost.
    """
    if repeats_context(second.text, fast.text, context, options):
        return fast
    fewer, more = sorted((fast, second), key=lambda one: spoken_length(one.text))
    is_sound = not is_repetitive(more.evidence, options) and rate(more.evidence) <= options.max_rate
    if spoken_length(fewer.text) < _LOST_WORDS * spoken_length(more.text) and is_sound:
        return more
    return best([fast, second])
