"""Puts the segments of several channels into one order, cut where the speakers take turns."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace

from audiogrid.core.text import join_words
from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.merging.stitch import PlacedSegment
from audiogrid.merging.track_text import TrackText
from audiogrid.records.results import Word

#: A segment is cut at a pause of at least this many samples if another channel starts to speak in it.
TURN_PAUSE = 3 * SAMPLE_RATE // 10


def _turns(placed: PlacedSegment, others: Sequence[int]) -> Iterator[PlacedSegment]:
    """Yields a segment in parts, cut at pauses in which another channel starts to speak.

    ``others``: ascending starts of the other channels' words.
    """
    words = placed.segment.words
    first = 0
    for index in range(1, len(words)):
        pause = words[index].start - words[index - 1].end
        if pause < TURN_PAUSE:
            continue
        taken = bisect_left(others, words[index - 1].end)
        if taken < len(others) and others[taken] < words[index].start:
            yield _part(placed, words[first:index])
            first = index
    yield _part(placed, words[first:]) if first else placed


def _part(placed: PlacedSegment, words: list[Word]) -> PlacedSegment:
    text = join_words(words)
    segment = replace(placed.segment, start=words[0].start, end=words[-1].end, text=text, words=words)
    return PlacedSegment(placed.chunk, segment)


def interleave(tracks: Sequence[TrackText]) -> list[tuple[int | None, PlacedSegment]]:
    """Returns the segments of all tracks with their channel, ordered by start; turns are separate segments."""
    if len(tracks) == 1:
        return [(tracks[0].channel, placed) for placed in tracks[0].stitched.segments]
    starts = [[word.start for word in track.stitched.words] for track in tracks]
    merged: list[tuple[int | None, PlacedSegment]] = []
    for number, track in enumerate(tracks):
        others = sorted(start for other, rest in enumerate(starts) if other != number for start in rest)
        for placed in track.stitched.segments:
            merged.extend((track.channel, turn) for turn in _turns(placed, others))
    return sorted(merged, key=lambda entry: (entry[1].segment.start, entry[0] or 0))
