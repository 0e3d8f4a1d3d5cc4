"""Anchors a given text in what was heard, and says what has to be aligned with the audio.

Words that the text and our own decoding have in common keep the times of decoding. The others lie between two of them:
they are aligned in a window of at most half a minute, with a few of the common words around them. What cannot be there
at all, because nobody speaks long enough in between, is not aligned.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from audiogrid.aligning.given_text import GivenWord, is_sentence_end
from audiogrid.aligning.heard_words import HeardWord, Piece, heard_words
from audiogrid.aligning.matching import Run, match_words
from audiogrid.core.timebase import SAMPLE_RATE, to_samples

#: A text of which less fits (share of the heard words in runs of three) is that of another recording.
LEAST_FIT = 0.15
_RUN_THAT_COUNTS = 3
# Nobody speaks so many letters in a second.
_FASTEST = 30.0
# A run of fewer words is squeezed between its neighbours rather than left out.
LEAST_UNHEARD = 3
#: From this share of its letters in words that are alike, a run is what is said, in another spelling.
MOSTLY_ALIKE = 0.5
_CONTEXT_WORDS = 3
_CONTEXT_SAMPLES = to_samples(4.0)
_MARGIN = to_samples(0.3)
_PAD = to_samples(0.4)
_NEAR = to_samples(1.0)
_LONGEST = to_samples(26.0)
_ENOUGH = to_samples(10.0)


@dataclass(frozen=True)
class Stretch:
    """Words of the text (by index) that are aligned in ``[start, end)``, samples of the chunk ``piece``."""

    piece: int
    start: int
    end: int
    words: tuple[int, ...]


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
    return found if found.is_misfit else _Planner(found).plan(everything)


@dataclass(frozen=True)
class _Place:
    """Where a run of the text lies: ``[start, end)`` in samples of the track of ``channel``, and the speech in it."""

    channel: int | None
    start: int
    end: int
    speech: int


class _Planner:
    """Plans what of a text is aligned."""

    def __init__(self, anchored: Anchored) -> None:
        self._a = anchored
        self._of_channel: dict[int | None, list[int]] = {}
        for index, word in enumerate(anchored.heard):
            self._of_channel.setdefault(word.channel, []).append(index)
        self._heard_at = {
            run.first + offset: run.heard_first + offset
            for run in anchored.runs
            if run.is_same
            for offset in range(run.words)
        }
        # Words of the text before which something is said that the text does not have.
        self._barriers = {
            run.first
            for run in anchored.runs
            if run.first == run.last and run.heard_last - run.heard_first >= LEAST_UNHEARD
        }
        self._speech: dict[int | None, list[tuple[int, int]]] = {}
        self._pieces_of: dict[int | None, list[int]] = {}
        for number, (chunk, result) in enumerate(anchored.pieces):
            self._pieces_of.setdefault(chunk.channel, []).append(number)
            spans = self._speech.setdefault(chunk.channel, [])
            for start, end in result.speech:
                low = max(start + chunk.context_start, chunk.start)
                high = min(end + chunk.context_start, chunk.end)
                if low < high:
                    spans.append((low, high))
        for spans in self._speech.values():
            spans.sort()
        self._speech_ends = {channel: [end for _, end in spans] for channel, spans in self._speech.items()}

    def plan(self, everything: bool) -> Anchored:
        """Returns the text with what has to be aligned."""
        unheard: set[int] = set()
        stretches: list[Stretch] = []
        for number, run in enumerate(self._a.runs):
            if run.is_same or run.first == run.last:
                continue
            place = self._place(run)
            letters = sum(len(self._a.words[index].form) for index in range(run.first, run.last))
            is_short = run.alike < MOSTLY_ALIKE and run.last - run.first >= LEAST_UNHEARD
            if is_short and letters > _FASTEST * (place.speech / SAMPLE_RATE + 0.2):
                unheard.add(number)
                continue
            stretches += self._stretches(run, place)
        if everything:
            stretches = self._with_common(stretches)
        a = self._a
        return Anchored(
            a.words, a.heard, a.pieces, a.runs, a.fit, frozenset(unheard), self._merged(stretches), everything
        )

    def _with_common(self, stretches: Sequence[Stretch]) -> list[Stretch]:
        """Adds stretches of words that were heard as written: as long as fits, from pause to pause."""
        taken = {index for stretch in stretches for index in stretch.words}
        groups: list[list[int]] = []
        for index, at in self._heard_at.items():
            if index in taken:
                continue
            follows = groups and groups[-1][-1] == index - 1 and index not in self._barriers
            if follows and self._goes_on(groups[-1], at):
                groups[-1].append(index)
            else:
                groups.append([index])
        added: list[Stretch] = []
        for group in groups:
            first, last = (self._a.heard[self._heard_at[index]] for index in (group[0], group[-1]))
            added += self._stretch(tuple(group), first.channel, first.start, last.end)
        return sorted([*stretches, *added], key=lambda one: one.words[0])

    def _goes_on(self, group: Sequence[int], at: int) -> bool:
        """Returns whether a word belongs to the stretch before it; after 10 s a sentence begins another one."""
        word, first = self._a.heard[at], self._a.heard[self._heard_at[group[0]]]
        length = word.end - first.start
        is_alike = (word.channel, word.piece) == (first.channel, first.piece)
        ends = self._a.words[group[-1]].ends_sentence
        return is_alike and length <= _LONGEST and not (ends and length > _ENOUGH)

    def _place(self, run: Run) -> _Place:
        heard = self._a.heard
        if run.heard_first < run.heard_last:
            channel = heard[run.heard_first].channel
        elif run.heard_first and not (run.first and self._a.words[run.first - 1].ends_sentence):
            channel = heard[run.heard_first - 1].channel
        else:
            channel = heard[min(run.heard_last, len(heard) - 1)].channel
        own = self._of_channel[channel]
        left, right = bisect_left(own, run.heard_first) - 1, bisect_left(own, run.heard_last)
        start = heard[own[left]].end if left >= 0 else 0
        end = heard[own[right]].start if right < len(own) else self._end_of(channel)
        end = max(end, start)
        return _Place(channel, start, end, sum(b - a for a, b in self._speech_in(channel, start, end)))

    def _end_of(self, channel: int | None) -> int:
        return max(self._a.pieces[number][0].end for number in self._pieces_of[channel])

    def _speech_in(self, channel: int | None, start: int, end: int) -> list[tuple[int, int]]:
        spans = self._speech.get(channel, [])
        found = []
        for low, high in spans[bisect_right(self._speech_ends.get(channel, []), start) :]:
            if low >= end:
                break
            found.append((max(low, start), min(high, end)))
        return found

    def _stretches(self, run: Run, place: _Place) -> Iterator[Stretch]:
        """Yields a run with the common words around it; one that is too long for a window, in parts without them."""
        indices = list(range(run.first, run.last))
        if place.end - place.start > _LONGEST - 2 * _CONTEXT_SAMPLES:
            yield from self._parts(indices, place)
            return
        start, end = place.start, place.end
        left = run.first
        while left > 0 and run.first - left < _CONTEXT_WORDS and left not in self._barriers:
            word = self._common(left - 1, place.channel)
            if word is None or place.start - word.start > _CONTEXT_SAMPLES:
                break
            left, start = left - 1, word.start
        right = run.last
        while right < len(self._a.words) and right - run.last < _CONTEXT_WORDS and right not in self._barriers:
            word = self._common(right, place.channel)
            if word is None or word.end - place.end > _CONTEXT_SAMPLES:
                break
            right, end = right + 1, word.end
        yield from self._stretch(tuple(range(left, right)), place.channel, start, end)

    def _common(self, index: int, channel: int | None) -> HeardWord | None:
        at = self._heard_at.get(index)
        if at is None or self._a.heard[at].channel != channel:
            return None
        return self._a.heard[at]

    def _parts(self, indices: list[int], place: _Place) -> Iterator[Stretch]:
        """Divides words over groups of spans of speech, by their letters."""
        groups: list[list[tuple[int, int]]] = []
        for span in self._cut(self._speech_in(place.channel, place.start, place.end)):
            if (
                groups
                and span[1] - groups[-1][0][0] <= _LONGEST
                and self._owner(place.channel, span) == self._owner(place.channel, groups[-1][0])
            ):
                groups[-1].append(span)
            else:
                groups.append([span])
        speech = [sum(end - start for start, end in group) for group in groups]
        # Letters up to the middle of each word.
        letters = [len(self._a.words[index].form) for index in indices]
        middles = [done - own / 2 for done, own in zip(accumulate(letters), letters, strict=True)]
        total, done, at = sum(letters), 0.0, 0
        for group, amount in zip(groups, speech, strict=True):
            done += total * amount / sum(speech)
            first = at
            while at < len(indices) and middles[at] <= done:
                at += 1
            if first < at:
                yield from self._stretch(tuple(indices[first:at]), place.channel, group[0][0], group[-1][1])

    @staticmethod
    def _cut(spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        for start, end in spans:
            while end - start > _LONGEST:
                yield start, start + _LONGEST
                start += _LONGEST
            yield start, end

    def _owner(self, channel: int | None, span: tuple[int, int]) -> int | None:
        """Returns the number of the chunk that owns most of a span."""

        def common(number: int) -> int:
            chunk = self._a.pieces[number][0]
            return min(span[1], chunk.end) - max(span[0], chunk.start)

        best = max(self._pieces_of[channel], key=common)
        return best if common(best) >= 0 else None

    def _stretch(self, words: tuple[int, ...], channel: int | None, start: int, end: int) -> Iterator[Stretch]:
        piece = self._owner(channel, (start, end))
        if piece is None:
            return
        chunk = self._a.pieces[piece][0]
        low = max(start - _MARGIN, chunk.context_start) - chunk.context_start
        high = min(end + _MARGIN, chunk.context_end) - chunk.context_start
        if low < high:
            yield Stretch(piece, low, high, words)

    def _merged(self, stretches: Sequence[Stretch]) -> list[Stretch]:
        """Joins neighbours that share words or lie near to each other, as far as they fit into a window."""
        found: list[Stretch] = []
        for one in stretches:
            if found and found[-1].piece == one.piece:
                last = found[-1]
                joined = Stretch(last.piece, min(last.start, one.start), max(last.end, one.end), _union(last, one))
                is_near = one.start - last.end < _NEAR and one.words[0] <= last.words[-1] + 1
                is_near = is_near and not self._barriers.intersection(range(last.words[-1] + 1, one.words[0] + 1))
                if is_near and joined.end - joined.start <= _LONGEST:
                    found[-1] = joined
                    continue
            found.append(one)
        return found


def _union(one: Stretch, other: Stretch) -> tuple[int, ...]:
    return tuple(sorted({*one.words, *other.words}))


def speech_pieces(stretch: Stretch, speech: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Returns what of a stretch the model is given: its speech with pads, in samples of the chunk; else all of it."""
    found: list[tuple[int, int]] = []
    for start, end in speech:
        low, high = max(start - _PAD, stretch.start), min(end + _PAD, stretch.end)
        if end <= stretch.start or start >= stretch.end or low >= high:
            continue
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return found or [(stretch.start, stretch.end)]
