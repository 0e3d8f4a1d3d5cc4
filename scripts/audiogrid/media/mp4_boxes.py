"""Finds where MP4 and MOV files begin that were joined into one, and data that their index does not mention."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from audiogrid.core.timebase import clock, to_samples
from audiogrid.media.audio_bytes import after_zeros
from audiogrid.media.signatures import ends_in_tags, media_start

Read = Callable[[int, int], bytes]

BOXES = frozenset(b"ftyp moov mdat free skip wide moof sidx styp uuid meta pdin".split())
# More boxes than this are not looked at, and no index that is larger (bytes).
_MOST = 100_000
_LARGEST_INDEX = 1 << 28
# What an index does not mention matters from this share of the data, and this many bytes on.
_SHARE, _LEAST = 0.1, 1 << 14
# Encoders pad the audio and hide that by an edit; more than this, in seconds, was cut out by somebody.
_HIDDEN = 1.0


@dataclass
class Mp4Files:
    """``starts``: where files begin, the first at 0. ``notes``: what is in none of them."""

    starts: list[int] = field(default_factory=lambda: [0])
    notes: list[str] = field(default_factory=list)


@dataclass
class _File:
    """What is known of the file that is being read. ``media``: bytes of its data; ``mentioned``: those in its index.

    ``hidden``: seconds of audio that its edit list leaves out.
    """

    media: int = 0
    mentioned: int | None = None
    is_fragmented: bool = False
    is_indexed: bool = False
    hidden: float = 0.0

    def notes(self) -> Iterator[str]:
        if self.hidden > _HIDDEN and not self.is_fragmented:
            yield f"its edit list leaves out {clock(to_samples(self.hidden))} of its audio, which are not read"
        if self.is_fragmented or self.mentioned is None:
            return
        left = self.media - self.mentioned
        if left > max(_LEAST, _SHARE * self.media):
            share = 100 * left / self.media
            yield f"{share:.0f} % of its media data ({left} bytes) are not in its index and are not read"


def find_mp4_files(read: Read, size: int, *, is_remote: bool = False) -> Mp4Files:
    """Returns where MP4 files begin: at every ``ftyp`` box behind an index, if an index follows that, too.

    ``read(offset, count)`` returns bytes of a file of ``size`` bytes. The index of a remote file is not read.
    """
    found, file = Mp4Files(), _File()
    position = media_before_ftyp = 0
    candidate: int | None = None
    for _ in range(_MOST):
        head = read(position, 16)
        if position >= size or len(head) < 8:
            break
        if not all(0x20 <= byte < 0x7F or byte == 0xA9 for byte in head[4:8]):
            # A recorder may have reserved more space than it used.
            used = after_zeros(read, position, end=size, is_remote=is_remote)
            places = range(max(position + 1, used - 3), used + 1)
            box = next((place for place in places if read(place, 8)[4:8] in BOXES), None)
            if box is not None:
                position = box
                continue
            if used < size:
                _end(found, read, used, size, file)
            break
        name, length, header = head[4:8], int.from_bytes(head[:4], "big"), 8
        if length == 1:
            length, header = int.from_bytes(head[8:16], "big"), 16
        if name == b"ftyp" and file.is_indexed:
            candidate, media_before_ftyp = position, file.media
        elif name == b"moov":
            if candidate is not None:
                found.starts.append(candidate)
                data = file.media - media_before_ftyp
                file.media = media_before_ftyp
                found.notes += file.notes()
                file = _File(media=data)
            candidate, file.is_indexed = None, True
            if not is_remote and length <= _LARGEST_INDEX:
                index = read(position + header, length - header)
                file.mentioned, file.hidden = mentioned_bytes(index), hidden_seconds(index)
        elif name == b"moof":
            file.is_fragmented = True
        elif name == b"mdat":
            file.media += min(length, size - position) - header if length else size - position - header
        if length < 8:
            break
        position += length
    found.notes += file.notes()
    return found


def _end(found: Mp4Files, read: Read, position: int, size: int, file: _File) -> None:
    """What stands behind the last box: another file, tags, or something that nobody can tell."""
    other = media_start(read, position, size)
    if other is not None and file.is_indexed:
        found.starts.append(other)
    elif size - position > max(_LEAST, _SHARE * size) and not ends_in_tags(read, position, size):
        found.notes.append(f"{size - position} bytes at its end belong to no part of the file and are not read")


def mentioned_bytes(index: bytes) -> int | None:
    """Returns the bytes of all samples that a ``moov`` box mentions; ``None`` where it does not say.

    Tables with one size for all samples do not say: in MOV that size may count something else.
    """
    total: int | None = None
    for name, table in _sample_sizes(index):
        if name == b"stz2" or int.from_bytes(table[4:8], "big"):
            return None
        sizes = array("I", bytes(table[12 : 12 + 4 * min(int.from_bytes(table[8:12], "big"), (len(table) - 12) // 4)]))
        if sys.byteorder == "little":
            sizes.byteswap()
        total = (total or 0) + sum(sizes)
    return total


def _sample_sizes(index: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yields name and contents of the tables with sizes of samples, one for every track."""
    for name, track in _boxes(index):
        inner = track if name == b"trak" else memoryview(b"")
        for wanted in (b"mdia", b"minf", b"stbl"):
            inner = next((content for one, content in _boxes(inner) if one == wanted), memoryview(b""))
        yield from ((one, table) for one, table in _boxes(inner) if one in (b"stsz", b"stz2"))


def hidden_seconds(index: bytes) -> float:
    """Returns how much of an audio track the edit lists in a ``moov`` box leave out: of the track with the most."""
    scale = 0
    hidden = 0.0
    for name, content in _boxes(index):
        if name == b"mvhd":
            scale = _scale(content)
        if name != b"trak" or not scale:
            continue
        boxes = dict(_boxes(content))
        media = dict(_boxes(boxes.get(b"mdia", b"")))
        edits = dict(_boxes(boxes.get(b"edts", b""))).get(b"elst")
        if edits is None or bytes(media.get(b"hdlr", b"")[8:12]) != b"soun" or b"mdhd" not in media:
            continue
        rate = _scale(media[b"mdhd"])
        samples = dict(_boxes(dict(_boxes(media.get(b"minf", b""))).get(b"stbl", b""))).get(b"stts", memoryview(b""))
        shown = _shown(edits)
        if rate and shown is not None:
            hidden = max(hidden, _length(samples) / rate - shown / scale)
    return hidden


def _scale(box: memoryview) -> int:
    """Units per second of a movie or media header."""
    place = 20 if bytes(box[:1]) == b"\1" else 12
    return int.from_bytes(box[place : place + 4], "big")


def _length(times: memoryview) -> int:
    """The length of a track by its table of times (``stts``): how many samples of which duration follow each other."""
    end = min(len(times) - 7, 8 + 8 * int.from_bytes(times[4:8], "big"))
    pairs = (times[place : place + 8] for place in range(8, end, 8))
    return sum(int.from_bytes(pair[:4], "big") * int.from_bytes(pair[4:], "big") for pair in pairs)


def _shown(edits: memoryview) -> int | None:
    """How long the edits of a list are that show something; ``None`` where one goes to the end of the track."""
    width = 8 if bytes(edits[:1]) == b"\1" else 4
    total = 0
    for number in range(int.from_bytes(edits[4:8], "big")):
        place = 8 + number * (2 * width + 4)
        length = int.from_bytes(edits[place : place + width], "big")
        begin = int.from_bytes(edits[place + width : place + 2 * width], "big", signed=True)
        if len(edits) < place + 2 * width or not length:
            return None
        total += length if begin >= 0 else 0
    return total


def _boxes(data: bytes | memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Yields name and contents of the boxes in a box."""
    view = memoryview(data)
    position = 0
    while position + 8 <= len(view):
        length, header = int.from_bytes(view[position : position + 4], "big"), 8
        if length == 1:
            length, header = int.from_bytes(view[position + 8 : position + 16], "big"), 16
        if length < header:
            return
        yield bytes(view[position + 4 : position + 8]), view[position + header : position + length]
        position += length
