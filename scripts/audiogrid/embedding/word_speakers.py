"""Which speaker says each word: by turns, with changes at pauses and sentence ends unless the evidence is strong."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.embedding.voices import Turn
from audiogrid.records.results import Word

#: A pause of this many samples between two words is a place where speakers may change.
PHRASE_PAUSE = SAMPLE_RATE // 10
#: Inside a phrase another speaker must have this many samples at its beginning or end.
STRONG = 7 * SAMPLE_RATE // 10
_SENTENCE_ENDS = tuple(".!?…。！？؟।")
_CLOSING = "\"'”’»)]"


@dataclass(frozen=True)
class SpokenWord:
    """The speaker of a word (from 0; ``None`` where no turn is known) and whether somebody else talks meanwhile."""

    speaker: int | None
    is_overlapped: bool


def ends_sentence(word: Word) -> bool:
    """Whether a word ends a sentence."""
    return word.text.rstrip().rstrip(_CLOSING).endswith(_SENTENCE_ENDS)


def phrases(words: Sequence[Word]) -> Iterator[tuple[int, int]]:
    """Yields spans ``[first, last)`` of words without a pause or a sentence end inside."""
    first = 0
    for index in range(1, len(words) + 1):
        if (
            index == len(words)
            or words[index].start - words[index - 1].end >= PHRASE_PAUSE
            or ends_sentence(words[index - 1])
        ):
            yield first, index
            first = index


class _Turns:
    """Turns that can be asked what they have in common with a span."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._turns = sorted(turns, key=lambda turn: (turn.start, turn.end, turn.speaker))
        self._starts = [turn.start for turn in self._turns]
        self._longest = max((turn.end - turn.start for turn in turns), default=0)

    def shares(self, start: int, end: int) -> dict[int, int]:
        """Samples of ``[start, end)`` in which each speaker talks; only those who do."""
        found: dict[int, int] = {}
        for turn in self._near(start, end):
            common = min(end, turn.end) - max(start, turn.start)
            if common > 0:
                found[turn.speaker] = found.get(turn.speaker, 0) + common
        return found

    def _near(self, start: int, end: int) -> Sequence[Turn]:
        first = bisect_left(self._starts, start - self._longest)
        return self._turns[first : bisect_left(self._starts, end)]

    def nearest(self, at: int) -> int | None:
        """The speaker of the turn nearest to a sample."""
        index = bisect_left(self._starts, at)
        # Of the turns before it, the last one to start need not be the last one to end.
        before = self._turns[max(0, index - 8) : index]
        after = self._turns[index : index + 1]
        candidates = [*((at - turn.end, turn.speaker) for turn in before), *((t.start - at, t.speaker) for t in after)]
        return min(candidates)[1] if candidates else None


def _most(shares: dict[int, int]) -> int | None:
    return min(shares, key=lambda speaker: (-shares[speaker], speaker)) if shares else None


def speakers_of_words(words: Sequence[Word], turns: Sequence[Turn]) -> list[SpokenWord]:
    """The speaker of every word. ``words`` and ``turns`` are in the time of one track; words are in order.

    In a phrase all words have the speaker with most time, unless another one has 0.7 s at one of its edges. A word
    outside all turns goes with its phrase, or to the nearest turn. A word counts as overlapped when for half of it
    two speakers talk.
    """
    index = _Turns(turns)
    shares = [index.shares(word.start, max(word.end, word.start + 1)) for word in words]
    found: list[SpokenWord] = []
    for first, last in phrases(words):
        total: dict[int, int] = {}
        for share in shares[first:last]:
            for speaker, samples in share.items():
                total[speaker] = total.get(speaker, 0) + samples
        main = _most(total)
        if main is None:
            main = index.nearest((words[first].start + words[last - 1].end) // 2)
        spoken: list[int | None] = [main] * (last - first)
        own = [_most(share) for share in shares[first:last]]
        for numbers in (range(last - first), range(last - first - 1, -1, -1)):
            edge = _edge(list(numbers), own, [words[first + number] for number in range(last - first)], main)
            for number in edge:
                spoken[number] = own[number]
        for number, whose in enumerate(spoken):
            found.append(SpokenWord(whose, _is_overlapped(words[first + number], shares[first + number])))
    return found


def _edge(numbers: list[int], own: Sequence[int | None], words: Sequence[Word], main: int | None) -> list[int]:
    """Words from one edge of a phrase on that surely are another speaker's; none without strong evidence."""
    other = own[numbers[0]]
    if other is None or other == main:
        return []
    taken: list[int] = []
    for number in numbers:
        if own[number] != other:
            break
        taken.append(number)
    spoken = sum(words[number].end - words[number].start for number in taken)
    return taken if spoken >= STRONG else []


def _is_overlapped(word: Word, share: dict[int, int]) -> bool:
    if len(share) < 2:
        return False
    second = sorted(share.values())[-2]
    return 2 * second >= max(1, word.end - word.start)
