"""Anchors a given text in what was heard: which words are the same, and how much of what is heard the text has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from audiogrid.aligning.given_text import GivenWord, is_sentence_end
from audiogrid.aligning.heard_words import HeardWord, Piece, heard_words
from audiogrid.aligning.matching import Run, match_words
from audiogrid.aligning.stretches import Stretch, plan_stretches

#: A text of which less fits (share of the heard words in runs of three) is that of another recording.
LEAST_FIT = 0.15
_RUN_THAT_COUNTS = 3


@dataclass(frozen=True)
class Anchored:
    """A text against what was heard.

    ``runs``: cover both, in order. ``unheard``: numbers of the runs whose words cannot be in the audio.
    ``stretches``: what has to be aligned, in order. ``fit``: share of the heard words that the text has, in runs of at
    least three words. ``everything``: words that were heard as they are written are aligned, too.
    """

    words: Sequence[GivenWord]
    heard: Sequence[HeardWord]
    pieces: Sequence[Piece]
    runs: list[Run]
    fit: float
    unheard: frozenset[int] = frozenset()
    stretches: list[Stretch] = field(default_factory=list)
    everything: bool = False

    @property
    def is_misfit(self) -> bool:
        """Whether the text is that of another recording."""
        return self.fit < LEAST_FIT


def anchor(words: Sequence[GivenWord], pieces: Sequence[Piece], *, everything: bool = False) -> Anchored:
    """Returns where a text was heard.

    ``pieces``: all chunks of the recording that have a result, of all channels. ``everything``: also align the words
    that were heard as they are written.
    """
    heard = heard_words(pieces)
    runs = match_words(
        [word.form for word in words],
        [word.form for word in heard],
        lambda index: words[index - 1].ends_sentence or words[index - 1].paragraph != words[index].paragraph,
        lambda index: heard[index].begins or is_sentence_end(heard[index - 1].text),
    )
    common = sum(run.words for run in runs if run.is_same and run.words >= min(_RUN_THAT_COUNTS, len(heard)))
    found = Anchored(words, heard, pieces, runs, round(common / len(heard), 4) if heard else 0.0)
    if found.is_misfit:
        return found
    unheard, stretches = plan_stretches(words, heard, pieces, runs, everything=everything)
    return replace(found, unheard=unheard, stretches=stretches, everything=everything)
