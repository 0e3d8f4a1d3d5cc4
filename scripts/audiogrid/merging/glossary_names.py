"""Puts terms of the glossary in the place of what was heard, where the audio says so, and records every change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from audiogrid.aligning.name_verdicts import Verdict, verdicts
from audiogrid.aligning.names import NameFinder, NamePassage, ends_sentence, marks_beside, questions, spelt
from audiogrid.core.text import clean_text, join_words
from audiogrid.core.timebase import to_samples, to_seconds
from audiogrid.merging.stitch import PlacedSegment
from audiogrid.merging.track_text import TrackText
from audiogrid.records.aligned import AlignedChunk
from audiogrid.records.chunks import Chunk
from audiogrid.records.results import ChunkResult, Word

#: Why a chunk is missing that was decoded.
NOT_JUDGED = "its names are not judged"
# At seams words may be moved by so much.
_MOVED = to_samples(0.5)


@dataclass(frozen=True)
class NameSource:
    """Where terms and judgements come from.

    ``lookup``: from a chunk, its decoded result and what is asked about it to the stored answer, or ``None`` where it
    is missing. ``task``: from a chunk to the decoding option.
    """

    finder: NameFinder
    lookup: Callable[[Chunk, ChunkResult, Sequence[Mapping[str, Any]]], AlignedChunk | None]
    task: Callable[[Chunk], str] = lambda _: "transcribe"


@dataclass(frozen=True)
class NameResult:
    """Tracks with terms in place, what was changed as JSON, and a chunk whose answer is missing."""

    tracks: list[TrackText]
    changes: list[dict[str, Any]]
    missing: str = ""


@dataclass(frozen=True)
class _Found:
    """A passage with its chunk."""

    chunk: Chunk
    passage: NamePassage


def put_names(tracks: Sequence[TrackText], source: NameSource) -> NameResult:
    """Returns the tracks of a recording with terms where the audio says so."""
    found: list[_Found] = []
    scores: list[list[float]] = []
    missing = ""
    for track in tracks:
        for chunk, result in track.results():
            passages = source.finder.passages(chunk, result, source.task(chunk))
            if not passages:
                continue
            answer = source.lookup(chunk, result, questions(passages))
            if answer is None:
                missing = missing or chunk.chunk
                continue
            found += [_Found(chunk, passage) for passage in passages]
            scores += answer.scores
    decided = verdicts([one.passage for one in found], scores)
    chosen = [(one, verdict) for one, verdict in zip(found, decided, strict=True) if verdict is not None]
    made, changes = [], []
    for track in tracks:
        own = [pair for pair in chosen if pair[0].chunk.channel == track.channel]
        changed, noted = _put(track, own)
        made.append(changed)
        changes += noted
    changes.sort(key=lambda one: (one["start"], one.get("channel", -1)))
    return NameResult(made, changes, missing)


def _put(track: TrackText, chosen: Sequence[tuple[_Found, Verdict]]) -> tuple[TrackText, list[dict[str, Any]]]:
    if not chosen:
        return track, []
    segments = list(track.stitched.segments)
    by_chunk: dict[str, list[int]] = {}
    for number, placed in enumerate(segments):
        by_chunk.setdefault(placed.chunk, []).append(number)
    changes = []
    # From the end: the places of words before a change stay.
    for one, verdict in sorted(chosen, key=lambda pair: -pair[0].passage.start - pair[0].chunk.context_start):
        place = _place(segments, by_chunk.get(one.chunk.chunk, ()), one)
        if place is None:
            continue
        number, first = place
        words = segments[number].segment.words
        old = words[first : first + len(one.passage.words)]
        term = _as_begun(verdict.term, old[0].text, _before(segments, number, first))
        new = renamed_words(old, term)
        segments[number] = _with_words(segments[number], [*words[:first], *new, *words[first + len(old) :]])
        changes.append(
            {
                "start": to_seconds(old[0].start),
                "end": to_seconds(old[-1].end),
                "heard": _heard(old, term),
                "term": term,
                "heard_logprob": verdict.heard,
                "term_logprob": verdict.score,
                "reason": verdict.reason,
                **({} if track.channel is None else {"channel": track.channel}),
            }
        )
    return replace(track, stitched=replace(track.stitched, segments=segments)), changes


def _place(segments: Sequence[PlacedSegment], numbers: Sequence[int], one: _Found) -> tuple[int, int] | None:
    """Returns segment and word where a passage stands; ``None`` where a seam took it away."""
    start, texts = one.passage.start + one.chunk.context_start, [clean_text(text) for text in one.passage.words]
    best: tuple[int, int, int] | None = None
    for number in numbers:
        segment = segments[number].segment
        if segment.end < start - _MOVED or segment.start > start + _MOVED:
            continue
        words = segment.words
        for first in range(len(words) - len(texts) + 1):
            apart = abs(words[first].start - start)
            is_same = all(word.text == text for word, text in zip(words[first:], texts, strict=False))
            if apart <= _MOVED and is_same and (best is None or apart < best[0]):
                best = apart, number, first
    return None if best is None else best[1:]


def _heard(old: Sequence[Word], term: str) -> str:
    """Returns what a term takes the place of, so that putting it back gives the same words again."""
    opening, closing = marks_beside(term, [word.text for word in old])
    text = "".join(word.text for word in old)
    return text[len(opening) : len(text) - len(closing)].strip()


def _before(segments: Sequence[PlacedSegment], number: int, first: int) -> str:
    """Returns the word before word ``first`` of a segment; empty at the beginning of a recording."""
    earlier = segments[number].segment.words[:first]
    for at in range(number - 1, -1, -1):
        if earlier:
            break
        earlier = segments[at].segment.words
    return earlier[-1].text if earlier else ""


def _as_begun(term: str, heard: str, before: str) -> str:
    """Returns a term in small letters with a capital one where it begins a sentence, as what was heard does."""
    first = spelt(heard).core[:1]
    is_small = term == term.lower()
    begins = not before or ends_sentence(before)
    return term[:1].upper() + term[1:] if is_small and begins and first != first.lower() else term


def renamed_words(old: Sequence[Word], term: str) -> list[Word]:
    """Returns the words of a term in the place of others: their time shared by length, marks around them kept."""
    opening, closing = marks_beside(term, [word.text for word in old])
    parts = term.split()
    texts = [f"{opening if at == 0 else ' '}{part}" for at, part in enumerate(parts)]
    texts[-1] += closing
    probability = min(word.probability for word in old)
    if len(parts) == len(old):
        return [replace(word, text=text) for word, text in zip(old, texts, strict=True)]
    start, end = old[0].start, old[-1].end
    total, done, made = sum(map(len, parts)), 0, []
    for part, text in zip(parts, texts, strict=True):
        low = start + (end - start) * done // total
        done += len(part)
        made.append(Word(low, start + (end - start) * done // total, text, probability))
    return made


def _with_words(placed: PlacedSegment, words: list[Word]) -> PlacedSegment:
    segment = replace(placed.segment, start=words[0].start, end=words[-1].end, text=join_words(words), words=words)
    return PlacedSegment(placed.chunk, segment)
