"""Normalises texts for comparing: removes differences between two correct transcripts.

English goes through Whisper's English normaliser (numbers, contractions, British spelling), all other
languages through its basic one. Languages that write no spaces between words are compared by character.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import cache

from audiogrid.core.errors import InputError
from audiogrid.core.extras import install_command

# In these languages spaces are absent, optional or mark phrases, so words cannot be counted.
BY_CHARACTER = frozenset("zh yue ja th lo km my bo".split())
# In these languages vowel signs are optional: a missing one is no error.
_OPTIONAL_MARKS = frozenset("ar fa ur he yi ps sd ug ckb".split())


def require_packages() -> None:
    """Raise ``InputError`` with the command to run where a package for comparing is not installed."""
    try:
        import jiwer  # noqa: F401
        import whisper_normalizer  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"comparing needs the package {error.name}, which is not installed: run {install_command('compare')}"
        ) from None


@cache
def _english() -> Callable[[str], str]:
    from whisper_normalizer.english import EnglishTextNormalizer

    normaliser: Callable[[str], str] = EnglishTextNormalizer()
    return normaliser


@cache
def _basic() -> Callable[[str], str]:
    from whisper_normalizer.basic import BasicTextNormalizer

    # Indic scripts write vowels as marks.
    normaliser: Callable[[str], str] = BasicTextNormalizer(preserve_marks=True)
    return normaliser


def unit(language: str | None) -> str:
    """Returns the unit of errors: ``characters`` or ``words``."""
    return "characters" if language in BY_CHARACTER else "words"


def _without_marks(text: str) -> str:
    return "".join(char for char in text if unicodedata.category(char) != "Mn")


def _split(text: str, language: str | None) -> list[str]:
    return [char for char in text if not char.isspace()] if language in BY_CHARACTER else text.split()


def loose_tokens(text: str, language: str | None) -> list[str]:
    """Returns words (or characters) in lower case without punctuation; numbers are left as written."""
    text = unicodedata.normalize("NFKC", text)
    if language in _OPTIONAL_MARKS:
        text = _without_marks(text)
    # Joiners and direction marks are invisible.
    text = "".join(char for char in text if unicodedata.category(char) != "Cf")
    return _split(_basic()(text), language)


def normalised_tokens(text: str, language: str | None) -> list[str]:
    """Returns the words (or characters, see ``unit``) over which error rates are computed."""
    return _english()(text).split() if language == "en" else loose_tokens(text, language)
