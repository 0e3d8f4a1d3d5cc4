"""Recognises the beginning of media files and of tags inside a file, by their first bytes."""

from __future__ import annotations

import re
from collections.abc import Callable

from audiogrid.media.audio_frames import frames_begin

Read = Callable[[int, int], bytes]

ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
W64_HEADER = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
EBML_HEADER = b"\x1a\x45\xdf\xa3"
_TAG_STARTS = (b"ID3", b"TAG", b"APE", b"LYR")
_LYRICS_END = re.compile(rb"LYRICS(?:200|END)")
_LARGEST_LYRICS = 1 << 17
# The header of Matroska and WebM: its mark, its size (1 to 8 bytes), and one of the elements that it may hold.
_EBML = re.compile(re.escape(EBML_HEADER) + rb"[^\0].{0,7}?(?:\x42[\x81-\x87\xf2\xf3\xf7]|\xbf\x84|\xec)", re.DOTALL)
# The first box of MP4 and MOV: its size (up to 4 kB), its name, and a brand of four letters.
_FTYP = re.compile(rb"\0\0[\0-\x0f].ftyp[ -~\xa9]{4}", re.DOTALL)
# The rest of a file that is no longer than this may be a damaged tag.
_LARGEST_TAG = 1_024


def is_tag(data: bytes) -> bool:
    """Whether bytes begin a tag (ID3, APE, Lyrics3), which holds no audio."""
    return data[:3] in _TAG_STARTS


def tag_length(head: bytes) -> int:
    """Length of the tag that begins with these 32 bytes; 0 where it does not say, or is none."""
    if head[:3] == b"ID3" and len(head) >= 10:
        size = 0
        for byte in head[6:10]:
            size = size << 7 | byte & 0x7F
        return size + 10
    if head[:8] == b"APETAGEX" and len(head) >= 24:
        # The header, if there is one, is not counted.
        return int.from_bytes(head[12:16], "little") + 32
    return 128 if head[:3] == b"TAG" else 0


def behind_tags(read: Read, position: int) -> int:
    """Returns the position behind all tags that follow each other from ``position`` on."""
    while True:
        head = read(position, 32)
        length = tag_length(head)
        if head[:11] == b"LYRICSBEGIN":
            # Lyrics3 tells its length at its end only.
            end = _LYRICS_END.search(read(position, _LARGEST_LYRICS))
            length = end.end() if end else 0
        if not length:
            return position
        position += length


def begins_media(head: bytes) -> bool:
    """Whether these 32 bytes begin a media file with a header.

    Where all of a file is searched, four bytes are no proof: chance makes them once in 4 GB of compressed audio.
    """
    if head[:4] in (b"fLaC", b"OggS", b"caff", b"FLV\x01") or head[:16] in (ASF_HEADER, W64_HEADER):
        return True
    if head[:4] in (b"RIFF", b"RF64", b"BW64", b"RIFX", b"FORM"):
        return head[8:12] in (b"WAVE", b"AIFF", b"AIFC", b"AVI ")
    return bool(_EBML.match(head) or _FTYP.match(head))


def media_start(read: Read, position: int, size: int) -> int | None:
    """Where a media file begins at ``position`` or behind a tag there; ``None`` if none does."""
    head = read(position, 32)
    if begins_media(head) or frames_begin(lambda at: read(at, 7), position, size):
        return position
    length = tag_length(head)
    behind = position + length
    if head[:3] == b"ID3" and behind + _LARGEST_TAG < size:
        frame = read(behind, 2)
        if begins_media(read(behind, 32)):
            return behind
        return position if len(frame) == 2 and frame[0] == 0xFF and frame[1] & 0xE0 == 0xE0 else None
    return None


def ends_in_tags(read: Read, position: int, size: int) -> bool:
    """Whether nothing but tags follows ``position``."""
    while position < size:
        head = read(position, 32)
        length = tag_length(head)
        if head[:11] == b"LYRICSBEGIN":
            # Its length stands at its end, in front of an ID3v1 tag.
            return size - position < 1 << 20
        if not length:
            # Padding behind a tag.
            return not read(position, min(size - position, 1 << 16)).strip(b"\0") and size - position < 1 << 16
        position += length
    return True
