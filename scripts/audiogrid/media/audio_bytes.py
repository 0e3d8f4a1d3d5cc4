"""Tells whether bytes behind the audio of a file are more of it, or something else."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

Read = Callable[[int, int], bytes]

SAMPLE = 1 << 16
"""Bytes that are looked at in one place."""

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


def _is_text(block: bytes) -> bool:
    return bool(block) and sum(0x20 <= byte < 0x7F or byte in b"\t\n\r" for byte in block) > 0.95 * len(block)


def _entropy(block: bytes) -> float:
    """Bits per byte."""
    counts = Counter(block).values()
    return -sum(count / len(block) * math.log2(count / len(block)) for count in counts) if block else 0.0
