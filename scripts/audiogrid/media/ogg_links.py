"""Finds the links of a chained Ogg file: streams one after another, each with headers of its own (RFC 3533)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from audiogrid.media.signatures import media_start

_HEADER = 27
_BEGINS = 0x02
# A page has at most this many bytes.
_LARGEST_PAGE = 65_307
# A chain whose first link is shorter than this, in bytes, may be missed.
_FIRST_PLACE = 1 << 13

Read = Callable[[int, int], bytes]


def _serials_at_start(read: Read) -> set[bytes]:
    """Serial numbers of the streams that begin at the start of a file."""
    serials = set()
    position = 0
    while (page := read(position, _HEADER + 255))[:4] == b"OggS" and page[5] & _BEGINS:
        serials.add(page[14:18])
        position += _page_length(page)
    return serials


def _page_length(page: bytes) -> int:
    segments = page[26]
    return _HEADER + segments + sum(page[_HEADER : _HEADER + segments])


def may_be_chained(read: Read, size: int) -> bool:
    """Whether streams follow each other in a file, found without reading all of it.

    The last page belongs to another stream than those that begin at the start, or the numbers of pages fall. They
    are looked at after a half of the file, a quarter and so on: numbers that begin anew between two such places are
    smaller at the second one than at the first, as long as pages are about equally large.
    """
    serials = _serials_at_start(read)
    last = _page_near(read, max(0, size - 2 * _LARGEST_PAGE), size, is_last=True)
    if last is None or last[0] not in serials:
        return last is not None
    numbers = {last[2]: last[1]}
    place = size // 2
    while place > _FIRST_PLACE:
        page = _page_near(read, place, size)
        if page is None or page[0] not in serials:
            return True
        # Pages of several streams have numbers of their own.
        if len(serials) == 1:
            numbers[page[2]] = page[1]
        place //= 2
    return any(later <= earlier for later, earlier in pairwise(numbers.values()))


def _page_near(read: Read, place: int, size: int, *, is_last: bool = False) -> tuple[bytes, int, int] | None:
    """Serial, number and place of the first page behind ``place``, or of the last one of the file, if there is one."""
    data = read(place, min(2 * _LARGEST_PAGE, size - place))
    at = data.rfind(b"OggS") if is_last else data.find(b"OggS")
    page = data[at : at + _HEADER] if at >= 0 else b""
    if len(page) < _HEADER or page[4]:
        return None
    return page[14:18], int.from_bytes(page[18:22], "little"), place + at


def link_starts(read: Read, size: int, most: int) -> list[int]:
    """Returns the positions of the first page of every link, ``most`` of them at most. Reads all page headers.

    Where a media file of another kind follows, its position is the last one.
    """
    starts: list[int] = []
    position = before = 0
    in_headers = False
    while position + _HEADER <= size and len(starts) < most:
        page = read(position, _HEADER + 255)
        if page[:4] != b"OggS" or page[4]:
            other = media_start(read, position, size) if position else None
            if other is not None:
                # A file of another kind.
                return [*starts, other]
            # The page before may have been cut off: what it should have held then holds the next one.
            skipped = _next_page(read, before + 1, size)
            if skipped is None:
                break
            before = position = skipped
            continue
        before = position
        begins = bool(page[5] & _BEGINS)
        if begins and not in_headers:
            starts.append(position)
        in_headers = begins
        position += _page_length(page)
    return starts


def _next_page(read: Read, position: int, size: int) -> int | None:
    """The next page behind damaged bytes."""
    while position < size:
        block = read(position, _LARGEST_PAGE)
        place = block.find(b"OggS")
        if place >= 0:
            return position + place
        position += max(1, len(block) - 3)
        if len(block) < 4:
            break
    return None
