"""Finds the links of a chained Ogg file: streams one after another, each with headers of its own (RFC 3533)."""

from __future__ import annotations

from collections.abc import Callable

from audiogrid.media.signatures import media_start

_HEADER = 27
_BEGINS = 0x02
# A page has at most this many bytes.
_LARGEST_PAGE = 65_307

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
    """Whether the last page belongs to another stream than those that begin at the start. Reads only both ends."""
    start = max(0, size - 2 * _LARGEST_PAGE)
    tail = read(start, size - start)
    place = tail.rfind(b"OggS")
    return place >= 0 and tail[place + 14 : place + 18] not in _serials_at_start(read)


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
