"""The words that decoding a recording has found, in one order, with times of their track."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from audiogrid.aligning.given_text import split_words
from audiogrid.core.text import comparison_form
from audiogrid.records.chunks import Chunk
from audiogrid.records.results import ChunkResult, Segment, Word

#: A chunk with its result; empty chunks and gaps are not among them.
Piece = tuple[Chunk, ChunkResult]


@dataclass(frozen=True, slots=True)
class HeardWord:
    """A word with its span in samples of its track. ``piece``: number of its chunk; ``begins``: a segment does."""

    start: int
    end: int
    form: str
    text: str
    probability: float
    piece: int
    channel: int | None
    begins: bool


def heard_words(pieces: Sequence[Piece]) -> list[HeardWord]:
    """Returns the words of all chunks, of all channels, each from the chunk that owns its middle.

    Segments of several channels follow each other by their starts, so that a text with both speakers can be matched.
    """
    segments = [
        (segment.start + chunk.context_start, number, chunk, segment)
        for number, (chunk, result) in enumerate(pieces)
        for segment in result.segments
    ]
    segments.sort(key=lambda one: (one[0], one[1]))
    return [word for _, number, chunk, segment in segments for word in _words_of(number, chunk, segment)]


def _words_of(number: int, chunk: Chunk, segment: Segment) -> Iterator[HeardWord]:
    begins = True
    for word in _split(segment.words):
        form = comparison_form(word.text)
        start, end = word.start + chunk.context_start, word.end + chunk.context_start
        if form and chunk.start <= (start + end) // 2 < chunk.end:
            yield HeardWord(start, end, form, word.text, word.probability, number, chunk.channel, begins)
            begins = False


def _split(words: Iterable[Word]) -> Iterator[Word]:
    """Yields words as ``split_words`` cuts a text: characters in scripts without spaces, with a share of the time."""
    for word in words:
        parts = list(split_words(word.text))
        if len(parts) < 2:
            yield word
            continue
        step = (word.end - word.start) / len(parts)
        for index, part in enumerate(parts):
            start = word.start + round(index * step)
            yield Word(start, word.start + round((index + 1) * step), part, word.probability)
