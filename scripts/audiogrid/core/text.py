"""Words as text: made fit for every output format, joined, compared."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Protocol


class HasText(Protocol):
    """Anything with a text: a word, for instance."""

    @property
    def text(self) -> str: ...  # noqa: D102


def clean(text: str) -> str:
    """``text`` without what no output format can carry: control characters and lone surrogates.

    Line breaks and tabs become spaces; joiners and direction marks stay.
    """
    if text.isprintable():
        return text
    spaced = "".join(" " if char.isspace() else char for char in text)
    return "".join(char for char in spaced if unicodedata.category(char) not in ("Cc", "Cs"))


def joined(words: Iterable[HasText]) -> str:
    """The text of some words: each brings its own space where its language writes one."""
    return " ".join("".join(word.text for word in words).split())


@lru_cache(maxsize=1 << 16)
def token(text: str) -> str:
    """What is compared of a word: letters, marks and digits, without case or width."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(char for char in folded if char.isalnum() or unicodedata.category(char).startswith("M"))
