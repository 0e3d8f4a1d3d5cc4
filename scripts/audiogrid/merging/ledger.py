"""The ledger of a recording: what became of its every sample. Spans tile the recording, without gaps or overlaps.

Speech is what voice detection found when a chunk was decoded, and wherever a word is. What the rest holds was told when
the recording was cut. Everything here is one pass over ordered spans.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.merging.track_text import TrackText
from audiogrid.records.chunks import Chunk
from audiogrid.records.ledger import (
    CUT_OFF,
    DAMAGED,
    FAILED,
    NO_SPEECH,
    NO_WORDS,
    NOT_READ,
    NOTHING,
    REASONS,
    UNREADABLE,
    WITHHELD,
    WORDS,
    LedgerSpan,
)
from audiogrid.records.results import ChunkResult, Window

# Longer stretches of speech without a word were, in measurements, words that the model had lost. The quality rules
# of decoding have the same limit (max_unspoken_seconds).
_LONGEST_PAUSE = SAMPLE_RATE * 4 // 5
# The longest that a word can take: this, and this for every letter. A longer one was stretched over lost speech.
_LONGEST_WORD, _LONGEST_LETTER = SAMPLE_RATE * 7 // 10, SAMPLE_RATE * 12 // 100
_NEAR_DAMAGE = SAMPLE_RATE
# Which of several channels counts: a second with lost speech on one of them is a second with lost speech.
_RANK = {NO_WORDS: 3, UNREADABLE: 2, WORDS: 1, NO_SPEECH: 0}
_REASON_RANK = {reason: -number for number, (_, reason) in enumerate(REASONS)}


_Piece = tuple[int, int]


def _painted(below: Iterable[LedgerSpan], above: Sequence[LedgerSpan]) -> Iterator[LedgerSpan]:
    """Yields ``below`` with ``above`` in place of it where both are; each is ordered and free of overlaps.

    What of ``above`` no span of ``below`` covers is left out.
    """
    at = 0
    for span in below:
        start = span.start
        while at < len(above) and above[at].end <= start:
            at += 1
        index = at
        while index < len(above) and above[index].start < span.end:
            one = above[index]
            if one.start > start:
                yield span._replace(start=start, end=one.start)
            start = min(one.end, span.end)
            yield one._replace(start=max(one.start, span.start), end=start)
            index += 1
        if start < span.end:
            yield span._replace(start=start)


def joined(spans: Iterable[LedgerSpan]) -> Iterator[LedgerSpan]:
    """Yields the spans, empty ones left out, neighbours that are alike as one."""
    held: LedgerSpan | None = None
    for span in spans:
        if span.end <= span.start:
            continue
        if held is not None and held[2:] == span[2:] and held.end == span.start:
            held = held._replace(end=span.end)
            continue
        if held is not None:
            yield held
        held = span
    if held is not None:
        yield held


def _letters(text: str) -> int:
    return sum(map(str.isalnum, text))


def _worded(track: TrackText) -> list[_Piece]:
    """Returns the spans of words, pauses below 0.8 s between them included; a word that is too long counts in part."""
    found: list[_Piece] = []
    for word in track.stitched.words:
        end = max(word.start + 1, min(word.end, word.start + _LONGEST_WORD + _LONGEST_LETTER * _letters(word.text)))
        if found and word.start - found[-1][1] < _LONGEST_PAUSE:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((word.start, end))
    return found


def _speech(chunk: Chunk, result: ChunkResult) -> Iterator[_Piece]:
    """Yields the speech of the span that a chunk owns, in samples of the track."""
    for start, end in result.speech:
        first, last = max(start + chunk.context_start, chunk.start), min(end + chunk.context_start, chunk.end)
        if first < last:
            yield first, last


def _without(span: _Piece, words: Sequence[_Piece], at: int) -> Iterator[tuple[_Piece, bool]]:
    """Yields the parts of a span without words and whether a word stands beside it. ``at``: the first word to look at.

    A word touches the span if it begins or ends at its edge.
    """
    start, end = span
    beside = False
    while at < len(words) and words[at][0] <= end:
        first, last = words[at]
        at += 1
        if last < start:
            continue
        if first > start:
            yield (start, first), True
        start, beside = max(start, last), True
    if start < end:
        yield (start, end), beside


def _lost(words: Sequence[_Piece], track: TrackText) -> Iterator[tuple[_Piece, bool, Chunk, ChunkResult]]:
    """Yields stretches of speech outside of words, whether each is just the edge of a word, its chunk and result."""
    at = 0
    for chunk, result in track.results():
        for span in _speech(chunk, result):
            while at < len(words) and words[at][1] < span[0]:
                at += 1
            for piece, beside in _without(span, words, at):
                yield piece, beside and piece[1] - piece[0] <= _LONGEST_PAUSE, chunk, result


def _is_withheld(piece: _Piece, chunk: Chunk, windows: Sequence[Window]) -> bool:
    """Whether the words of the window in which a stretch of speech lies were left out."""
    middle = (piece[0] + piece[1]) // 2 - chunk.context_start
    return any(
        window.start <= middle < window.end and (window.kept == "nothing" or "loop_cut" in window.flags)
        for window in windows
    )


def _spoken(track: TrackText, unreadable: Sequence[LedgerSpan]) -> list[LedgerSpan]:
    """Returns the speech of a track, with and without words, ordered."""
    words = _worded(track)
    spans = [LedgerSpan(start, end, WORDS) for start, end in words]
    damage = iter([*unreadable, None])
    near = next(damage)
    for piece, is_edge, chunk, result in _lost(words, track):
        if is_edge:
            spans.append(LedgerSpan(*piece, WORDS))
            continue
        while near is not None and near.end + _NEAR_DAMAGE <= piece[0]:
            near = next(damage)
        reason = NOTHING
        if near is not None and near.start - _NEAR_DAMAGE < piece[1]:
            reason = DAMAGED
        if _is_withheld(piece, chunk, result.windows):
            reason = WITHHELD
        spans.append(LedgerSpan(*piece, NO_WORDS, reason))
    return _disjoint(sorted(spans))


def _disjoint(spans: Iterable[LedgerSpan]) -> list[LedgerSpan]:
    """Returns ordered spans without what an earlier one covers."""
    found: list[LedgerSpan] = []
    for span in spans:
        start = max(span.start, found[-1].end if found else 0)
        if start < span.end:
            found.append(span._replace(start=start))
    return found


def _ground(track: TrackText) -> Iterator[LedgerSpan]:
    """Yields what the track holds apart from speech: it tiles the track, and what a recording lacks at its end."""
    at = 0
    for chunk, _, _ in track.pieces:
        for sound in chunk.sounds:
            if sound.start > at:
                yield LedgerSpan(at, sound.start, NO_SPEECH)
            start = max(at, sound.start)
            kind = UNREADABLE if sound.kind in (DAMAGED, CUT_OFF) else NO_SPEECH
            yield LedgerSpan(start, sound.end, kind, sound.kind)
            at = max(at, sound.end)
        if chunk.end > at:
            yield LedgerSpan(at, chunk.end, NO_SPEECH)
            at = chunk.end


def _track_ledger(track: TrackText) -> Iterator[LedgerSpan]:
    ground = [span for span in _ground(track) if span.end > span.start]
    unreadable = [span for span in ground if span.kind == UNREADABLE]
    gaps = [LedgerSpan(gap.start, gap.end, NO_WORDS, FAILED) for gap in track.stitched.gaps]
    return joined(_painted(_painted(_painted(ground, _spoken(track, unreadable)), gaps), unreadable))


def _importance(span: LedgerSpan) -> tuple[int, int]:
    return _RANK[span.kind], _REASON_RANK.get(span.reason, 0)


def _together(tracks: Mapping[int, Iterator[LedgerSpan]]) -> Iterator[LedgerSpan]:
    """Yields one ledger for several channels (from 1): at each sample the one that a reader must know of."""
    now: dict[int, LedgerSpan] = {}
    at = 0
    heap: list[tuple[int, int]] = []

    def advance(channel: int) -> None:
        following = next(tracks[channel], None)
        if following is None:
            now.pop(channel, None)
        else:
            now[channel] = following
            heapq.heappush(heap, (following.end, channel))

    for channel in tracks:
        advance(channel)
    while heap:
        end = heap[0][0]
        most = max(now.values(), key=_importance)
        alike = tuple(channel for channel in sorted(now) if now[channel][2:4] == most[2:4])
        yield LedgerSpan(at, end, most.kind, most.reason, alike)
        at = end
        while heap and heap[0][0] == end:
            advance(heapq.heappop(heap)[1])


def make_ledger(tracks: Sequence[TrackText], *, is_delivered: bool = True) -> list[LedgerSpan]:
    """Returns the ledger of a recording: spans that tile it, from sample 0 on, neighbours never alike.

    Where the recording has several channels, a span says what a reader must know of any of them: speech without words
    comes first, then audio that cannot be read, then words. A recording that was cut off ends with a span for what is
    missing. ``is_delivered``: false where it has no transcript, so that words count as speech without words.
    """
    heard = [track for track in tracks if track.samples]
    if len(heard) == 1 and heard[0].channel is None:
        spans = _track_ledger(heard[0])
    else:
        by_channel = {(track.channel or 0) + 1: _track_ledger(track) for track in heard}
        spans = joined(_together(by_channel))
    if not is_delivered:
        spans = joined(_changed(spans, lambda span: span.kind == WORDS, NO_WORDS, FAILED))
    return list(spans)


def _changed(
    spans: Iterable[LedgerSpan], which: Callable[[LedgerSpan], bool], kind: str, reason: str
) -> Iterator[LedgerSpan]:
    for span in spans:
        yield span._replace(kind=kind, reason=reason) if which(span) else span


def unread_ledger(samples: int, *, was_read: bool) -> list[LedgerSpan]:
    """Returns the ledger of a recording without chunks: it could not be read, or was not reached (``was_read``)."""
    kind, reason = (NO_WORDS, FAILED) if was_read else (UNREADABLE, NOT_READ)
    return [LedgerSpan(0, samples, kind, reason)] if samples > 0 else []
