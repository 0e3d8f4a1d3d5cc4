"""Texts as they are compared: without what two good transcripts may spell differently.

English goes through Whisper's English normaliser (numbers, contractions, British spelling), all other
languages through its basic one. Languages that write no spaces between words are compared by character.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import cache

from audiogrid.core.errors import InputError

# Spaces are absent or optional here, or mark phrases: an error rate by word would depend on their use.
BY_CHARACTER = frozenset("zh yue ja th lo km my bo".split())
# Vowel signs are left out or written as one likes: a mark less is no error.
_OPTIONAL_MARKS = frozenset("ar fa ur he yi ps sd ug ckb".split())
INSTALL = "pip install -e '.[compare]'"


def require_packages() -> None:
    """Raise ``InputError`` that says what to install where a package for comparing is missing."""
    try:
        import jiwer  # noqa: F401
        import whisper_normalizer  # noqa: F401
    except ImportError as error:
        raise InputError(f"comparing needs the package {error.name}, which is not installed: {INSTALL}") from None


@cache
def _english() -> Callable[[str], str]:
    from whisper_normalizer.english import EnglishTextNormalizer

    normaliser: Callable[[str], str] = EnglishTextNormalizer()
    return normaliser


@cache
def _basic() -> Callable[[str], str]:
    from whisper_normalizer.basic import BasicTextNormalizer

    # Without its marks an Indic word has no vowels.
    normaliser: Callable[[str], str] = BasicTextNormalizer(preserve_marks=True)
    return normaliser


def unit(language: str | None) -> str:
    """What errors are counted in: ``characters`` or ``words``."""
    return "characters" if language in BY_CHARACTER else "words"


def _without_marks(text: str) -> str:
    return "".join(char for char in text if unicodedata.category(char) != "Mn")


def _split(text: str, language: str | None) -> list[str]:
    return [char for char in text if not char.isspace()] if language in BY_CHARACTER else text.split()


def loosely(text: str, language: str | None) -> list[str]:
    """Words (or characters) in lower case without punctuation; numbers stay as they are written."""
    text = unicodedata.normalize("NFKC", text)
    if language in _OPTIONAL_MARKS:
        text = _without_marks(text)
    # Joiners and direction marks are seen by nobody.
    text = "".join(char for char in text if unicodedata.category(char) != "Cf")
    return _split(_basic()(text), language)


def normalise(text: str, language: str | None) -> list[str]:
    """Words (or characters, see ``unit``) that error rates are counted over."""
    return _english()(text).split() if language == "en" else loosely(text, language)
