"""Puts a given text in the place of what was heard: words with times, segments, and where text and audio disagree."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from audiogrid.aligning.aligned_key import windows_of
from audiogrid.aligning.anchoring import LEAST_FIT, Anchored, anchor
from audiogrid.aligning.differences import Difference, find_differences, is_inaudible
from audiogrid.aligning.given_text import read_given_text
from audiogrid.core.errors import InputError
from audiogrid.core.text import join_words
from audiogrid.core.timebase import to_samples, to_seconds
from audiogrid.merging.stitch import PlacedSegment, StitchedTrack
from audiogrid.merging.track_text import TrackText
from audiogrid.records.aligned import AlignedChunk, TimedWord
from audiogrid.records.chunks import Chunk
from audiogrid.records.results import ChunkResult, Segment, Word

#: Why a chunk is missing that was decoded.
NOT_ALIGNED = "the text of its recording is not aligned"
# An alignment that differs so much from decoding is not believed.
_FAR = to_samples(0.25)
# A segment ends at a pause this long.
_PAUSE = to_samples(0.8)


@dataclass(frozen=True)
class TextSource:
    """Where the text of a recording comes from.

    ``path``: the file. ``lookup``: from a chunk, its decoded result and the windows that are asked of it (as
    ``windows_of`` makes them) to the stored answer, or ``None`` where it is missing. ``fine``: every word is aligned.
    """

    path: str
    lookup: Callable[[Chunk, ChunkResult, list[dict[str, Any]]], AlignedChunk | None]
    fine: bool = False


@dataclass(frozen=True)
class TextResult:
    """Tracks with the given text. ``speakers``: who says each segment of the mix, by its start in seconds.

    ``missing``: a chunk whose answer is missing. ``problem``: why the text is not used; the tracks are as they were.
    """

    tracks: list[TrackText]
    speakers: dict[float, str]
    differences: list[dict[str, Any]]
    fit: float = 0.0
    problem: str = ""
    missing: str = ""


def apply_text(tracks: Sequence[TrackText], source: TextSource) -> TextResult:
    """Returns the tracks with the text of ``source`` in place of what was heard."""
    unchanged = TextResult(list(tracks), {}, [])
    try:
        words = read_given_text(Path(source.path))
    except InputError as error:
        return replace(unchanged, problem=f"its text is not used: {error}")
    pieces = [piece for track in tracks for piece in track.results()]
    anchored = anchor(words, pieces, everything=source.fine)
    if anchored.is_misfit:
        name = Path(source.path).name
        return replace(
            unchanged,
            fit=anchored.fit,
            problem=f"its text is not used: {anchored.fit:.0%} of what is heard is in {name}, less than "
            f"{LEAST_FIT:.0%}: is it the text of another recording?",
        )
    timed, missing = _timed(anchored, source)
    differences = find_differences(anchored, timed)
    placed = _placed(anchored, timed)
    names = {to_seconds(one.segment.start): speaker for one, speaker in placed.get(None, ()) if speaker}
    made = [
        replace(track, stitched=replace(track.stitched, segments=[one for one, _ in placed.get(track.channel, ())]))
        for track in tracks
    ]
    return TextResult(
        [replace(track, stitched=_outside_gaps(track.stitched)) for track in made],
        names,
        [_as_json(one) for one in differences],
        anchored.fit,
        missing=missing,
    )


def _as_json(one: Difference) -> dict[str, Any]:
    channel = {} if one.channel is None else {"channel": one.channel}
    return {
        "kind": one.kind,
        "start": to_seconds(one.start),
        "end": to_seconds(one.end),
        "text": one.text,
        "heard": one.heard,
        **channel,
    }


def _timed(anchored: Anchored, source: TextSource) -> tuple[dict[int, TimedWord], str]:
    """Returns the aligned words by index, in samples of their track, and a chunk whose answer is missing."""
    found: dict[int, TimedWord] = {}
    missing = ""
    for number, (chunk, result) in enumerate(anchored.pieces):
        windows = windows_of(anchored, number)
        if not windows:
            continue
        answer = source.lookup(chunk, result, windows)
        if answer is None:
            missing = missing or chunk.chunk
            continue
        own = [stretch for stretch in anchored.stretches if stretch.piece == number]
        for stretch, words in zip(own, answer.windows, strict=True):
            for index, word in zip(stretch.words, words, strict=True):
                start, end = word.start + chunk.context_start, word.end + chunk.context_start
                # Decoding is seldom far from the truth; an alignment that is has lost its way.
                is_second = stretch.heard and anchored.everything and index in found
                if is_second and abs(found[index].start - start) <= _FAR:
                    continue
                found[index] = TimedWord(start, end, word.probability)
    return found, missing


@dataclass(frozen=True)
class _Spot:
    """Where a word of the text is spoken."""

    index: int
    piece: int
    word: Word


def _spots(anchored: Anchored, timed: Mapping[int, TimedWord]) -> Iterator[_Spot]:
    """Yields the words that are spoken, in the order of the text.

    Words that were heard as written keep their probability of decoding.
    """
    stretch_of = {index: stretch for stretch in anchored.stretches for index in stretch.words}
    for number, run in enumerate(anchored.runs):
        if run.is_same:
            for offset in range(run.words):
                index, heard = run.first + offset, anchored.heard[run.heard_first + offset]
                one = timed.get(index, heard)
                word = Word(one.start, one.end, anchored.words[index].text, heard.probability)
                yield _Spot(index, heard.piece, word)
            continue
        if number in anchored.unheard or is_inaudible(anchored, run, timed):
            continue
        for index in range(run.first, run.last):
            if index in timed:
                one = timed[index]
                word = Word(one.start, one.end, anchored.words[index].text, one.probability)
                yield _Spot(index, stretch_of[index].piece, word)


def _placed(anchored: Anchored, timed: Mapping[int, TimedWord]) -> dict[int | None, list[tuple[PlacedSegment, str]]]:
    """Returns segments of the given text with their speakers, by channel."""
    spots: dict[int | None, list[_Spot]] = {}
    for spot in _spots(anchored, timed):
        spots.setdefault(anchored.pieces[spot.piece][0].channel, []).append(spot)
    return {channel: list(_segments(anchored, _in_order(found))) for channel, found in spots.items()}


def _in_order(spots: Sequence[_Spot]) -> list[_Spot]:
    """Returns words that do not overlap: where one begins, the one before it ends at the latest."""
    found = []
    following = spots[-1].word.end if spots else 0
    # From the end: no word ends after the next one begins; from the start: none begins before the last one does.
    for spot in reversed(spots):
        start = min(spot.word.start, following)
        end = min(max(spot.word.end, start), following)
        following = start
        found.append(replace(spot, word=replace(spot.word, start=start, end=end)))
    found.reverse()
    return found


def _segments(anchored: Anchored, spots: Sequence[_Spot]) -> Iterator[tuple[PlacedSegment, str]]:
    first = 0
    for index in range(1, len(spots) + 1):
        if index < len(spots) and not _ends(anchored, spots[index - 1], spots[index]):
            continue
        group = spots[first:index]
        first = index
        if group:
            yield _segment(anchored, group), anchored.words[group[0].index].speaker


def _ends(anchored: Anchored, last: _Spot, following: _Spot) -> bool:
    """Returns whether a segment ends between two words."""
    one, other = anchored.words[last.index], anchored.words[following.index]
    return (
        (one.paragraph, one.speaker) != (other.paragraph, other.speaker)
        or one.ends_sentence
        or last.piece != following.piece
        or following.word.start - last.word.end >= _PAUSE
    )


def _segment(anchored: Anchored, spots: Sequence[_Spot]) -> PlacedSegment:
    words = [spot.word for spot in spots]
    chunk, result = anchored.pieces[spots[0].piece]
    segment = replace(
        _nearest(result, words[0].start - chunk.context_start),
        start=words[0].start,
        end=words[-1].end,
        text=join_words(words),
        words=words,
    )
    return PlacedSegment(chunk.chunk, segment)


def _nearest(result: ChunkResult, sample: int) -> Segment:
    """Returns the decoded segment whose figures go with a moment."""
    if not result.segments:
        return Segment(0, 0, "", [], 0.0, 0.0, 0.0, 0.0, result.language, 0)
    at = bisect_right([segment.start for segment in result.segments], sample)
    return result.segments[max(0, at - 1)]


def _outside_gaps(stitched: StitchedTrack) -> StitchedTrack:
    """Returns a track without words that reach into a chunk without a result."""
    if not stitched.gaps:
        return stitched

    def is_outside(word: Word) -> bool:
        return not any(word.end > gap.start and word.start < gap.end for gap in stitched.gaps)

    segments = []
    for placed in stitched.segments:
        words = [word for word in placed.segment.words if is_outside(word)]
        if words:
            segment = replace(
                placed.segment, start=words[0].start, end=words[-1].end, text=join_words(words), words=words
            )
            segments.append(PlacedSegment(placed.chunk, segment))
    return replace(stitched, segments=segments)


def add_text(document: Mapping[str, Any], found: TextResult, source: TextSource) -> dict[str, Any]:
    """Returns the document with what is known of its text: where it differs from the audio, and who speaks."""
    if found.problem:
        return dict(document)
    segments = []
    for segment in document["segments"]:
        name = found.speakers.get(segment["start"], "")
        head = {key: segment[key] for key in ("id", "start", "end", "text", "language")}
        rest = {key: value for key, value in segment.items() if key not in head}
        segments.append({**head, "speaker": name, **rest} if name and "speaker" not in segment else segment)
    return {
        **document,
        "segments": segments,
        "differences": found.differences,
        "provenance": {**document["provenance"], "text": {"file": Path(source.path).name, "fit": found.fit}},
    }
