"""Finds words that may be a term of the glossary: what sounds like it, or nearly so where the model doubted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from audiogrid.aligning.given_text import split_words
from audiogrid.aligning.glossary_file import Term
from audiogrid.aligning.sounds import latin, skeleton, sound_of
from audiogrid.core.text import comparison_form

#: Words less probable than this are doubtful: they may be a term that sounds nearly like them.
DOUBTFUL = 0.9
# Likeness from which doubtful words are judged, 0 to 100: the mean of those of sounds, consonants and letters.
_ALIKE = 76.0
# Other words are judged where they sound the same and have letters that are so much alike.
_SAME_LETTERS = 80.0
_SHORTEST_SAME = 4
# Terms that sound less alike than this are not compared further.
_WORTH_A_LOOK = 60.0
# An ordinary word in a phrase is rather beside a name than a part of it: by so much the phrase is less alike.
_PER_ORDINARY_WORD = 5.0
# Any two words are alike to about this.
_CHANCE = 50.0
# So many terms of a passage are judged.
MOST_TERMS = 2
# A phrase that is heard may have so many words more than the term, up to this length.
_MORE_WORDS = 1
_LONGEST_SPAN = 4
# Terms of more words or characters than a transcript has in a row are not looked for.
_MOST_WORDS = 8


@dataclass(frozen=True)
class SpokenWord:
    """A word that was heard: its core without marks, its probability, and whether it looks like no name at all."""

    core: str
    probability: float
    is_ordinary: bool = False


@dataclass(frozen=True)
class Candidate:
    """Words ``[first, last)`` that may be one of ``terms`` (the most similar first). ``never``: they must not stay.

    ``likeness``: of each term to what was heard, 0 to 100. ``letters``: how many sounds they have in common at most.
    """

    first: int
    last: int
    terms: tuple[str, ...]
    likeness: tuple[float, ...]
    letters: int = 0
    never: bool = False

    @property
    def scored_terms(self) -> list[tuple[str, float]]:
        """Terms with their likeness."""
        return list(zip(self.terms, self.likeness, strict=True))

    @property
    def weight(self) -> float:
        """How much speaks for it: a long phrase that is like a term is less of a chance than a short word that is."""
        return self.letters * (max(self.likeness, default=100.0) - _CHANCE)

    def moved(self, by: int) -> Candidate:
        """Returns the same words counted from another one."""
        return replace(self, first=self.first + by, last=self.last + by)


@dataclass(frozen=True, order=True)
class _Form:
    """A way in which a term may be heard: its sound and its Latin letters. ``words``: of which it consists."""

    sound: str
    letters: str
    term: str
    words: int

    @property
    def is_name(self) -> bool:
        """Whether the term has a capital letter, so that ordinary words are not meant."""
        return self.term != self.term.lower()


class TermIndex:
    """The terms of one language, ready to be looked up."""

    def __init__(self, terms: Iterable[Term], language: str) -> None:
        own = [term for term in terms if not term.languages or language in term.languages]
        self._language = language
        self._written = {comparison_form(term.text) for term in own}
        self._told: dict[str, list[str]] = {}
        self._never: dict[str, list[str]] = {}
        # Forms never to be written that differ from a term in capital letters, marks and spaces only.
        self._never_so: dict[str, list[str]] = {}
        forms: set[_Form] = set()
        for term in own:
            for text in (term.text, *term.sounds):
                letters, sound = comparison_form(text), sound_of(text, language)
                if len(sound) > 1:
                    forms.add(_Form(sound, latin(text), term.text, len(list(split_words(text)))))
                if text != term.text:
                    self._told.setdefault(letters, []).append(term.text)
            for text in term.never:
                letters = comparison_form(text)
                self._never.setdefault(letters, []).append(term.text)
                if letters in self._written:
                    self._never_so.setdefault(text, []).append(term.text)
        self._forms = sorted(forms)
        self._are_all_names = all(form.is_name for form in self._forms)
        self._sounds = [form.sound for form in self._forms]
        self._by_sound: dict[str, list[int]] = {}
        for number, form in enumerate(self._forms):
            self._by_sound.setdefault(form.sound, []).append(number)
        longest = min(_MOST_WORDS, max((form.words for form in self._forms), default=0))
        self._longest = max(longest, min(_LONGEST_SPAN, longest + _MORE_WORDS))

    def candidates(self, words: Sequence[SpokenWord]) -> list[Candidate]:
        """Returns the passages of consecutive words that may be terms; no two of them share a word.

        Terms that are written as they should be are among them, without other terms.
        """
        found = self._known(words) + self._unknown(words)
        found.sort(key=lambda one: (not one.never, -one.weight, one.first, one.last))
        taken = [False] * len(words)
        kept = []
        for one in found:
            if not any(taken[one.first : one.last]):
                taken[one.first : one.last] = [True] * (one.last - one.first)
                kept.append(one)
        return sorted(kept, key=lambda one: one.first)

    def _known(self, words: Sequence[SpokenWord]) -> list[Candidate]:
        """Returns spans that are a term, or that the glossary itself says are one."""
        found = []
        for first, last in self._spans(words):
            form = _letters(words[first:last])
            if form in self._written and (terms := self._never_as_written(words[first:last])):
                found.append(Candidate(first, last, terms, (100.0,) * len(terms), len(form), never=True))
            elif form in self._written:
                found.append(Candidate(first, last, (), (), len(form)))
            elif form in self._never or form in self._told:
                terms = tuple((self._never.get(form) or self._told[form])[:MOST_TERMS])
                found.append(Candidate(first, last, terms, (100.0,) * len(terms), len(form), form in self._never))
        return found

    def _never_as_written(self, words: Sequence[SpokenWord]) -> tuple[str, ...]:
        """Returns the terms that take the place of words which have a term's letters, but are spelt as none may be."""
        cores = [word.core for word in words]
        terms = self._never_so.get(" ".join(cores)) or self._never_so.get("".join(cores)) or []
        return tuple(terms[:MOST_TERMS])

    def _unknown(self, words: Sequence[SpokenWord]) -> list[Candidate]:
        """Returns spans that sound like a term."""
        spans = []
        for first, last in self._spans(words):
            sound = sound_of(" ".join(word.core for word in words[first:last]), self._language)
            is_doubtful = all(word.probability < DOUBTFUL for word in words[first:last])
            is_ordinary = all(word.is_ordinary for word in words[first:last])
            is_doubtful = is_doubtful and not (is_ordinary and self._are_all_names)
            if len(sound) > 1 and (is_doubtful or sound in self._by_sound):
                spans.append((first, last, sound, is_doubtful, is_ordinary))
        near = self._near(list({sound for *_, sound, is_doubtful, _ in spans if is_doubtful}))
        found = []
        for first, last, sound, is_doubtful, is_ordinary in spans:
            letters = latin(_letters(words[first:last]))
            numbers = near.get(sound, []) if is_doubtful else self._by_sound[sound]
            if is_ordinary:
                numbers = [number for number in numbers if not self._forms[number].is_name]
            ranked = self._ranked(sound, letters, numbers, is_doubtful)
            surplus = _PER_ORDINARY_WORD * sum(word.is_ordinary for word in words[first:last]) * (last - first > 1)
            ranked = [(likeness - surplus, number) for likeness, number in ranked if likeness - surplus >= _ALIKE]
            if ranked:
                terms = {self._forms[number].term: likeness for likeness, number in reversed(ranked)}
                best = sorted(terms, key=lambda term: (-terms[term], term))[:MOST_TERMS]
                common = min(len(sound), len(self._sounds[ranked[0][1]]))
                found.append(Candidate(first, last, tuple(best), tuple(terms[term] for term in best), common))
        return found

    def _spans(self, words: Sequence[SpokenWord]) -> Iterator[tuple[int, int]]:
        for first in range(len(words)):
            for last in range(first + 1, min(first + self._longest, len(words)) + 1):
                yield first, last

    def _near(self, sounds: Sequence[str]) -> dict[str, list[int]]:
        """Returns the numbers of the forms that sound like each of the given sounds."""
        from rapidfuzz import fuzz, process

        found: dict[str, list[int]] = {}
        if not sounds or not self._forms:
            return found
        # So many at once that the table of likenesses stays small.
        step = max(1, 8_000_000 // len(self._forms))
        for begin in range(0, len(sounds), step):
            part = sounds[begin : begin + step]
            table = process.cdist(part, self._sounds, scorer=fuzz.ratio, score_cutoff=_WORTH_A_LOOK, dtype=np.uint8)
            for row, column in np.argwhere(table).tolist():
                found.setdefault(part[row], []).append(column)
        return found

    def _ranked(self, sound: str, letters: str, numbers: Iterable[int], is_doubtful: bool) -> list[tuple[float, int]]:
        """Returns forms that are alike enough, with their likeness, the most similar first."""
        from rapidfuzz import fuzz

        own = skeleton(sound)
        found = []
        for number in numbers:
            form = self._forms[number]
            by_letters = fuzz.ratio(letters, form.letters)
            likeness = (fuzz.ratio(sound, form.sound) + fuzz.ratio(own, skeleton(form.sound)) + by_letters) / 3
            is_same = by_letters >= _SAME_LETTERS and len(letters) >= _SHORTEST_SAME
            if likeness >= _ALIKE and (is_doubtful or is_same):
                found.append((likeness, number))
        return sorted(found, key=lambda one: (-one[0], one[1]))


def _letters(words: Sequence[SpokenWord]) -> str:
    return "".join(comparison_form(word.core) for word in words)
