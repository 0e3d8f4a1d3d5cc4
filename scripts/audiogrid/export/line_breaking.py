"""Says where text may be broken, how wide it is, and what joins two texts, by the rules of Unicode and of languages.

Breaks follow UAX #14 (line breaking) and UAX #29 (grapheme clusters) as ``uniseg`` implements them. For Thai, Lao,
Burmese and Khmer these rules want a dictionary. Without one a line may be broken between syllables as far as the
letters tell: never before a vowel or tone mark that belongs to the letter before it, and never after a vowel that is
written before its consonant.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from itertools import pairwise

# Vowels of Thai and Lao that are written before their consonant (Unicode: Logical_Order_Exception).
_LEADING_VOWELS = frozenset("เแโใไເແໂໃໄ")
# Vowels and signs of Thai and Lao that follow a consonant although Unicode calls them letters.
_FOLLOWING = frozenset("ะาำๅๆฯະາຳຽໆຯ")
# Signs of Burmese and Khmer that stack the next consonant below; signs of Burmese after the last letter of a syllable.
_STACKERS = frozenset("\u1039\u17d2")
_SYLLABLE_ENDS = frozenset("\u1039\u103a")
_ZWJ = "\u200d"
# UAX #14 looks at few characters; so many on each side decide all cases but long numbers.
_BEFORE, _AFTER = 4, 2


def is_wide(char: str) -> bool:
    """Returns whether a character takes two columns."""
    return not char.isascii() and unicodedata.east_asian_width(char) in "WF"


@lru_cache(maxsize=1 << 14)
def _columns(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf") or "\U0001f3fb" <= char <= "\U0001f3ff":
        return 0
    return 2 if is_wide(char) else 1


def width(text: str) -> int:
    """Returns the columns that a text takes: wide (East Asian) characters count twice, combining marks not at all."""
    if text.isascii():
        return len(text)
    columns = sum(map(_columns, text))
    if _ZWJ in text:
        # A sequence such as a family of emoji is drawn in the place of its first character.
        columns -= sum(_columns(char) for before, char in pairwise(text) if before == _ZWJ)
    return columns


@lru_cache(maxsize=1 << 14)
def _writes_no_spaces(char: str) -> bool:
    """Returns whether a character belongs to Chinese or Japanese: their letters and wide punctuation."""
    is_symbol = unicodedata.category(char) in ("So", "Sk")
    return is_wide(char) and not is_symbol and "HANGUL" not in unicodedata.name(char, "")


def separator(before: str, after: str, *languages: str | None) -> str:
    """Returns what stands between two texts of a speaker: nothing within Chinese or Japanese, else a space.

    Also nothing where the second begins with a mark that belongs to the first. ``languages``: of the two texts; Korean
    sets spaces between its words, also where it writes Chinese letters.
    """
    if not before or not after:
        return ""
    if after[0].isascii() and not before.endswith(_ZWJ):
        return " "
    if not is_cluster_start(before, after):
        return ""
    without = _writes_no_spaces(before[-1]) and _writes_no_spaces(after[0]) and "ko" not in languages
    return "" if without else " "


@lru_cache(maxsize=1 << 16)
def _is_cluster_start(before: str, after: str) -> bool:
    from uniseg.graphemecluster import grapheme_cluster_boundaries

    return len(before) in grapheme_cluster_boundaries(before + after)


def is_cluster_start(before: str, after: str) -> bool:
    """Returns whether a text can begin with ``after`` when ``before`` stands in front of it.

    It cannot in the middle of what a reader takes for one letter: before a mark, or a vowel that hangs on a letter.
    """
    first, last = after[:1], before[-1:]
    if not first or not last or first.isspace() or last.isspace():
        return True
    if first.isascii() and last.isascii():
        return True
    if unicodedata.category(first).startswith("M") or first in _FOLLOWING or first == _ZWJ:
        return False
    if last in _LEADING_VOWELS or last in _STACKERS:
        return False
    return _is_cluster_start(before[-_BEFORE:], first)


@lru_cache(maxsize=1 << 14)
def _line_class(char: str) -> str:
    from uniseg.linebreak import line_break

    return str(line_break(char))


@lru_cache(maxsize=1 << 14)
def _representative(char: str) -> str:
    """Returns one character for all that UAX #14 treats alike, so that few pairs need to be looked at."""
    if char.isascii():
        return "a" if char.isalpha() else "1" if char.isdigit() else char
    if _line_class(char) == "ID" and unicodedata.category(char) == "Lo":
        return "一"
    return char


@lru_cache(maxsize=1 << 16)
def _breaks_by_rule(before: str, after: str) -> bool:
    from uniseg.linebreak import line_break_boundaries

    return len(before) in line_break_boundaries(before + after)


def has_content(text: str) -> bool:
    """Returns whether a text holds more than punctuation: a letter, a digit or a symbol such as a note."""
    if text[-1:].isalnum() or text[:1].isalnum():
        return True
    return any(char.isalnum() or unicodedata.category(char)[0] in "LMNS" for char in text)


@lru_cache(maxsize=1 << 14)
def _direction(char: str) -> str:
    return unicodedata.bidirectional(char)


def is_right_to_left(text: str) -> bool:
    """Returns whether most letters of a text are written from right to left."""
    if text.isascii():
        return False
    directions = [_direction(char) for char in text]
    right = sum(direction in ("R", "AL") for direction in directions)
    return right > directions.count("L")


def can_break(before: str, after: str) -> bool:
    """Returns whether a line may end with ``before`` and the next one begin with ``after`` (as they are in the text).

    A space between the two is part of ``before``. Hangul is broken at spaces only, as Korean subtitles are.
    """
    first, last = after[:1], before[-1:]
    if not first or not last:
        return False
    if last == " " and first.isalnum():
        return True
    if not is_cluster_start(before, after):
        return False
    classes = _line_class(last), _line_class(first)
    if classes == ("SA", "SA") or (classes[1] == "SA" and unicodedata.category(last).startswith("M")):
        # A consonant that ends a syllable stays with it.
        return after[1:2] not in _SYLLABLE_ENDS
    if classes[0] in ("H2", "H3") and classes[1] in ("H2", "H3"):
        return False
    context = "".join(map(_representative, before[-_BEFORE:])), "".join(map(_representative, after[:_AFTER]))
    return _breaks_by_rule(*context)


def pieces(text: str, columns: int) -> list[str]:
    """Returns a text longer than a line in pieces that fit one, broken where that is allowed, else between letters."""
    found, start, at, good = [], 0, 1, 0
    while at <= len(text):
        if at < len(text) and not is_cluster_start(text[:at][-_BEFORE:], text[at : at + _AFTER]):
            at += 1
            continue
        if width(text[start:at]) > columns and at > start + 1:
            cut = good if good > start else _last_start(text, start, at)
            found.append(text[start:cut])
            start, at = cut, cut + 1
            continue
        if can_break(text[max(0, at - _BEFORE) : at], text[at : at + _AFTER]):
            good = at
        at += 1
    found.append(text[start:])
    return [piece for piece in found if piece]


def _last_start(text: str, start: int, at: int) -> int:
    """Returns where the last letter before ``at`` begins; ``at`` itself when it is the only one of the piece."""
    for cut in range(at - 1, start, -1):
        if is_cluster_start(text[max(0, cut - _BEFORE) : cut], text[cut : cut + _AFTER]):
            return cut
    return at
