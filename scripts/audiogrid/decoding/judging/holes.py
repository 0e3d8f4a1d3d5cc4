"""Holes: speech without words, also where the alignment hides it; and words without speech.

The alignment has to give all of a window's time to the words that it is given. Where a sentence was lost, it stretches
a neighbouring word over it: "After", 4.7 s long. So a word that is too long for its letters counts for a
word of usual length.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from audiogrid.core.timebase import to_samples
from audiogrid.decoding.judging.scoring import spoken_length
from audiogrid.decoding.windows import Layout, overlap
from audiogrid.decoding.word_times import bridged, unspoken_stretches
from audiogrid.records.results import Word

# The longest that a word can take: this, and this for every letter. Measured on real prompts in English, French and
# Russian, the longest of their words stay below it.
_LONGEST_START = to_samples(0.7)
_LONGEST_LETTER = to_samples(0.12)
# What a word that is too long counts for: this, and this for every letter, as words ordinarily take.
_USUAL_START = to_samples(0.2)
_USUAL_LETTER = to_samples(0.08)
# A word may lie so far beside voice activity.
_NEAR_SPEECH = to_samples(0.2)
# A cut between the parts of a window moves to the middle of a pause that is as near as this.
_NEAR = to_samples(0.6)
_SHORTEST_PART = to_samples(0.3)
_SENTENCE_END = (".", "?", "!", "…", "。", "？", "！")


def credible_words(words: Sequence[Word]) -> list[Word]:
    """Returns the words, those that are too long for their letters cut to what words of so many letters usually take.

    A word that begins a sentence keeps its end, any other its beginning: the lost sentence lies between.
    """
    found: list[Word] = []
    for index, word in enumerate(words):
        letters = spoken_length(word.text)
        usual = _USUAL_START + round(_USUAL_LETTER * letters)
        if word.end - word.start <= _LONGEST_START + round(_LONGEST_LETTER * letters):
            found.append(word)
        elif not index or words[index - 1].text.rstrip().endswith(_SENTENCE_END):
            found.append(replace(word, start=word.end - usual))
        else:
            found.append(replace(word, end=word.start + usual))
    return found


def unheard_share(words: Sequence[Word], speech: Sequence[tuple[int, int]]) -> float:
    """Returns the share of the words' letters that lie more than 0.2 s away from any ``speech``.

    The letters of a word are spread evenly over its time. Time itself is no measure: the alignment squeezes words that
    nobody said into hardly any.
    """
    disjoint = bridged([(start - _NEAR_SPEECH, end + _NEAR_SPEECH) for start, end in speech])
    total = unheard = 0.0
    for word in words:
        letters = spoken_length(word.text)
        length = max(1, word.end - word.start)
        total += letters
        unheard += letters * (1 - overlap((word.start, word.start + length), disjoint) / length)
    return unheard / total if total else 0.0


def layouts_around_holes(
    layout: Layout, words: Sequence[Word], speech: Sequence[tuple[int, int]], least: int
) -> list[Layout]:
    """Returns a window in parts, cut where stretches of speech without words begin and end.

    ``words`` and ``speech``: in samples of the chunk; ``least``: the shortest stretch that counts, in samples. Returns
    one part where there is no hole.
    """
    cuts = set()
    for hole in unspoken_stretches(credible_words(words), speech, least):
        cuts |= {offset_of(layout, _near_pause(edge, speech)) for edge in hole}
    edges = [0]
    for cut in sorted(cuts):
        if cut - edges[-1] >= _SHORTEST_PART and layout.samples - cut >= _SHORTEST_PART:
            edges.append(cut)
    edges.append(layout.samples)
    return [layout.part(first, last) for first, last in itertools.pairwise(edges)]


def offset_of(layout: Layout, sample: int) -> int:
    """Returns the sample of the joined audio for a sample of the chunk; between pieces, where the next one begins."""
    for offset, piece in zip(layout.offsets, layout.pieces, strict=False):
        if sample < piece.end:
            return offset + max(0, sample - piece.start)
    return layout.samples


def _near_pause(sample: int, speech: Sequence[tuple[int, int]]) -> int:
    pauses = [(end + start) // 2 for (_, end), (start, _) in itertools.pairwise(speech)]
    nearest = min(pauses, key=lambda pause: abs(pause - sample), default=sample)
    return nearest if abs(nearest - sample) <= _NEAR else sample
