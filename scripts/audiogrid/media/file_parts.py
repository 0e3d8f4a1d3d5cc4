"""Finds out whether a file is one media file as its header says, or needs help to be read to its end.

Some files hold more audio than one header covers: a recorder that crashed leaves the length of its last save, a
32-bit length wraps at 4 GB, and files are joined with ``cat``. FFmpeg then stops at the length in the header. Here such
a file is described as parts: spans of bytes, each a media file of its own, with corrections to its header.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from dataclasses import dataclass, field
from io import SEEK_CUR, SEEK_END, RawIOBase
from pathlib import Path
from typing import Any

from audiogrid.media.chunk_formats import find_payload, is_chunked
from audiogrid.media.ogg_links import link_starts, may_be_chained
from audiogrid.media.signatures import ASF_HEADER, EBML_HEADER, media_start
from audiogrid.remote.reader import RemoteFile

MediaFile = Path | RemoteFile

_SEGMENT = b"\x18\x53\x80\x67"
_FLAC_START = b"fLaC\0\0\0\x22"
# The size of its header, 9.
_FLV_HEADER = b"\0\0\0\x09"
_MP4_BOXES = (
    b"ftyp",
    b"moov",
    b"mdat",
    b"free",
    b"skip",
    b"wide",
    b"moof",
    b"sidx",
    b"styp",
    b"uuid",
    b"meta",
    b"pdin",
)
# More links or boxes than this are not looked at.
_MOST = 100_000


@dataclass(frozen=True)
class Part:
    """The bytes ``[start, end)`` of a file. ``patches``: offsets from ``start``, and the bytes to read there."""

    start: int
    end: int
    patches: tuple[tuple[int, bytes], ...] = ()


@dataclass(frozen=True)
class FileParts:
    """What a file consists of.

    ``parts``: empty where the file is opened as it is. ``remarks``: what was corrected. ``notes``: what is not read.
    """

    parts: tuple[Part, ...] = ()
    remarks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class PartReader(RawIOBase):
    """One part of a file, opened for FFmpeg like a file of its own."""

    def __init__(self, path: MediaFile, part: Part) -> None:
        self._file: Any = path.open("rb") if isinstance(path, Path) else path.open()
        self._part = part
        self._position = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Position in bytes from the start of the part."""
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to another position of the part."""
        base = {SEEK_CUR: self._position, SEEK_END: self._part.end - self._part.start}.get(whence, 0)
        self._position = max(0, base + offset)
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Returns up to ``size`` bytes, with the corrections in place; empty at the end of the part."""
        left = self._part.end - self._part.start - self._position
        wanted = left if size < 0 else min(size, left)
        if wanted <= 0:
            return b""
        self._file.seek(self._part.start + self._position)
        data = bytearray(self._file.read(wanted) or b"")
        for offset, right in self._part.patches:
            for index, byte in enumerate(right):
                place = offset + index - self._position
                if 0 <= place < len(data):
                    data[place] = byte
        self._position += len(data)
        return bytes(data)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


@dataclass
class _Found:
    parts: list[Part] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


Read = Callable[[int, int], bytes]


def find_parts(path: MediaFile) -> FileParts:
    """Returns the parts of a file; none where FFmpeg reads it to its end without help. Raises ``OSError``."""
    size = path.stat().st_size
    with path.open("rb") if isinstance(path, Path) else path.open() as file:

        def read(offset: int, count: int) -> bytes:
            file.seek(offset)
            data = b""
            while len(data) < count and (more := file.read(count - len(data))):
                data += more
            return data

        head = read(0, 16)
        if is_chunked(head):
            return _chunked(read, size)
        if head[:4] == b"OggS":
            return _ogg(read, size, is_remote=not isinstance(path, Path))
        if head[4:8] in _MP4_BOXES:
            return _joined(_mp4_starts(read, size), size)
        if head[:16] == ASF_HEADER:
            return _joined(_asf_starts(read, size), size)
        if head[:4] == EBML_HEADER:
            return _joined(_ebml_starts(read, size), size)
        if head[:4] == b"FLV\x01" and isinstance(path, Path):
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                places = _occurrences(data, b"FLV\x01")
                return _joined([place for place in places if data[place + 5 : place + 9] == _FLV_HEADER], size)
        if head[:4] == b"fLaC" and isinstance(path, Path) and size > len(_FLAC_START):
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _joined(_occurrences(data, _FLAC_START), size)
    return FileParts()


def _joined(starts: list[int], size: int) -> FileParts:
    """Parts that begin at ``starts``, the first of which is the beginning of the file."""
    if len(starts) < 2:
        return FileParts()
    ends = [*starts[1:], size]
    parts = tuple(Part(start, end) for start, end in zip(starts, ends, strict=True))
    return FileParts(parts, (f"{len(parts)} files joined into one; all of them are read",))


def _occurrences(data: mmap.mmap, pattern: bytes) -> list[int]:
    starts = [0]
    place = data.find(pattern, len(pattern))
    while place >= 0 and len(starts) < _MOST:
        starts.append(place)
        place = data.find(pattern, place + len(pattern))
    return starts


def _ogg(read: Read, size: int, *, is_remote: bool) -> FileParts:
    # Reading every page header of a remote file would fetch all of it.
    if is_remote and not may_be_chained(read, size):
        return FileParts()
    return _joined(link_starts(read, size, _MOST), size)


def _mp4_starts(read: Read, size: int) -> list[int]:
    """Where MP4 files begin: at every ``ftyp`` box behind an index, if an index follows that, too."""
    starts = [0]
    position = 0
    indexed = False
    candidate: int | None = None
    for _ in range(_MOST):
        head = read(position, 16)
        if len(head) < 8 or not all(0x20 <= byte < 0x7F or byte == 0xA9 for byte in head[4:8]):
            # A file of another kind may follow.
            other = media_start(read, position, size)
            starts += [other] if other is not None and indexed else []
            break
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if head[4:8] == b"ftyp" and indexed:
            candidate = position
        if head[4:8] == b"moov":
            if candidate is not None:
                starts.append(candidate)
            candidate, indexed = None, True
        if length < 8:
            break
        position += length
    return starts


def _asf_starts(read: Read, size: int) -> list[int]:
    """Where ASF files begin: objects with GUID and size, the first of which is the header."""
    starts: list[int] = []
    position = 0
    while position < size and len(starts) < _MOST:
        head = read(position, 24)
        length = int.from_bytes(head[16:24], "little")
        if head[:16] == ASF_HEADER:
            starts.append(position)
        if length < 24:
            break
        position += length
    return starts


def _ebml_starts(read: Read, size: int) -> list[int]:
    """Where Matroska files begin: each is an EBML header and a segment, whose sizes are known unless it is live."""
    starts: list[int] = []
    position = 0
    while position < size and len(starts) < _MOST:
        head = read(position, 12)
        if len(head) < 5 or not head[4]:
            break
        if head[:4] == EBML_HEADER:
            starts.append(position)
        elif head[:4] != _SEGMENT:
            break
        width = 9 - head[4].bit_length()
        length = int.from_bytes(head[4 : 4 + width], "big") & ((1 << 7 * width) - 1)
        if length == (1 << 7 * width) - 1:
            break
        position += 4 + width + length
    return starts


def _chunked(read: Read, size: int) -> FileParts:
    """Parts of a WAV, RF64, W64, AIFF or CAF file, or of several of them."""
    found = _Found()
    start = 0
    while start < size and is_chunked(read(start, 16)) and len(found.parts) < _MOST:
        payload = find_payload(read, start, size)
        if payload is None:
            break
        found.remarks += [payload.remark] if payload.remark else []
        found.notes += [payload.note] if payload.note else []
        found.parts.append(Part(start, payload.end, payload.patches))
        start = payload.next_file if payload.next_file is not None else size
    if found.parts and start < size:
        # A file of another kind.
        found.parts.append(Part(start, size))
    joined = len(found.parts) > 1
    if not joined and not any(part.patches for part in found.parts):
        return FileParts(notes=tuple(found.notes))
    if joined:
        found.remarks.append(f"{len(found.parts)} files joined into one; all of them are read")
    return FileParts(tuple(found.parts), tuple(dict.fromkeys(found.remarks)), tuple(found.notes))
