"""The second pass: windows with a low log-probability are decoded again, with a wider beam and the text before them.

Measured with Whisper base on 20 minutes of professional speakers for each language. The log-probability per token
cannot be compared between languages (Russian at -0.13 had 18 % of its words wrong, English at -0.07 had 3 %). Per word
it can: the medians are -0.29 to -0.32 in Spanish, French, Italian and Russian, -0.10 in English, -0.02 for a
synthesised voice. Where it is low, a beam of 5 that also sees the text of the windows before (up to 223 tokens) left
17.6, 14.6, 11.3 and 16.3 % of the words wrong, a beam without that text 20.7, 15.1, 12.1 and 16.3 %, greedy search
22.3, 16.2, 13.2 and 18.6 %. 64 tokens of context, or a context of greedy results, lost most of the gain. With noise at
10 dB a bound of -0.18 left 5.6 % wrong, -0.12 4.8 %, -0.08 4.8 %.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from audiogrid.decoding.judging.hypotheses import Hypothesis, best
from audiogrid.decoding.judging.loops import plain_words
from audiogrid.decoding.judging.scoring import echo_share, is_repetitive, spoken_length
from audiogrid.decoding.options import DecodeOptions
from audiogrid.decoding.whisper.model import ModelOutput

# A hypothesis with fewer letters than this share of another one's has lost words.
_LOST_WORDS = 0.8


def word_logprob(output: ModelOutput, text: str) -> float:
    """Returns the log-probability per word (per character in scripts without spaces), with the end-of-text token."""
    return output.avg_logprob * (len(output.tokens) + 1) / max(1, len(plain_words(text)))


def preceding_tokens(
    before: Iterable[Sequence[int]], fast: ModelOutput, room: int, options: DecodeOptions
) -> list[int]:
    """Returns the last tokens of the windows ``before``.

    They are at most ``options.context_tokens``, and few enough that twice the tokens of the ``fast`` hypothesis still
    fit into ``room``, the tokens that context and text may have together.
    """
    tokens = [token for one in before for token in one]
    length = max(0, min(len(tokens), options.context_tokens, room - 2 * len(fast.tokens)))
    return tokens[len(tokens) - length :]


def repeats_context(second: str, fast: str, context: str, options: DecodeOptions) -> bool:
    """Returns whether the second hypothesis repeats its context while the fast one, which had no context, does not."""
    return echo_share(second, context) >= options.echo_share > 2 * echo_share(second, fast)


def choose(fast: Hypothesis, second: Hypothesis, context: str, options: DecodeOptions) -> Hypothesis:
    """Returns the hypothesis of higher score, unless it lost words that the other has, or repeats its ``context``."""
    if repeats_context(second.text, fast.text, context, options):
        return fast
    fewer, more = sorted((fast, second), key=lambda one: spoken_length(one.text))
    if spoken_length(fewer.text) < _LOST_WORDS * spoken_length(more.text) and not is_repetitive(more.evidence, options):
        return more
    return best([fast, second])
