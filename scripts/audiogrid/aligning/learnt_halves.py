"""What a glossary that is learnt from half of the corrections of a transcript changes in the other half."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from audiogrid.aligning.glossary_file import Term
from audiogrid.aligning.learnt_terms import learnt_terms
from audiogrid.aligning.names import spelt
from audiogrid.core.text import comparison_form
from audiogrid.export.provenance import text_language


@dataclass(frozen=True)
class HalfResult:
    """Errors in the halves that nothing was learnt from, and how many terms were learnt."""

    before: int = 0
    after: int = 0
    terms: int = 0

    def __add__(self, other: HalfResult) -> HalfResult:
        """Returns the sum."""
        return HalfResult(self.before + other.before, self.after + other.after, self.terms + other.terms)


@dataclass(frozen=True)
class _Part:
    """Words in a row that a person changed, or left. ``number``: of the change; -1 where nothing was changed."""

    own: str
    text: str
    number: int


def learnt_halves(
    document: Mapping[str, Any], ordinary: frozenset[str], errors: Callable[[str, str], int]
) -> HalfResult:
    """Returns errors in each half of the corrections, before and after terms of the other half are put in their place.

    Every second correction is a half. ``errors``: counts those of a text, given the right one. Only spellings that a
    person corrected in the other half are replaced: the audio is not asked, so this is what a list of replacements
    would do at least.
    """
    language = text_language(document)
    parts = list(_parts(document))
    right = " ".join(part.text for part in parts)
    total = HalfResult()
    for half in (0, 1):
        known = {part.number: part for part in parts if part.number % 2 == half and part.number >= 0}
        terms = learnt_terms([(part.own, part.text) for part in known.values()], ordinary, language)
        before = [part.text if part.number in known else part.own for part in parts]
        after = [part.text if part.number in known else with_terms(part.own, terms) for part in parts]
        total += HalfResult(errors(right, " ".join(before)), errors(right, " ".join(after)), len(terms))
    return total


def _parts(document: Mapping[str, Any]) -> Iterator[_Part]:
    number = 0
    for segment in document["segments"]:
        words: list[Mapping[str, Any]] = []
        for word in [*segment["words"], None]:
            if words and (word is None or ("own" in word) != ("own" in words[0])):
                is_changed = "own" in words[0]
                own = "".join(one.get("own", one["word"]) for one in words).strip()
                yield _Part(own, "".join(one["word"] for one in words).strip(), number if is_changed else -1)
                number += is_changed
                words = []
            if word is not None:
                words.append(word)


def with_terms(text: str, terms: Sequence[Term]) -> str:
    """Returns a text with terms in the place of words that are spelt as one of their ``sounds``."""
    told = {comparison_form(sound): term.text for term in terms for sound in term.sounds}
    longest = max((len(sound.split()) for term in terms for sound in term.sounds), default=0)
    words, found, at = text.split(), [], 0
    while at < len(words):
        for last in range(min(len(words), at + longest), at, -1):
            term = told.get("".join(comparison_form(spelt(word).core) for word in words[at:last]))
            if term is not None:
                found.append(f"{spelt(words[at]).opening}{term}{spelt(words[last - 1]).closing}")
                at = last
                break
        else:
            found.append(words[at])
            at += 1
    return " ".join(found)
