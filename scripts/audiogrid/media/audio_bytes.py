"""Tells whether bytes behind the audio of a file are more of it, space that was never used, or something else."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

Read = Callable[[int, int], bytes]

SAMPLE = 1 << 16
"""Bytes that are looked at in one place."""

# Bytes that are compared with zeros at once, and places of a remote file where they are.
_BLOCK = 1 << 20
_PLACES = 64
# Bits per byte above which bytes look random, and below which the audio itself does not.
_RANDOM = 7.98
_NOT_RANDOM = 7.9


def goes_on(read: Read, body: int, claimed: int, rest: int) -> bool:
    """Whether the ``rest`` bytes behind an audio chunk look like more of it: no text, and not random unless it is.

    ``body``: where the audio begins; ``claimed``: how many bytes of it the header covers.
    """
    known = read(body + max(0, (claimed - SAMPLE) // 2), min(SAMPLE, claimed))
    ends = [read(body + claimed + max(0, (rest - SAMPLE) * index // 2), min(SAMPLE, rest)) for index in range(3)]
    if any(_is_text(block) for block in ends):
        return False
    least = min(_entropy(block) for block in ends)
    # Short blocks cannot reach the entropy of random bytes.
    return len(ends[0]) < SAMPLE or least < _RANDOM or _entropy(known) > _NOT_RANDOM


def after_zeros(read: Read, start: int, *, end: int, is_remote: bool) -> int:
    """Returns the place of the first byte from ``start`` on that is not 0; ``end`` if there is none.

    That is space which a recorder reserved and never used.
    All of it is looked at, since a recording may be silent for long before somebody speaks; of a remote file
    ``_PLACES`` places, evenly apart.
    """
    step = max(_BLOCK, (end - start) // _PLACES) if is_remote else _BLOCK
    count = SAMPLE // 4 if is_remote else _BLOCK
    zeros = bytes(count)
    for place in range(start, end, step):
        block = read(place, min(count, end - place))
        if block != zeros[: len(block)]:
            return start if is_remote and place > start else place + len(block) - len(block.lstrip(b"\0"))
    return end


def _is_text(block: bytes) -> bool:
    return bool(block) and sum(0x20 <= byte < 0x7F or byte in b"\t\n\r" for byte in block) > 0.95 * len(block)


def _entropy(block: bytes) -> float:
    """Bits per byte."""
    counts = Counter(block).values()
    return -sum(count / len(block) * math.log2(count / len(block)) for count in counts) if block else 0.0
