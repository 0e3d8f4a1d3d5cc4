"""Follows the frames of a file of bare audio frames (MP3, AAC, AC-3) and finds what else is in it.

Such files have no index: they are joined with ``cat``, tags and all, and FFmpeg reads them as what they began as. Each
header of a frame gives its length, so that what is in another format stands out, and so do tags: the pictures in them
hold bytes that look like frames, and FFmpeg would play them.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from audiogrid.media.audio_frames import frame_at, frames_begin
from audiogrid.media.signatures import begins_media, behind_tags

Read = Callable[[int, int], bytes]

# Changes and tags that are looked for at most.
_MOST = 10_000
# Places at which a remote file is looked at, and bytes that hold several frames in any case.
_PLACES = 4
_WINDOW = 1 << 16
_ENDLESS = 1 << 63
# What may begin a frame, and what else may begin a tag or a media file.
_SYNC = rb"\xff[\xe0-\xff]|\x0b\x77"
_FRAME = re.compile(_SYNC, re.DOTALL)
_MARKS = re.compile(
    _SYNC + rb"|ID3[\x02-\x04]|APETAGEX|RIFF|RF64|BW64|RIFX|FORM|fLaC|OggS\x00\x02|caff|FLV\x01"
    rb"|\x1a\x45\xdf\xa3|\x30\x26\xb2\x75|\x00...ftyp",
    re.DOTALL,
)


@dataclass
class FrameStream:
    """What is in a file of frames, as places in the file.

    ``changes``: where it goes on in another format. ``tags``: tags between frames in which there are bytes that look
    like frames.
    """

    changes: list[int] = field(default_factory=list)
    tags: list[tuple[int, int]] = field(default_factory=list)


def follow_frames(data: mmap.mmap, start: int = 0) -> FrameStream:
    """Returns what is in the file that begins at ``start``; nothing unless it begins with frames, perhaps behind tags.

    What follows a media file with a header is not looked at.
    """
    size = len(data)

    def read(place: int, count: int) -> bytes:
        return data[place : place + count]

    def head_at(place: int) -> bytes:
        return data[place : place + 7]

    at = behind_tags(read, start)
    kind = frames_begin(head_at, at, size)
    found = FrameStream()
    in_step = True
    while kind is not None and at < size and len(found.changes) + len(found.tags) < _MOST:
        frame = frame_at(head_at(at)) if in_step else None
        if frame is not None and frame[0] == kind:
            at += frame[1]
            continue
        before, at = at, behind_tags(read, at)
        if at > before and _looks_like_frames(data, before, at):
            found.tags.append((before, min(at, size)))
        if begins_media(read(at, 32)):
            found.changes.append(at)
            break
        other = frames_begin(head_at, at, size)
        in_step = other is not None
        if other is not None and other != kind:
            found.changes.append(at)
            kind = other
        if not in_step and at == before:
            mark = _MARKS.search(data, at + 1)
            if mark is None:
                break
            at = mark.start()
    return found


def distant_changes(read: Read, size: int) -> list[int]:
    """Returns where a remote file of frames goes on in another format for the first time; empty where it does not.

    Only a few places are looked at, and then those between two of them that differ. What is short and lies between
    frames of one kind may be missed.
    """
    first = behind_tags(read, 0)
    kind = frames_begin(lambda at: read(at, 7), first, size)
    if kind is None:
        return []
    places = [
        first,
        *(first + (size - first) * part // _PLACES for part in range(1, _PLACES)),
        max(first, size - _WINDOW),
    ]
    for low, high in pairwise(places):
        if kind_near(read, high, size) == kind:
            continue
        while high - low > _WINDOW // 2:
            middle = (low + high) // 2
            if kind_near(read, middle, size) == kind:
                low = middle
            else:
                high = middle
        return _change_between(read, low, high + _WINDOW, size, kind)
    return []


def kind_near(read: Read, place: int, size: int) -> str | None:
    """Returns the kind of the frames that follow each other shortly behind ``place``; ``None`` where there are none."""
    data = read(place, min(_WINDOW, size - place))
    for match in _FRAME.finditer(data):
        kind = _proved_kind(data, match.start())
        if kind is not None:
            return kind
    return None


def _proved_kind(data: bytes, at: int) -> str | None:
    """The kind of the frames that begin there. Two that reach the end of the bytes are no proof: chance makes such."""
    return frames_begin(lambda place: data[place : place + 7], at, _ENDLESS)


def frames_at_end(read: Read, start: int, size: int) -> int | None:
    """Returns where the frames begin with which a file ends; ``None`` if it ends otherwise.

    ``start``: where the last file of another format begins that is in it.
    """
    low, high = start, max(start, size - _WINDOW)
    kind = kind_near(read, high, size)
    if kind is None:
        return None
    while high - low > _WINDOW // 2:
        middle = (low + high) // 2
        low, high = (low, middle) if kind_near(read, middle, size) == kind else (middle, high)
    data = read(low, min(high + 2 * _WINDOW, size) - low)
    for match in _FRAME.finditer(data):
        if _proved_kind(data, match.start()) == kind:
            return low + match.start()
    return None


def _change_between(read: Read, low: int, high: int, size: int, kind: str) -> list[int]:
    """Where between two places a file in another format than ``kind`` begins."""
    data = read(low, min(high + _WINDOW, size) - low)
    for match in _MARKS.finditer(data, 0, high - low):
        at = match.start()
        other = frames_begin(lambda place: data[place : place + 7], at, len(data))
        if begins_media(data[at : at + 32]) or (other is not None and other != kind):
            return [low + at]
    return []


def _looks_like_frames(data: mmap.mmap, start: int, end: int) -> bool:
    return any(frame_at(data[match.start() : match.start() + 7]) for match in _FRAME.finditer(data, start, end))


def mp3_index_seconds(file: Any, begin: int) -> float | None:
    """Returns the seconds that an MP3's own index gives (Xing, Info or VBRI, after an ID3 tag of any size), if any.

    FFmpeg estimates the length of joined files from their size. ``file``: opened to read bytes; ``begin``: the MP3's
    first byte in it.
    """
    file.seek(begin)
    start = file.read(10)
    size = 0
    if start[:3] == b"ID3":
        for byte in start[6:10]:
            size = size << 7 | byte & 0x7F
        size += 10
    file.seek(begin + size)
    frame = file.read(2_000)
    if len(frame) < 4 or frame[0] != 0xFF:
        return None
    version, rate = frame[1] >> 3 & 3, frame[2] >> 2 & 3
    if rate == 3 or version == 1:
        return None
    hertz = (44_100, 48_000, 32_000)[rate] >> {3: 0, 2: 1, 0: 2}[version]
    for mark, flags, count in ((b"Xing", 4, 8), (b"Info", 4, 8), (b"VBRI", None, 14)):
        place = frame.find(mark)
        if place >= 0 and (flags is None or frame[place + 7] & 1):
            frames = int.from_bytes(frame[place + count : place + count + 4], "big")
            return frames * (1_152 if version == 3 else 576) / hertz
    return None
