"""Searches an index: the lines that hold everything a query asks for, in the order of recordings and of time."""

from __future__ import annotations

import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from audiogrid.core.packed_numbers import unpack, unpack_rising
from audiogrid.core.search_terms import term_pattern
from audiogrid.merging.search_part import STEP_MS
from audiogrid.searching.index_files import Line, Posting, Recording, read_contents, read_part_file
from audiogrid.searching.query import Term, parse_query

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Positions = NDArray[np.int64]


def _plain(name: str) -> str:
    """Returns a name as it is compared; ``search.js`` does the same."""
    return unicodedata.normalize("NFC", name).lower()


@dataclass(frozen=True)
class Filter:
    """Which lines count. ``recording``: part of an id or file name; ``speaker``: part of a name; dates as in tables."""

    recording: str = ""
    language: str = ""
    speaker: str = ""
    since: str = ""
    until: str = ""

    def takes(self, one: Recording) -> bool:
        """Whether any line of a recording may count."""
        name = _plain(self.recording)
        return (
            (name in _plain(one.recording) or name in _plain(one.file))
            and self.language in ("", one.language)
            and (not self.speaker or any(map(self.takes_speaker, one.speakers)))
            and (not self.since or one.date[: len(self.since)] >= self.since)
            and (not self.until or "" < one.date[: len(self.until)] <= self.until)
        )

    def takes_speaker(self, name: str) -> bool:
        """Whether what a speaker says counts."""
        return _plain(self.speaker) in _plain(name)


@dataclass(frozen=True)
class Hit:
    """A line with what was looked for. ``seconds``: when the first of it is said; ``found``: spans of its text."""

    recording: Recording
    speaker: str
    seconds: float
    text: str
    found: list[tuple[int, int]]


class SearchIndex:
    """An index on disk. Raises ``InputError`` where a file of it is missing or damaged."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.contents = read_contents(folder)
        self._lines = lru_cache(maxsize=64)(self._read_lines)

    def _postings(self, term: Term) -> Iterator[Posting]:
        """Yields the postings of a term, or of all terms with a beginning."""
        terms = self.contents.terms
        for number in range(max(0, bisect_left(terms, term.text) - 1), len(terms)):
            if terms[number] > term.text and not (term.is_prefix and terms[number].startswith(term.text)):
                return
            for raw in read_part_file(self._folder, f"p{number}"):
                posting = Posting(*raw)
                if posting.term == term.text or (term.is_prefix and posting.term.startswith(term.text)):
                    yield posting

    def positions(self, term: Term) -> Positions:
        """Returns all positions of a term, in their order."""
        found = [np.asarray([p.first, *unpack_rising(p.steps, p.first)], np.int64) for p in self._postings(term)]
        if not found:
            return np.zeros(0, np.int64)
        together = np.concatenate(found)
        return np.unique(together) if term.is_prefix else together

    def _phrase(self, terms: Sequence[Term]) -> Positions:
        """Returns the positions at which a phrase begins."""
        starts: Positions | None = None
        for number, term in enumerate(terms):
            found = self.positions(term) - number
            starts = found if starts is None else np.intersect1d(starts, found, assume_unique=True)
            if not len(starts):
                break
        return starts if starts is not None else np.zeros(0, np.int64)

    def recordings(self) -> Iterator[Recording]:
        """Yields all recordings."""
        for number in range(len(self.contents.recordings) - 1):
            for raw in read_part_file(self._folder, f"r{number}"):
                yield Recording(*raw)

    def _read_lines(self, number: int) -> tuple[list[Line], list[int]]:
        """Returns the lines of a file, and the first position of each, and of what follows."""
        lines = [Line(*raw) for raw in read_part_file(self._folder, f"l{number}")]
        firsts = [self.contents.lines[number]]
        for line in lines:
            firsts.append(firsts[-1] + len(unpack(line.times)))
        return lines, firsts

    def search(self, query: str, only: Filter | None = None) -> Iterator[Hit]:
        """Yields the lines in which all that a query asks for is said, in order."""
        phrases = parse_query(query)
        if not phrases or not self.contents.words:
            return
        starts = self.positions(Term(""))
        found: list[tuple[Positions, Positions]] = []
        numbers: Positions | None = None
        for terms in phrases:
            at = self._phrase(terms)
            lines = np.searchsorted(starts, at, side="right") - 1
            # A phrase does not run on into the next line.
            inside = np.searchsorted(starts, at + len(terms) - 1, side="right") - 1 == lines
            at, lines = at[inside], lines[inside]
            found.append((at, lines))
            numbers = np.unique(lines) if numbers is None else np.intersect1d(numbers, lines)
        assert numbers is not None
        recordings = list(self.recordings())
        firsts = [one.first for one in recordings]
        only = only or Filter()
        for number in numbers.tolist():
            one = recordings[bisect_right(firsts, int(starts[number])) - 1]
            if only.takes(one):
                marks = [
                    (int(start), len(terms))
                    for (at, lines), terms in zip(found, phrases, strict=True)
                    for start in at[np.searchsorted(lines, number) : np.searchsorted(lines, number, side="right")]
                ]
                hit = self._hit(int(starts[number]), one, marks, only)
                if hit is not None:
                    yield hit

    def _hit(self, first: int, one: Recording, marks: Sequence[tuple[int, int]], only: Filter) -> Hit | None:
        """Returns the line that begins at a position. ``marks``: position and number of terms of what is found."""
        lines, firsts = self._lines(bisect_right(self.contents.lines, first) - 1)
        line = lines[bisect_right(firsts, first) - 1]
        speaker = one.speakers[line.speaker] if line.speaker >= 0 else ""
        if only.speaker and not only.takes_speaker(speaker):
            return None
        times = unpack_rising(line.times, line.start)
        terms = list(term_pattern().finditer(line.text))
        spans = [(terms[at - first].start(), terms[at - first + count - 1].end()) for at, count in sorted(marks)]
        seconds = times[min(at for at, _ in marks) - first] * STEP_MS / 1000
        return Hit(one, speaker, seconds, line.text, spans)


def as_json(hit: Hit) -> dict[str, Any]:
    """Returns a hit as a JSON value."""
    return {
        "recording": hit.recording.recording,
        "seconds": hit.seconds,
        "speaker": hit.speaker,
        "language": hit.recording.language,
        "date": hit.recording.date,
        "text": hit.text,
        "found": [list(span) for span in hit.found],
    }
