"""Terms that a person has corrected by hand: what a glossary can learn from corrections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher

from audiogrid.aligning.glossary_file import LONGEST, MOST_WORDS, Term
from audiogrid.aligning.names import spelt
from audiogrid.aligning.sounds import sound_of
from audiogrid.core.text import comparison_form

# From this likeness of sounds on, what a person wrote is a name for what was heard, 0 to 100.
_ALIKE = 55.0
_LEAST_LETTERS = 3


def learnt_terms(
    pairs: Iterable[tuple[str, str]],
    ordinary: frozenset[str],
    language: str,
    undone: Iterable[tuple[str, str]] = (),
) -> list[Term]:
    """Returns names that people put in the place of what was heard.

    ``pairs``: what stood there and what a person made of it. ``ordinary``: words in small letters that are no names,
    even where a sentence begins with them. ``language``: of the recording. ``undone``: terms that a glossary put
    somewhere, each with what was heard there; where a person put that back, it is no name. In scripts without capital
    letters every other word counts as a name.
    """
    put_back = {(_plain(term), _plain(heard)) for term, heard in undone}
    found: dict[str, dict[str, None]] = {}
    for was, text in pairs:
        for heard, term in _replaced(was.split(), text.split()):
            if (_plain(heard), _plain(term)) in put_back:
                continue
            # What a line of a glossary can hold.
            heard = " ".join(heard.replace("|", " ").split())[:LONGEST]
            if len(term) <= LONGEST and _is_name(term, ordinary) and _sounds_alike(heard, term, language):
                found.setdefault(term, {})[heard] = None
    return [Term(term, tuple(heard)) for term, heard in sorted(found.items())]


def ordinary_words(documents: Iterable[Mapping[str, object]]) -> frozenset[str]:
    """Returns the words that transcripts write in small letters."""
    return frozenset(core for document in documents for core in _cores(document) if core != core.upper())


def _cores(document: Mapping[str, object]) -> Iterator[str]:
    segments: Sequence[Mapping[str, Sequence[Mapping[str, str]]]] = document["segments"]  # type: ignore[assignment]
    for segment in segments:
        for word in segment["words"]:
            core = spelt(word["word"]).core
            if core == core.lower():
                yield core


def _replaced(was: Sequence[str], text: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yields the words that differ between two texts, without marks around them."""
    matcher = SequenceMatcher(None, [*map(comparison_form, was)], [*map(comparison_form, text)], autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "replace" and max(b - a, d - c) <= MOST_WORDS:
            heard, term = (" ".join(spelt(word).core for word in part).strip() for part in (was[a:b], text[c:d]))
            if comparison_form(heard) and comparison_form(heard) != comparison_form(term):
                yield heard, term


def _plain(text: str) -> str:
    return "".join(comparison_form(spelt(word).core) for word in text.split())


def _is_name(term: str, ordinary: frozenset[str]) -> bool:
    has_letters = len(comparison_form(term)) >= _LEAST_LETTERS or term == term.lower() == term.upper()
    words = term.split()
    begins_so = all(word[:1] != word[:1].lower() or word.lower() == word.upper() for word in words)
    return bool(words) and has_letters and begins_so and not all(word.lower() in ordinary for word in words)


def _sounds_alike(heard: str, term: str, language: str) -> bool:
    from rapidfuzz import fuzz

    return bool(fuzz.ratio(sound_of(heard, language), sound_of(term, language)) >= _ALIKE)
