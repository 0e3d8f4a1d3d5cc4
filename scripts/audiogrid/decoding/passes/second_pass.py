"""The second look: windows that the fast pass was unsure of are read again, wider and knowing what was said before.

Measured with Whisper base on 20 minutes of professional speakers each. How unsure a reading is per token says nothing
across languages (Russian at -0.13 had 18 % of its words wrong, English at -0.07 had 3 %), per word it does: medians
of -0.29 to -0.32 in Spanish, French, Italian and Russian, -0.10 in English, -0.02 for a synthesised voice. Where it
is low, a beam of 5 that also sees the text of the windows before (up to 223 tokens) gave 17.6, 14.6, 11.3 and 16.3 %
wrong words, a beam without it 20.7, 15.1, 12.1 and 16.3 %, greedy search 22.3, 16.2, 13.2 and 18.6 %. 64 tokens of
context, or a context of what greedy search read, gave back most of the gain. With noise at 10 dB, -0.18 as the bound
left 5.6 % wrong, -0.12 4.8 %, -0.08 4.8 %.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from audiogrid.decoding.judging.hypotheses import Attempt, best
from audiogrid.decoding.judging.scoring import echo_share, is_repetitive, plain_words, spoken_length
from audiogrid.decoding.options import DecodeOptions
from audiogrid.decoding.whisper.model import Heard

# A reading with fewer letters than this share of another one's has lost words.
_LOST = 0.8


def word_logprob(heard: Heard, text: str) -> float:
    """Log-probability per word (per character where a script has no spaces), the end of the text counted in."""
    return heard.avg_logprob * (len(heard.tokens) + 1) / max(1, len(plain_words(text)))


def context(before: Iterable[Sequence[int]], fast: Heard, room: int, options: DecodeOptions) -> list[int]:
    """Last tokens of the readings ``before``.

    At most ``options.context_tokens``, and so few that twice the tokens of the ``fast`` reading fit into ``room``, the
    tokens that context and text may have together.
    """
    tokens = [token for reading in before for token in reading]
    length = max(0, min(len(tokens), options.context_tokens, room - 2 * len(fast.tokens)))
    return tokens[len(tokens) - length :]


def echoes(second: str, fast: str, context: str, options: DecodeOptions) -> bool:
    """Whether a reading is what was said before, and the fast reading, which could not know that, does not say so."""
    return echo_share(second, context) >= options.echo_share > 2 * echo_share(second, fast)


def better(fast: Attempt, second: Attempt, context: str, options: DecodeOptions) -> Attempt:
    """The one of higher score, unless it has lost words that the other has, or repeats its ``context``."""
    if echoes(second.text, fast.text, context, options):
        return fast
    fewer, more = sorted((fast, second), key=lambda one: spoken_length(one.text))
    if spoken_length(fewer.text) < _LOST * spoken_length(more.text) and not is_repetitive(more.evidence, options):
        return more
    return best([fast, second])
