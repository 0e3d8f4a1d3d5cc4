"""Finds out whether a file is one media file as its header says, or needs help to be read to its end.

Some files hold more audio than one header covers: a recorder that crashed leaves the length of its last save, a
32-bit length wraps at 4 GB, and files are joined with ``cat``. FFmpeg then stops at the length in the header. Here such
a file is described as parts: spans of bytes, each a media file of its own, with corrections to its header.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from io import SEEK_CUR, SEEK_END, RawIOBase
from pathlib import Path
from typing import Any

from audiogrid.media.chunk_formats import find_payload, is_chunked
from audiogrid.media.flac_files import flac_starts
from audiogrid.media.frame_streams import distant_changes, follow_frames
from audiogrid.media.mp4_boxes import BOXES, find_mp4_files
from audiogrid.media.ogg_links import link_starts, may_be_chained
from audiogrid.media.signatures import ASF_HEADER, EBML_HEADER, begins_media, behind_tags, media_start
from audiogrid.remote.reader import RemoteFile

MediaFile = Path | RemoteFile

_SEGMENT = b"\x18\x53\x80\x67"
# The size of its header, 9.
_FLV_HEADER = b"\0\0\0\x09"
# With what files begin of which FFmpeg reads one and stops: TTA, WavPack, VOC, MXF (the partition of its header).
_BEGINNINGS = (b"TTA1", b"wvpk", b"Creative Voice File\x1a", bytes.fromhex("060e2b34020501010d0102010102"))
# WavPack's flag of a block with the first channels.
_INITIAL_BLOCK = 0x800
# Remote files up to this many bytes are read whole in any case.
_SMALL = 1 << 20
# More links than this are not looked at.
_MOST = 100_000


@dataclass(frozen=True)
class Part:
    """The bytes ``[start, end)`` of a file. ``patches``: offsets from ``start``, and the bytes to read there.

    ``cuts``: spans of bytes, as places in the file, that are passed over as if they were not there.
    """

    start: int
    end: int
    patches: tuple[tuple[int, bytes], ...] = ()
    cuts: tuple[tuple[int, int], ...] = ()

    @property
    def size(self) -> int:
        """Bytes that are read."""
        return self.end - self.start - sum(last - first for first, last in self.cuts)

    def place(self, position: int) -> tuple[int, int]:
        """Returns the place in the file of a ``position`` in the part, and how many bytes follow without a cut."""
        place = self.start + position
        for first, last in self.cuts:
            if place < first:
                return place, first - place
            place += last - first
        return place, max(0, self.end - place)


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
        base = {SEEK_CUR: self._position, SEEK_END: self._part.size}.get(whence, 0)
        self._position = max(0, base + offset)
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Returns up to ``size`` bytes, with the corrections in place; empty at the end of the part only."""
        place, left = self._part.place(self._position)
        wanted = left if size < 0 else min(size, left)
        if wanted <= 0:
            return b""
        self._file.seek(place)
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
    """The parts of some bytes, one of which may be all of them, and what is to be said of them."""

    parts: list[Part] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


Read = Callable[[int, int], bytes]


def find_parts(path: MediaFile) -> FileParts:
    """Returns the parts of a file; none where FFmpeg reads it to its end without help. Raises ``OSError``."""
    size = path.stat().st_size
    if not size:
        return FileParts()
    with path.open("rb") if isinstance(path, Path) else path.open() as file:

        def read(offset: int, count: int) -> bytes:
            file.seek(offset)
            data = b""
            while len(data) < count and (more := file.read(count - len(data))):
                data += more
            return data

        # Tags in front of a file that has a header; MP3 and the like are followed from the first tag on.
        start = behind_tags(read, 0)
        start = start if begins_media(read(start, 32)) else 0
        if isinstance(path, Path):
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                found = _find(read, start, size, data)
        else:
            found = _find(read, start, size, None)
    if len(found.parts) < 2:
        is_changed = any(part.patches or part.cuts or part.end < size for part in found.parts)
        parts = tuple(found.parts) if is_changed else ()
        return FileParts(parts, tuple(dict.fromkeys(found.remarks)), tuple(found.notes))
    files = len({part.start for part in found.parts})
    joined = f"{files} files joined into one; all of them are read"
    if files == 1:
        joined = f"its audio is in {len(found.parts)} pieces; all of them are read"
    return FileParts(tuple(found.parts), tuple(dict.fromkeys([*found.remarks, joined])), tuple(found.notes))


def _find(read: Read, start: int, size: int, data: mmap.mmap | None) -> _Found:
    """Parts of the bytes from ``start`` on of a file of ``size`` bytes. ``data``: the file, if it is on a disk."""

    found = _Found()
    while len(found.parts) < _MOST:

        def here(offset: int, count: int, start: int = start) -> bytes:
            return read(start + offset, count)

        more = _of_one_kind(here, size - start, data, start)
        found.remarks += more.remarks
        found.notes += more.notes
        if not more.parts:
            break
        # The last part may be of another kind, with others behind it: these then stand in its place.
        found.parts[-1:] = [_moved(part, start) for part in more.parts]
        last = found.parts[-1]
        if last.start == start or last.patches or last.end != size:
            break
        start = last.start
    return found


def _moved(part: Part, by: int) -> Part:
    """A part so many bytes further on."""
    cuts = tuple((first + by, last + by) for first, last in part.cuts)
    return replace(part, start=part.start + by, end=part.end + by, cuts=cuts)


def _of_one_kind(read: Read, size: int, data: mmap.mmap | None, offset: int) -> _Found:
    """Parts by the format of the first one. ``data`` begins ``offset`` bytes before what ``read`` gives."""
    head = read(0, 32)
    if is_chunked(head[:16]):
        return _chunked(read, size, is_remote=data is None)
    if head[:4] == b"OggS":
        # Reading every page header of a remote file would fetch all of it.
        is_single = data is None and size > _SMALL and not may_be_chained(read, size)
        return _Found() if is_single else _joined(link_starts(read, size, _MOST), size)
    if head[4:8] in BOXES:
        files = find_mp4_files(read, size, is_remote=data is None)
        return replace(_joined(files.starts, size), notes=files.notes)
    if head[:16] == ASF_HEADER:
        return _joined(_asf_starts(read, size), size)
    if head[:4] == EBML_HEADER:
        return _joined(_ebml_starts(read, size), size)
    if head[:4] == b".snd" and head[8:12] == bytes(4):
        # FFmpeg refuses a length of 0, and reads to the end where the length is unknown.
        return _Found([Part(0, size, ((8, b"\xff" * 4),))])
    if head[:4] == b"fLaC" or (head[:3] == b"ID3" and read(behind_tags(read, 0), 4) == b"fLaC"):
        return _joined(flac_starts(read, size, is_remote=data is None, most=_MOST), size)
    if data is None:
        return _joined([0, *distant_changes(read, size)], size)
    beginning = next((mark for mark in _BEGINNINGS if head.startswith(mark)), b"")
    if beginning:
        later = _occurrences(data, beginning, offset)[1:]
        return _joined([0, *(place for place in later if _is_beginning(read(place, 32)))], size)
    if head[:4] == b"FLV\x01":
        places = _occurrences(data, b"FLV\x01", offset)
        return _joined([place for place in places if read(place + 5, 4) == _FLV_HEADER], size)
    frames = follow_frames(data, offset)
    found = _joined([0, *(place - offset for place in frames.changes)], size)
    if frames.tags:
        tags = [(first - offset, last - offset) for first, last in frames.tags]
        found.parts = [
            replace(part, cuts=tuple(tag for tag in tags if part.start <= tag[0] < part.end))
            for part in found.parts or [Part(0, size)]
        ]
    return found


def _is_beginning(head: bytes) -> bool:
    """Whether a file of ``_BEGINNINGS`` begins with these bytes. WavPack's begins with a block of first samples."""
    if head[:4] == b"TTA1":
        form, channels, bits = (int.from_bytes(head[place : place + 2], "little") for place in (4, 6, 8))
        return form in (1, 2, 3) and 0 < channels <= 32 and bits in (8, 16, 24, 32)
    if head[:4] != b"wvpk":
        return True
    version, index, flags = head[9], head[16:20], int.from_bytes(head[24:28], "little")
    return version == 4 and index == bytes(4) and bool(flags & _INITIAL_BLOCK)


def _joined(starts: list[int], size: int) -> _Found:
    """Parts that begin at ``starts``, the first of which is the beginning of the file."""
    if len(starts) < 2:
        return _Found()
    ends = [*starts[1:], size]
    return _Found([Part(start, end) for start, end in zip(starts, ends, strict=True)])


def _occurrences(data: mmap.mmap, pattern: bytes, offset: int) -> list[int]:
    """Where ``pattern`` is found behind ``offset``, counted from there; 0 comes first in any case."""
    starts = [0]
    place = data.find(pattern, offset + len(pattern))
    while place >= 0 and len(starts) < _MOST:
        starts.append(place - offset)
        place = data.find(pattern, place + len(pattern))
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
        elif starts and media_start(read, position, size) is not None:
            return [*starts, position]
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
        if len(head) < 5:
            break
        if head[:4] == EBML_HEADER:
            starts.append(position)
        elif head[:4] != _SEGMENT:
            return [*starts, position] if media_start(read, position, size) is not None else starts
        if not head[4]:
            break
        width = 9 - head[4].bit_length()
        length = int.from_bytes(head[4 : 4 + width], "big") & ((1 << 7 * width) - 1)
        if length == (1 << 7 * width) - 1:
            break
        position += 4 + width + length
    return starts


def _chunked(read: Read, size: int, *, is_remote: bool) -> _Found:
    """Parts of a WAV, RF64, W64, AIFF or CAF file, or of several of them."""
    found = _Found()
    start = 0
    while start < size and is_chunked(read(start, 16)) and len(found.parts) < _MOST:
        payload = find_payload(read, start, size, is_remote=is_remote)
        if payload is None:
            break
        found.remarks += [payload.remark] if payload.remark else []
        found.notes += [payload.note] if payload.note else []
        found.parts += [
            # The header, and one of the pieces behind it.
            Part(start, end, payload.patches, ((payload.pieces[0][0], begin),) if index else ())
            for index, (begin, end) in enumerate(payload.pieces or [(start, payload.end)])
        ]
        start = payload.next_file if payload.next_file is not None else size
    if found.parts and start < size:
        # A file of another kind.
        found.parts.append(Part(start, size))
    return found
