"""Names of a chunk: which words are judged against which terms, and with what audio around them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from audiogrid.aligning.glossary_file import Glossary
from audiogrid.aligning.name_candidates import DOUBTFUL, Candidate, SpokenWord, TermIndex
from audiogrid.core.language_codes import written_in
from audiogrid.core.timebase import to_samples
from audiogrid.records.chunks import Chunk
from audiogrid.records.results import ChunkResult, Segment, Word

# Words around a passage that are judged with it, and audio around them.
_CONTEXT_WORDS = 2
_MARGIN = to_samples(0.2)
_LONGEST = to_samples(20.0)
# An ordinary word is one only if the model gives it at least this probability.
_DOUBTED_ANYWAY = 0.6
_APOSTROPHES = "'’"


@dataclass(frozen=True)
class Spelt:
    """A word in parts: space and marks before it, its letters, and what follows them: marks, ``'s``."""

    opening: str
    core: str
    closing: str


def spelt(text: str) -> Spelt:
    """Returns a word of a transcript in parts. ``Anna's,`` has the core ``Anna``."""
    letters = [at for at, char in enumerate(text) if char.isalnum() or unicodedata.category(char).startswith("M")]
    if not letters:
        return Spelt(text, "", "")
    first, last = letters[0], letters[-1] + 1
    if last - first > 3 and text[last - 1] in "sS" and text[last - 2] in _APOSTROPHES:
        last -= 2
    return Spelt(text[:first], text[first:last], text[last:])


def marks_beside(term: str, old: Sequence[str]) -> tuple[str, str]:
    """Returns the marks before and after the words ``old`` that stay where a term takes their place.

    Those that the term has itself are not doubled: ``Sothebee's,`` becomes ``Sotheby's,`` and ``Yahu!`` ``Yahoo!``.
    """
    opening, closing = spelt(old[0]).opening, spelt(old[-1]).closing
    own = spelt(term)
    before, after = own.opening.replace("’", "'"), own.closing.replace("’", "'")
    marks = opening.lstrip()
    doubled = max((n for n in range(len(marks) + 1) if before.startswith(marks[len(marks) - n :])), default=0)
    opening = opening[: len(opening) - doubled]
    plain = closing.replace("’", "'")
    doubled = max((n for n in range(len(plain) + 1) if after.endswith(plain[:n])), default=0)
    return opening, closing[doubled:]


@dataclass(frozen=True)
class NamePassage:
    """Words ``[first, last)`` of a segment of a chunk, and how they may be read.

    ``readings``: what may stand there, with the marks around it: first the words that were heard, then the terms of
    ``candidate``. ``words``: texts of the words. ``start``, ``end``: in samples of the chunk. ``question``: what is
    asked about it, as JSON has it.
    """

    segment: int
    first: int
    last: int
    candidate: Candidate
    words: tuple[str, ...]
    readings: tuple[str, ...]
    start: int
    end: int
    question: dict[str, Any]

    @property
    def heard(self) -> str:
        """What was heard, without marks around it."""
        opening, closing = spelt(self.words[0]).opening, spelt(self.words[-1]).closing
        text = "".join(self.words)
        return text[len(opening) : len(text) - len(closing)].strip()


class NameFinder:
    """Finds passages for the terms of a glossary; the terms of each language are prepared once."""

    def __init__(self, glossary: Glossary) -> None:
        self._glossary = glossary
        self._indexes: dict[str, TermIndex] = {}

    def passages(self, chunk: Chunk, result: ChunkResult, task: str = "transcribe") -> list[NamePassage]:
        """Returns the passages of a chunk that have to be judged, or must not stay, in order.

        ``task``: the decoding option: terms are those of the language in which the text is written.
        """
        offset = chunk.context_start
        ordinary = _ordinary_words(result)
        found = []
        for number, segment in enumerate(result.segments):
            own = [chunk.start <= (word.start + word.end) // 2 + offset < chunk.end for word in segment.words]
            language = segment.language or result.language
            candidates = [
                one.moved(first)
                for first, last in _runs(segment.words, own)
                for one in self._index(written_in(language, task)).candidates(
                    list(_spoken(segment.words, first, last, ordinary))
                )
                if one.terms
            ]
            for window, inside in _windows(segment.words, candidates):
                found += [_passage(number, segment, one, window, language, result.samples) for one in inside]
        return found

    def _index(self, language: str) -> TermIndex:
        if language not in self._indexes:
            self._indexes[language] = TermIndex(self._glossary.terms, language)
        return self._indexes[language]


def _ordinary_words(result: ChunkResult) -> frozenset[str]:
    """Returns the words that the model has heard without doubt somewhere in a chunk, and writes in small letters."""
    words = (word for segment in result.segments for word in segment.words if word.probability >= DOUBTFUL)
    cores = (spelt(word.text).core for word in words)
    return frozenset(core for core in cores if core == core.lower())


def _spoken(words: Sequence[Word], first: int, last: int, ordinary: frozenset[str]) -> Iterator[SpokenWord]:
    """Yields words ``[first, last)``; those in small letters, and those that are without doubt elsewhere, are ordinary.

    In scripts without capital letters a word is ordinary only if it is heard elsewhere.
    """
    for word in words[first:last]:
        core = spelt(word.text).core
        is_small = core == core.lower() != core.upper() and word.probability >= _DOUBTED_ANYWAY
        yield SpokenWord(core, word.probability, is_small or core.lower() in ordinary)


def ends_sentence(text: str) -> bool:
    """Whether a word is the last one of a sentence."""
    return text.rstrip("\"'”’)").endswith((".", "!", "?", "。", "！", "？"))


def _runs(words: Sequence[Word], own: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Yields spans of words that belong to the chunk and have letters, up to the end of each sentence."""
    first = 0
    for at, word in enumerate(words):
        if not own[at] or not spelt(word.text).core:
            if first < at:
                yield first, at
            first = at + 1
        elif ends_sentence(word.text):
            yield first, at + 1
            first = at + 1
    if first < len(words):
        yield first, len(words)


def _windows(
    words: Sequence[Word], candidates: Sequence[Candidate]
) -> Iterator[tuple[tuple[int, int], list[Candidate]]]:
    """Yields spans of words that are judged at once, each with its candidates: the audio is encoded once for all."""
    group: list[Candidate] = []
    low = high = 0
    for one in candidates:
        first, last = max(0, one.first - _CONTEXT_WORDS), min(len(words), one.last + _CONTEXT_WORDS)
        while words[last - 1].end - words[first].start > _LONGEST and (first < one.first or last > one.last):
            first, last = min(first + 1, one.first), max(last - 1, one.last)
        if group and (first > high or words[last - 1].end - words[low].start > _LONGEST):
            yield (low, high), group
            group = []
        if not group:
            low = first
        high = last
        group.append(one)
    if group:
        yield (low, high), group


def _passage(
    number: int, segment: Segment, candidate: Candidate, window: tuple[int, int], language: str, samples: int
) -> NamePassage:
    words, (low, high), (first, last) = segment.words, window, (candidate.first, candidate.last)
    texts = tuple(word.text for word in words[first:last])
    marks = [(term, *marks_beside(term, texts)) for term in candidate.terms]
    readings = ("".join(texts), *(f"{opening}{term}{closing}" for term, opening, closing in marks))
    before, after = ("".join(word.text for word in part) for part in (words[low:first], words[last:high]))
    question = {
        "pieces": [[max(0, words[low].start - _MARGIN), min(samples, words[high - 1].end + _MARGIN)]],
        "readings": [before + reading + after for reading in readings],
        "language": language,
        # Without being told, the model finds the spelling of an unknown name improbable, whatever it hears.
        "prompt": ", ".join(candidate.terms),
    }
    return NamePassage(
        number, first, last, candidate, texts, readings, words[first].start, words[last - 1].end, question
    )


def questions(passages: Sequence[NamePassage]) -> list[Mapping[str, Any]]:
    """Returns what is asked about passages, as JSON has it."""
    return [one.question for one in passages]
