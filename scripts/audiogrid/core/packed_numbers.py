"""Small numbers as text: base64 digits of 5 bits each, the lowest first, 32 added to all but the last of a number.

Source maps of JavaScript spell numbers in the same way, but for the sign, which these do not have.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate

DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_VALUES = {digit: value for value, digit in enumerate(DIGITS)}


def _spelt(number: int) -> str:
    text = ""
    while number >= 32:
        text += DIGITS[number % 32 + 32]
        number //= 32
    return text + DIGITS[number]


_KNOWN = [_spelt(number) for number in range(1 << 15)]


def pack(numbers: Iterable[int]) -> str:
    """Returns numbers of 0 or more as text."""
    known = len(_KNOWN)
    return "".join([_KNOWN[number] if number < known else _spelt(number) for number in numbers])


def pack_rising(numbers: Iterable[int], before: int = 0) -> str:
    """Returns numbers that never fall, from ``before`` on, by how much each is above the one before it."""
    steps = []
    for number in numbers:
        steps.append(number - before)
        before = number
    return pack(steps)


def unpack(text: str) -> list[int]:
    """Inverse of ``pack``. Raises ``ValueError`` if the text is none of its results."""
    numbers = []
    number = shift = 0
    for digit in text:
        value = _VALUES.get(digit)
        if value is None:
            raise ValueError(f"{digit!r} is no digit of a packed number")
        number += (value & 31) << shift
        if value < 32:
            numbers.append(number)
            number = shift = 0
        else:
            shift += 5
    if shift:
        raise ValueError("the last packed number is cut off")
    return numbers


def unpack_rising(text: str, before: int = 0) -> list[int]:
    """Inverse of ``pack_rising``."""
    return list(accumulate(unpack(text), initial=before))[1:]
