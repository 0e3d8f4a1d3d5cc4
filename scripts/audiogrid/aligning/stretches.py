"""What of a given text is aligned with the audio, and where: stretches of at most half a minute.

Words that the text and our own decoding have in common keep the times of decoding. The others lie between two of them:
they are aligned with a few of the common words around them. What cannot be there at all, because nobody speaks long
enough in between, is not aligned.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from audiogrid.aligning.given_text import GivenWord
from audiogrid.aligning.heard_words import HeardWord, Piece
from audiogrid.aligning.matching import Run
from audiogrid.aligning.track_speech import TrackSpeech
from audiogrid.core.timebase import SAMPLE_RATE, to_samples

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
# Behind so much a sentence ends a stretch.
_ENOUGH = to_samples(4.0)


@dataclass(frozen=True)
class Stretch:
    """Words of the text (by index) that are aligned in ``[start, end)``, samples of the chunk ``piece``.

    ``heard``: the spans that decoding has given them, which are only moved to where the words sound; nothing is aligned
    then.
    """

    piece: int
    start: int
    end: int
    words: tuple[int, ...]
    heard: tuple[tuple[int, int], ...] = ()


def plan_stretches(
    words: Sequence[GivenWord],
    heard: Sequence[HeardWord],
    pieces: Sequence[Piece],
    runs: Sequence[Run],
    *,
    everything: bool,
) -> tuple[frozenset[int], list[Stretch]]:
    """Returns the numbers of the runs whose words cannot be in the audio, and what has to be aligned, in order.

    ``everything``: also the words that were heard as they are written.
    """
    return _Planner(words, heard, pieces, runs).plan(everything)


@dataclass(frozen=True)
class _Place:
    """Where a run of the text lies: ``[start, end)`` in samples of the track of ``channel``."""

    channel: int | None
    start: int
    end: int


@dataclass(frozen=True)
class _Unit:
    """Words of the text that lie in ``[start, end)``, samples of the track of ``channel``, in the chunk ``piece``."""

    words: tuple[int, ...]
    channel: int | None
    piece: int | None
    start: int
    end: int


class _Planner:
    """Plans what of a text is aligned."""

    def __init__(
        self, words: Sequence[GivenWord], heard: Sequence[HeardWord], pieces: Sequence[Piece], runs: Sequence[Run]
    ) -> None:
        self._words, self._heard, self._pieces, self._runs = words, heard, pieces, runs
        self._speech = TrackSpeech(pieces)
        self._of_channel: dict[int | None, list[int]] = {}
        for index, word in enumerate(heard):
            self._of_channel.setdefault(word.channel, []).append(index)
        self._heard_at = {
            run.first + offset: run.heard_first + offset for run in runs if run.is_same for offset in range(run.words)
        }
        # Words of the text before which something is said that the text does not have.
        self._barriers = {
            run.first for run in runs if run.first == run.last and run.heard_last - run.heard_first >= LEAST_UNHEARD
        }

    def plan(self, everything: bool) -> tuple[frozenset[int], list[Stretch]]:
        """Returns what ``plan_stretches`` does."""
        unheard: set[int] = set()
        placed: list[tuple[Run, _Place]] = []
        for number, run in enumerate(self._runs):
            if run.is_same or run.first == run.last:
                continue
            place = self._place(run)
            letters = sum(len(self._words[index].form) for index in range(run.first, run.last))
            speech = sum(end - start for start, end in self._speech.inside(place.channel, place.start, place.end))
            is_short = run.alike < MOSTLY_ALIKE and run.last - run.first >= LEAST_UNHEARD
            if is_short and letters > _FASTEST * (speech / SAMPLE_RATE + 0.2):
                unheard.add(number)
            else:
                placed.append((run, place))
        if everything:
            stretches = list(self._by_sentences(placed))
        else:
            stretches = self._merged([one for run, place in placed for one in self._stretches(run, place)])
        return frozenset(unheard), [*stretches, *self._as_decoded(stretches)]

    def _as_decoded(self, stretches: Sequence[Stretch]) -> Iterator[Stretch]:
        """Yields, chunk by chunk, the words that were heard as they are written, with their times of decoding.

        Those beside an aligned word are left to the alignment: decoding may have given them a part of its time.
        """
        aligned = {index for stretch in stretches for index in stretch.words}
        of_piece: dict[int, list[int]] = {}
        for index, at in self._heard_at.items():
            is_beside = index - 1 not in self._heard_at or index + 1 not in self._heard_at
            if not (is_beside and index in aligned):
                of_piece.setdefault(self._heard[at].piece, []).append(index)
        for piece, words in sorted(of_piece.items()):
            chunk, result = self._pieces[piece]
            heard = [self._heard[self._heard_at[index]] for index in words]
            spans = [(word.start - chunk.context_start, word.end - chunk.context_start) for word in heard]
            yield Stretch(piece, 0, result.samples, tuple(words), tuple(spans))

    def _by_sentences(self, placed: Sequence[tuple[Run, _Place]]) -> Iterator[Stretch]:
        """Yields stretches of all words, cut where sentences end, else at pauses."""
        units = [
            _Unit((index,), self._heard[at].channel, self._heard[at].piece, self._heard[at].start, self._heard[at].end)
            for index, at in self._heard_at.items()
        ]
        for run, place in placed:
            piece = self._speech.owner(place.channel, (place.start, place.end))
            units.append(_Unit(tuple(range(run.first, run.last)), place.channel, piece, place.start, place.end))
        group: list[_Unit] = []
        for unit in sorted(units, key=lambda one: one.words[0]):
            if group and not self._follows(group[-1], unit):
                yield from self._joined(group)
                group = []
            group.append(unit)
            length = unit.end - group[0].start
            if length > _LONGEST and len(group) > 1:
                at = self._cut_before(group)
                yield from self._joined(group[:at])
                group = group[at:]
            if length > _ENOUGH and self._words[unit.words[-1]].ends_sentence:
                yield from self._joined(group)
                group = []
        yield from self._joined(group)

    def _follows(self, last: _Unit, unit: _Unit) -> bool:
        """Returns whether two units can be in one stretch: one after the other, in one chunk, nothing between them."""
        is_next = last.words[-1] + 1 == unit.words[0] and unit.words[0] not in self._barriers
        return is_next and (last.channel, last.piece) == (unit.channel, unit.piece)

    def _cut_before(self, group: Sequence[_Unit]) -> int:
        """Returns the place of the unit before which a group is cut: behind the last sentence, or the longest pause."""
        places = range(1, len(group))
        ends = [at for at in places if self._words[group[at - 1].words[-1]].ends_sentence]
        return ends[-1] if ends else max(places, key=lambda at: (group[at].start - group[at - 1].end, at))

    def _joined(self, group: Sequence[_Unit]) -> Iterator[Stretch]:
        if not group:
            return
        words = [index for unit in group for index in unit.words]
        channel, start, end = group[0].channel, group[0].start, group[-1].end
        if end - start <= _LONGEST:
            yield from self._stretch(tuple(words), channel, start, end)
        else:
            yield from self._parts(words, _Place(channel, start, end))

    def _place(self, run: Run) -> _Place:
        heard = self._heard
        if run.heard_first < run.heard_last:
            channel = heard[run.heard_first].channel
        elif run.heard_first and not (run.first and self._words[run.first - 1].ends_sentence):
            channel = heard[run.heard_first - 1].channel
        else:
            channel = heard[min(run.heard_last, len(heard) - 1)].channel
        own = self._of_channel[channel]
        left, right = bisect_left(own, run.heard_first) - 1, bisect_left(own, run.heard_last)
        start = heard[own[left]].end if left >= 0 else 0
        end = heard[own[right]].start if right < len(own) else self._speech.end_of(channel)
        return _Place(channel, start, max(end, start))

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
        while right < len(self._words) and right - run.last < _CONTEXT_WORDS and right not in self._barriers:
            word = self._common(right, place.channel)
            if word is None or word.end - place.end > _CONTEXT_SAMPLES:
                break
            right, end = right + 1, word.end
        yield from self._stretch(tuple(range(left, right)), place.channel, start, end)

    def _common(self, index: int, channel: int | None) -> HeardWord | None:
        at = self._heard_at.get(index)
        if at is None or self._heard[at].channel != channel:
            return None
        return self._heard[at]

    def _parts(self, indices: list[int], place: _Place) -> Iterator[Stretch]:
        """Divides words over groups of spans of speech, by their letters."""
        groups: list[list[tuple[int, int]]] = []
        for span in self._cut(self._speech.inside(place.channel, place.start, place.end)):
            if (
                groups
                and span[1] - groups[-1][0][0] <= _LONGEST
                and self._speech.owner(place.channel, span) == self._speech.owner(place.channel, groups[-1][0])
            ):
                groups[-1].append(span)
            else:
                groups.append([span])
        speech = [sum(end - start for start, end in group) for group in groups]
        # Letters up to the middle of each word.
        letters = [len(self._words[index].form) for index in indices]
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

    def _stretch(self, words: tuple[int, ...], channel: int | None, start: int, end: int) -> Iterator[Stretch]:
        piece = self._speech.owner(channel, (start, end))
        if piece is None:
            return
        chunk = self._pieces[piece][0]
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
