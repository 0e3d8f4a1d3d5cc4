"""Finds where FLAC files begin that were joined into one, with as few bytes read as that takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import pairwise

from audiogrid.media.frame_streams import frames_at_end
from audiogrid.media.signatures import behind_tags, media_start

Read = Callable[[int, int], bytes]

_START = b"fLaC\0\0\0\x22"
_FRAME = re.compile(rb"\xff[\xf8\xf9]", re.DOTALL)
# What may begin a file of another kind; `ftyp` is preceded by four bytes.
_OTHERS = re.compile(rb"RIFF|RF64|FORM|OggS\x00\x02|\x1a\x45\xdf\xa3|ID3[\x03\x04]|ftyp", re.DOTALL)
# Bytes that hold a frame in any case, and that are read at a time where all of a file is.
_WINDOW = 1 << 17
_BLOCK = 1 << 22
# Places at which a remote file is looked at, besides its end.
_PLACES = 3


def flac_starts(read: Read, size: int, *, is_remote: bool, most: int) -> list[int]:
    """Returns where files begin, ``most`` at most, the first at 0; a file of another kind is the last one.

    All of a file on a disk is searched, and a remote one only where a few places show that its samples do not count
    through.
    """
    if is_remote and counts_through(read, size):
        return [0]
    starts = [0]
    first = behind_tags(read, 0) + len(_START)
    for place in _occurrences(read, first, size):
        if read(place, len(_START)) == _START:
            starts.append(place)
        elif media_start(read, place, size) is not None:
            return [*starts, place]
        if len(starts) >= most:
            break
    behind = frames_at_end(read, starts[-1], size)
    return starts if behind is None else [*starts, behind]


def _occurrences(read: Read, first: int, size: int) -> Iterable[int]:
    """Yields where a file may begin."""
    marks = re.compile(re.escape(_START) + b"|" + _OTHERS.pattern, re.DOTALL)
    for begin in range(first, size, _BLOCK):
        # Blocks overlap, so that no mark is lost between two of them.
        for found in marks.finditer(read(begin, _BLOCK + 16)):
            if found.start() < _BLOCK:
                yield begin + found.start() - (4 if found[0] == b"ftyp" else 0)


def counts_through(read: Read, size: int) -> bool:
    """Whether the frames at a few places of a file count on from its beginning to the number in its header."""
    begin = behind_tags(read, 0)
    head = read(begin, 42)
    if head[:8] != _START or size - begin < 2 * _WINDOW:
        return False
    total = int.from_bytes(head[21:26], "big") & (1 << 36) - 1
    block = int.from_bytes(head[8:10], "big")
    numbers = []
    for index in range(1, _PLACES + 1):
        place = begin + (size - begin - _WINDOW) * index // _PLACES
        found = _numbers(read(place, _WINDOW), block)
        if not found:
            return False
        # The last one, so that what was joined to the end is seen.
        numbers.append(found[-1] if index == _PLACES else found[0])
    grows = all(one < other for one, other in pairwise(numbers))
    reaches = not total or 0 < total - numbers[-1] <= 65_535
    return grows and reaches


def _numbers(data: bytes, block: int) -> list[int]:
    """First samples of the frames in some bytes. ``block``: samples per frame where that is fixed."""
    return [
        number
        for match in _FRAME.finditer(data)
        if (number := _first_sample(data[match.start() : match.start() + 16], block)) is not None
    ]


def _first_sample(head: bytes, block: int) -> int | None:
    """The first sample of the frame that a header begins; ``None`` if it is none (its CRC-8 tells)."""
    if len(head) < 16 or head[2] >> 4 == 0 or head[2] & 15 == 15 or head[3] >> 4 > 10 or head[3] & 1:
        return None
    extra = 8 - (~head[4] & 0xFF).bit_length()
    if extra == 1 or extra > 7:
        return None
    length = max(1, extra)
    number = head[4] & (0x7F if not extra else (1 << 7 - extra) - 1)
    for byte in head[5 : 4 + length]:
        if byte & 0xC0 != 0x80:
            return None
        number = number << 6 | byte & 0x3F
    end = 4 + length
    end += {6: 1, 7: 2}.get(head[2] >> 4, 0) + {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)
    if end >= len(head) or _crc8(head[:end]) != head[end]:
        return None
    return number if head[1] & 1 else number * block


def _crc8(data: bytes) -> int:
    """CRC-8 with the polynomial x^8 + x^2 + x + 1 (RFC 9639, 9.1.8)."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x07) & 0xFF if crc & 0x80 else crc << 1
    return crc
