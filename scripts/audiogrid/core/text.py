"""Text of words: cleaned for every output format, joined, reduced to what is compared."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Protocol

#: A longer name of a speaker is cut.
LONGEST_NAME = 100
# Characters that XML excludes.
_NO_XML = frozenset("\ufffe\uffff")


class HasText(Protocol):
    """An object with a text, such as a word."""

    @property
    def text(self) -> str: ...  # noqa: D102


def clean_text(text: str) -> str:
    """Returns ``text`` without what some format cannot hold: control characters, lone surrogates, noncharacters.

    Line breaks and tabs become spaces. Joiners and direction marks stay.
    """
    if text.isprintable():
        return text
    spaced = "".join(" " if char.isspace() else char for char in text)
    return "".join(char for char in spaced if unicodedata.category(char) not in ("Cc", "Cs") and char not in _NO_XML)


def clean_name(name: str) -> str:
    """Returns the name of a speaker as every format can hold it: one line, at most ``LONGEST_NAME`` characters."""
    return " ".join(clean_text(name).split())[:LONGEST_NAME].strip()


def join_words(words: Iterable[HasText]) -> str:
    """Returns the text of some words. Each word holds its own leading space where its language writes one."""
    return " ".join("".join(word.text for word in words).split())


@lru_cache(maxsize=1 << 16)
def comparison_form(text: str) -> str:
    """Returns the letters, marks and digits of a word without case or width: equal for words that count as the same."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(char for char in folded if char.isalnum() or unicodedata.category(char).startswith("M"))
