"""What a search compares: the terms of a text, without case and accents. ``search.js`` does the same in a browser.

A term is a run of letters, digits and marks. Scripts that write no spaces between words have a term for each character,
so that any part of a text can be found as a phrase.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

#: Characters that are terms of their own, as ranges of a regular expression: those of Chinese, Japanese, Thai, Lao,
#: Burmese and Khmer.
SINGLE = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
#: What is left out of a term: joiners, direction marks, and marks without which a word is still found (accents, vowel
#: points of Hebrew and Arabic). Vowel signs of Indic scripts stay.
DROPPED = (
    "\u00ad\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640"
    "\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u1ab0-\u1aff\u1dc0-\u1dff\u200b-\u200f\u202a-\u202e"
    "\u2060-\u2064\u2066-\u2069\u20d0-\u20ff\ufe20-\ufe2f\ufeff"
)
#: Invisible characters that may stand inside a word.
JOINERS = "\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"
#: Letters of which nothing is left in a term: Arabic elongation, vowel points as letters of their own.
UNSPOKEN = "\u037a\u0640\ufc5e-\ufc63\ufcf2-\ufcf4\ufe70-\ufe72\ufe74\ufe76-\ufe7f"
#: Letters that are compared as others.
ALIKE = {"ς": "σ", "ß": "ss", "ı": "i", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d"}
_ALIKE = str.maketrans(ALIKE)


def _ranges(chars: Iterator[int]) -> str:
    """Returns code points as ranges of a regular expression."""
    found: list[list[int]] = []
    for code in chars:
        if found and found[-1][1] == code - 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in found)


@cache
def term_pattern() -> re.Pattern[str]:
    """Returns the pattern of a term in a text. What it matches always holds something that is compared.

    A match that holds nothing would take a position which a phrase that is looked for does not have.
    """
    # No other plane of Unicode has marks: they hold Han characters, private use, or nothing.
    planes = (0, 1, 14)
    codes = (code for plane in planes for code in range(plane << 16, (plane + 1) << 16))
    marks = _ranges(code for code in codes if unicodedata.category(chr(code))[0] == "M")
    # The blocks of `SINGLE` hold punctuation, too.
    single = rf"(?=[{SINGLE}])[\w{marks}][{marks}]*"
    return re.compile(rf"{single}|(?![{UNSPOKEN}])[^\W_{SINGLE}](?:[^\W_{SINGLE}]|[{marks}{JOINERS}])*")


@cache
def _dropped() -> re.Pattern[str]:
    return re.compile(f"[{DROPPED}]+")


def term_of(written: str) -> str:
    """Returns a match of ``term_pattern`` as it is compared."""
    lower = written.lower()
    if lower.isascii():
        return lower
    bare = _dropped().sub("", unicodedata.normalize("NFKD", written).lower())
    alike = unicodedata.normalize("NFC", bare).translate(_ALIKE)
    return "".join(char for char in alike if char.isalnum() or unicodedata.category(char)[0] == "M")
