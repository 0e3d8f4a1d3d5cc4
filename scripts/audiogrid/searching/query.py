"""A query: words, phrases in quotes, beginnings of words with ``*``. ``search.js`` parses it in the same way."""

from __future__ import annotations

import re
from dataclasses import dataclass

from audiogrid.core.search_terms import term_of, term_pattern

# A phrase, or what stands between spaces. A quote that is not closed goes on to the end.
_UNIT = re.compile(r'["“”„«»]([^"“”„«»]*)["“”„«»]?|[^\s"“”„«»]+')


@dataclass(frozen=True)
class Term:
    """A term that is looked for, or, with ``is_prefix``, all terms that begin with it."""

    text: str
    is_prefix: bool = False


def parse_query(text: str) -> list[list[Term]]:
    """Returns what has to stand in a line: phrases, each a list of terms that follow on each other.

    A word is a phrase of one term, or of several (``don't``, a Chinese word). Empty where nothing can be looked for.
    """
    phrases = []
    for unit in _UNIT.finditer(text):
        part = unit[0] if unit[1] is None else unit[1]
        terms = [
            Term(term_of(found[0]), part[found.end() : found.end() + 1] == "*")
            for found in term_pattern().finditer(part)
        ]
        if terms:
            phrases.append(terms)
    return phrases
