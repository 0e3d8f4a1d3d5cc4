"""Joins the chunks of a track into one text: every word once, in order, with times of the track.

A word belongs to the chunk that owns its midpoint. Where two chunks have heard the same audio,
``overlaps.join_overlap`` makes sure that a word which both place at slightly different times is
neither lost nor doubled. This module reads and writes no files; all times are samples.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from audiogrid.core.errors import AudiogridError
from audiogrid.core.text import clean_text, join_words
from audiogrid.core.timebase import clock
from audiogrid.merging.overlaps import JoinedOverlap, join_overlap, middle
from audiogrid.records.chunks import Chunk
from audiogrid.records.results import ChunkResult, Segment, Word

#: Number of words on each side of a seam that its audit quotes.
QUOTED = 4
UNKNOWN_REASON = "no result"


_REMEDY = "please report it; remove the folder shards/ of the run and run again"


class StitchError(AudiogridError):
    """The chunks or words of a track are inconsistent: a defect of the program, never caused by the input."""


@dataclass(frozen=True)
class Gap:
    """A chunk without a result: ``[start, end)`` in samples of the track."""

    start: int
    end: int
    chunk: str
    reason: str


@dataclass(frozen=True)
class SeamAudit:
    """How two chunks were joined: the words on both sides and, at a hard seam, both readings of the overlap.

    ``agreement``: share of the overlap's words that both sides read alike, 0 to 1 (hard seams only).
    ``dropped``: words read only by the chunk that does not own them. ``rescued``: such words that were
    kept because the owner has no word at that time.
    """

    at: int
    kind: str
    margin: int
    before: str
    after: str
    agreement: float | None = None
    left: str | None = None
    right: str | None = None
    dropped: list[str] = field(default_factory=list)
    rescued: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class PlacedSegment:
    """A segment in track time and the chunk it comes from."""

    chunk: str
    segment: Segment


@dataclass(frozen=True)
class StitchedTrack:
    """The text of a track. ``spans``: (chunk, start, end) owned by every chunk, in order."""

    segments: list[PlacedSegment]
    seams: list[SeamAudit]
    gaps: list[Gap]
    spans: list[tuple[str, int, int]]

    @property
    def words(self) -> list[Word]:
        """Every word of the track."""
        return [word for placed in self.segments for word in placed.segment.words]


@dataclass(frozen=True)
class _Source:
    """Where a word comes from: piece and segment, by number."""

    piece: int
    segment: int


_Reading = list[tuple[Word, _Source]]


def _spread(segment: Segment) -> list[Word]:
    """Returns the words of a segment; without word times its text is spread evenly over its time."""
    if segment.words or not segment.text.strip():
        return segment.words
    pieces = segment.text.split()
    total = sum(map(len, pieces))
    probability = min(1.0, math.exp(min(0.0, segment.avg_logprob)))
    words, done = [], 0
    for piece in pieces:
        start = segment.start + (segment.end - segment.start) * done // total
        done += len(piece)
        end = segment.start + (segment.end - segment.start) * done // total
        words.append(Word(start, end, f" {piece}", probability))
    return words


def _reading(number: int, chunk: Chunk, result: ChunkResult, samples: int) -> _Reading:
    """Returns all words of a chunk in track time, clipped to the span that was decoded."""
    first = max(0, chunk.context_start)
    last = min(samples, chunk.context_end)
    reading: _Reading = []
    latest = first
    order = sorted(range(len(result.segments)), key=lambda index: result.segments[index].start)
    for index in order:
        source = _Source(number, index)
        for word in _spread(result.segments[index]):
            text = clean_text(word.text)
            if not text.strip():
                continue
            start = min(max(word.start + chunk.context_start, latest), last)
            end = min(max(word.end + chunk.context_start, start), last)
            reading.append((Word(start, end, text, word.probability), source))
            latest = start
    return reading


# What both chunks may have heard: at a hard seam the words that reach into, or touch, what both have decoded; in a
# pause, where nothing but mistimed words of either side is to be expected, those with their midpoint in it.


def _tail(reading: _Reading, at: int, hard: bool) -> int:
    """Returns the index of the first word that a chunk whose audio starts at ``at`` may have decoded, too."""
    index = len(reading)
    while index > 0 and (reading[index - 1][0].end >= at if hard else middle(reading[index - 1][0]) >= at):
        index -= 1
    return index


def _head(reading: _Reading, at: int, hard: bool) -> int:
    """Returns how many of the first words a chunk whose audio ends at ``at`` may have decoded, too."""
    index = 0
    while index < len(reading) and (reading[index][0].start <= at if hard else middle(reading[index][0]) < at):
        index += 1
    return index


def _audit(chunk: Chunk, done: _Reading, right: _Reading, union: JoinedOverlap, zone: tuple[str, str]) -> SeamAudit:
    seam = chunk.left
    cut = len(done) - len(right) - (len(union.kept) - union.cut)
    hard = seam.kind == "hard"
    return SeamAudit(
        at=chunk.start,
        kind=seam.kind,
        margin=seam.margin,
        before=join_words(word for word, _ in done[max(0, cut - QUOTED) : cut]),
        after=join_words(word for word, _ in done[cut : cut + QUOTED]),
        agreement=union.agreement if hard else None,
        left=zone[0] if hard else None,
        right=zone[1] if hard else None,
        dropped=union.dropped,
        rescued=union.rescued,
    )


def _add(done: _Reading, reading: _Reading, left: Chunk, chunk: Chunk) -> SeamAudit:
    """Append the words of a chunk to ``done``, whose last words may lie inside this chunk."""
    hard = chunk.left.kind == "hard"
    tail = _tail(done, min(chunk.context_start, chunk.start), hard)
    head = _head(reading, max(left.context_end, chunk.start), hard)
    ours, theirs, rest = done[tail:], reading[:head], reading[head:]
    union = join_overlap([word for word, _ in ours], [word for word, _ in theirs], chunk.start, hard)
    del done[tail:]
    done.extend((ours, theirs)[kept.side][kept.index] for kept in union.kept)
    done.extend(rest)
    return _audit(
        chunk, done, rest, union, (join_words(word for word, _ in ours), join_words(word for word, _ in theirs))
    )


def _before(reading: _Reading, at: int) -> _Reading:
    """Returns the words that begin before ``at``, clipped there: what follows is a gap."""
    return [(replace(word, end=min(word.end, at)), source) for word, source in reading if word.start < at]


def _after(reading: _Reading, at: int) -> _Reading:
    """Returns the words that end after ``at``, clipped to begin there at the earliest."""
    return [
        (replace(word, start=max(word.start, at)), source)
        for word, source in reading
        if max(word.start + 1, word.end) > at
    ]


def _without_overlaps(reading: _Reading) -> _Reading:
    """Returns the same words with ascending starts and without overlapping spans."""
    clean: _Reading = []
    for word, source in reading:
        start, end = word.start, word.end
        if clean:
            last, last_source = clean[-1]
            start = max(start, last.start)
            end = max(end, start)
            if last.end > start:
                # Two overlapping words meet in the middle of their overlap.
                start = min((last.end + start) // 2, end)
                clean[-1] = (Word(last.start, start, last.text, last.probability), last_source)
        if (start, end) != (word.start, word.end):
            word = Word(start, end, word.text, word.probability)
        clean.append((word, source))
    return clean


def _segments(reading: _Reading, pieces: Sequence[tuple[Chunk, ChunkResult | None]]) -> list[PlacedSegment]:
    """Groups consecutive words of one decoded segment; the group keeps that segment's figures."""
    runs: list[tuple[_Source, list[Word]]] = []
    for word, source in reading:
        if not runs or runs[-1][0] is not source:
            runs.append((source, []))
        runs[-1][1].append(word)
    placed = []
    for source, words in runs:
        chunk, result = pieces[source.piece]
        assert result is not None
        segment = replace(
            result.segments[source.segment],
            start=words[0].start,
            end=words[-1].end,
            text=join_words(words),
            words=words,
        )
        placed.append(PlacedSegment(chunk.chunk, segment))
    return placed


def stitch(
    pieces: Sequence[tuple[Chunk, ChunkResult | None]], reasons: Mapping[str, str] | None = None
) -> StitchedTrack:
    """One text out of the chunks of one track.

    ``pieces``: every chunk of the track, in order, with its result; ``None`` leaves a gap, for the
    reason ``reasons`` gives for that chunk. Empty chunks need no result.
    """
    owners = [(number, chunk, result) for number, (chunk, result) in enumerate(pieces) if not chunk.is_empty]
    samples = max((chunk.end for _, chunk, _ in owners), default=0)
    done: _Reading = []
    seams, gaps = [], []
    left: Chunk | None = None
    barrier = 0
    for number, chunk, result in owners:
        if result is None:
            reason = (reasons or {}).get(chunk.chunk, UNKNOWN_REASON)
            gaps.append(Gap(chunk.start, chunk.end, chunk.chunk, reason))
            done = _before(done, chunk.start)
            left, barrier = None, chunk.end
            continue
        reading = _reading(number, chunk, result, samples)
        if left is None:
            done.extend(_after(reading, barrier) if barrier else reading)
        else:
            # What was heard before a gap's end is not known to be whole: it stays out.
            seams.append(_add(done, _after(reading, barrier) if barrier else reading, left, chunk))
        left = chunk
    spans = [(chunk.chunk, chunk.start, chunk.end) for _, chunk, _ in owners]
    return StitchedTrack(_segments(_without_overlaps(done), pieces), seams, gaps, spans)


def _at(samples: int) -> str:
    return f"{clock(samples)} (sample {samples})"


def check_track(stitched: StitchedTrack, samples: int, track: str = "the track") -> None:
    """Check that the text of a track is consistent; runs on every merge.

    Every sample of ``[0, samples)`` is owned by exactly one chunk; words and segments are in order, do not
    overlap, lie inside the track and out of the gaps. Raises ``StitchError`` naming track, time and defect.
    """
    expected = 0
    for chunk, start, end in stitched.spans:
        if start != expected:
            defect = "belongs to no chunk" if start > expected else "belongs to two chunks"
            raise StitchError(f"{track}: audio at {_at(min(start, expected))} {defect} (chunk {chunk}): {_REMEDY}")
        expected = end
    if expected != samples:
        raise StitchError(f"{track}: chunks end at {_at(expected)}, the audio at {_at(samples)}: {_REMEDY}")
    latest = 0
    gaps = iter([*stitched.gaps, None])
    gap = next(gaps)
    for placed in stitched.segments:
        words = placed.segment.words
        if not words or (placed.segment.start, placed.segment.end) != (words[0].start, words[-1].end):
            raise StitchError(f"{track}: a segment of {placed.chunk} does not span its words")
        for word in words:
            if not latest <= word.start <= word.end <= samples:
                raise StitchError(f"{track}: word {word.text!r} of {placed.chunk} is out of order at {_at(word.start)}")
            while gap is not None and gap.end <= word.start:
                gap = next(gaps)
            if gap is not None and word.end > gap.start:
                raise StitchError(f"{track}: word {word.text!r} of {placed.chunk} lies in the gap {gap.chunk}")
            latest = word.end
