"""Finds how much audio a WAV, RF64, W64, AIFF or CAF file really holds, whatever its header says.

All of them are lists of chunks, one of which holds the audio. If a header covers less than the file, one of four things
is true: further chunks follow (the header is right), another file follows (two files were joined), the length
wrapped at 4 GB, or the header was written before the recording ended. Only then do the bytes behind the
audio chunk belong to it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from audiogrid.core.timebase import clock, to_samples
from audiogrid.media.audio_bytes import after_zeros, goes_on
from audiogrid.media.signatures import W64_HEADER, begins_media, ends_in_tags, media_start

Read = Callable[[int, int], bytes]

_WRAP = 1 << 32
_STREAMED = 0xFFFF_FFFF
# Sizes from here on are what programs write that cannot go back to the header.
_UNKNOWN_FROM = 0x7FFF_0000
_MOST_CHUNKS = 10_000
_PCM, _FLOAT, _ALAW, _MULAW = 1, 3, 6, 7
# Microsoft's and IMA's: bytes of a block's header for each channel, and samples in it.
_ADPCM = {0x02: (7, 2), 0x11: (4, 1)}
# What follows the audio in files of common programs.
_CHUNK_NAMES = """
    LIST id3 ID3 bext iXML cue smpl inst acid PEAK JUNK FLLR PAD fact plst _PMX umid afsp DISP axml chna levl MARK INST
    ANNO NAME AUTH APPL MIDI free info mark regn strg uuid elm1 minf
"""
_KNOWN_CHUNKS = frozenset(name.ljust(4).encode() for name in _CHUNK_NAMES.split())


@dataclass(frozen=True)
class _Scheme:
    """How a format writes its chunks. ``inclusive``: the size counts the chunk's own header."""

    id_bytes: int
    size: str
    inclusive: bool
    align: int
    first: int
    audio: bytes

    @property
    def header(self) -> int:
        return self.id_bytes + struct.calcsize(self.size)


_SCHEMES = {
    "riff": _Scheme(4, "<I", False, 2, 12, b"data"),
    "rifx": _Scheme(4, ">I", False, 2, 12, b"data"),
    "aiff": _Scheme(4, ">I", False, 2, 12, b"SSND"),
    "caf": _Scheme(4, ">q", False, 1, 8, b"data"),
    "w64": _Scheme(16, "<Q", True, 8, 40, b"data"),
}


@dataclass(frozen=True)
class Payload:
    """Where the audio of a file ends. ``patches``: corrections to its header, as offsets from its start and bytes.

    ``next_file``: where another file follows. ``remark``: what was corrected. ``note``: what cannot be read.
    ``pieces``: spans of all audio chunks in the file with their headers, where it has several.
    """

    end: int
    patches: tuple[tuple[int, bytes], ...] = ()
    next_file: int | None = None
    remark: str | None = None
    note: str | None = None
    pieces: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class _Chunk:
    name: bytes
    at: int
    body: int
    size: int


def _kind(head: bytes) -> str | None:
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return "riff"
    if head[:4] == b"RIFX" and head[8:12] == b"WAVE":
        return "rifx"
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "aiff"
    if head[:4] == b"caff":
        return "caf"
    return "w64" if head[:16] == W64_HEADER else None


def is_chunked(head: bytes) -> bool:
    """Whether these first 16 bytes begin a file of one of the formats."""
    return _kind(head) is not None


def _chunk(read: Read, scheme: _Scheme, at: int) -> _Chunk | None:
    head = read(at, scheme.header)
    if len(head) < scheme.header or not all(0x20 <= byte < 0x7F for byte in head[:4]):
        return None
    (size,) = struct.unpack(scheme.size, head[scheme.id_bytes :])
    return _Chunk(head[:4], at, at + scheme.header, size - scheme.header if scheme.inclusive else size)


def _after(scheme: _Scheme, chunk: _Chunk, size: int) -> int:
    end = chunk.body + size
    return end + -end % scheme.align if scheme.align > 2 else end + (size % scheme.align)


@dataclass(frozen=True)
class _Rest:
    """What follows the audio. ``is_none``: no more audio of this file.

    ``next_file``: where another file begins; ``unused``: where space begins that was never used.
    """

    is_none: bool
    next_file: int | None = None
    unused: int | None = None


def _follows(read: Read, scheme: _Scheme, at: int, size: int, skip: Callable[[int], int] | None) -> _Rest:
    """Whether a list of chunks goes from ``at`` to the end of the file, or to another file.

    ``skip``: returns the first byte that is not 0 from a place on; ``None``: zeros end no list.
    """
    for _ in range(_MOST_CHUNKS):
        if size - at < scheme.header:
            return _Rest(True)
        begins = media_start(read, at, size)
        if begins is not None:
            return _Rest(True, begins)
        if ends_in_tags(read, at, size):
            return _Rest(True)
        chunk = _chunk(read, scheme, at)
        if chunk is not None and chunk.name in _KNOWN_CHUNKS and chunk.body + chunk.size > size:
            # The last chunk was cut off.
            return _Rest(True)
        if chunk is None and skip is not None and (used := skip(at)) > at:
            begins = media_start(read, used, size) if used < size else None
            return _Rest(used == size or begins is not None, begins, at)
        if chunk is None or chunk.size < 0 or chunk.body + chunk.size > size:
            return _Rest(False)
        at = min(size, _after(scheme, chunk, chunk.size))
    return _Rest(False)


def _behind(
    read: Read, scheme: _Scheme, chunk: _Chunk, length: int, size: int, skip: Callable[[int], int] | None = None
) -> _Rest:
    """The same for what follows an audio chunk of ``length`` bytes; some programs forget to align what follows."""
    end = chunk.body + length
    for at in dict.fromkeys((_after(scheme, chunk, length), end, end + 1)):
        rest = _follows(read, scheme, min(at, size), size, skip)
        if rest.is_none:
            return rest
    return _Rest(False)


def find_payload(read: Read, start: int, size: int, *, is_remote: bool = False) -> Payload | None:
    """Returns where the audio of the file at ``start`` ends; ``None`` if it has no audio chunk.

    ``read(offset, count)`` returns bytes of the whole file, which has ``size`` bytes; of a remote one few are read.
    """
    kind = _kind(read(start, 16))
    if kind is None:
        return None
    scheme = _SCHEMES[kind]
    before: dict[bytes, _Chunk] = {}
    at = start + scheme.first
    for _ in range(_MOST_CHUNKS):
        chunk = _chunk(read, scheme, at)
        if chunk is None:
            return None
        if chunk.name == scheme.audio:
            return _payload(read, _Header(kind, scheme, start, chunk, before), size, is_remote=is_remote)
        if chunk.size < 0:
            return None
        before[chunk.name] = chunk
        at = _after(scheme, chunk, chunk.size)
    return None


@dataclass(frozen=True)
class _Header:
    kind: str
    scheme: _Scheme
    start: int
    audio: _Chunk
    before: dict[bytes, _Chunk]


def _claimed(read: Read, header: _Header) -> int | None:
    """Bytes of audio by the header; ``None`` where it does not know."""
    claimed = header.audio.size
    if header.kind == "riff":
        large = header.before.get(b"ds64")
        if large is not None and claimed == _STREAMED:
            (claimed,) = struct.unpack("<Q", read(large.body + 8, 8))
            return claimed or None
    if header.kind in ("riff", "rifx") and (claimed == 0 or claimed == _STREAMED):
        return None
    return None if claimed < 0 else claimed


def _payload(read: Read, header: _Header, size: int, *, is_remote: bool) -> Payload:
    body = header.audio.body
    available = size - body
    claimed = _claimed(read, header)
    if claimed is None:
        # FFmpeg refuses these, or takes their end for one that is cut off.
        unknown = header.kind in ("w64", "caf")
        unknown |= header.kind == "riff" and b"ds64" in header.before and header.audio.size == _STREAMED
        return Payload(size, _patches(read, header, available) if unknown else ())
    if claimed >= available - 1:
        return Payload(size)
    behind = _behind(read, header.scheme, header.audio, claimed, size)
    if behind.is_none and not _is_more_mpeg(read, header, behind.next_file):
        end = behind.next_file or size
        return Payload(end, next_file=behind.next_file, pieces=_pieces(read, header, end))
    rest = available - claimed
    for turns in range(available // _WRAP, 0, -1):
        whole = claimed + turns * _WRAP
        if header.kind in ("riff", "rifx", "aiff") and whole <= available:
            behind = _behind(read, header.scheme, header.audio, whole, size)
            if behind.is_none:
                remark = "its header cannot count beyond 4 GB; all of its audio is read"
                return Payload(body + whole, _patches(read, header, whole), behind.next_file, remark)
    skip = partial(after_zeros, read, end=size, is_remote=is_remote)
    behind = _behind(read, header.scheme, header.audio, claimed, size, skip)
    if behind.is_none and not _is_more_mpeg(read, header, behind.next_file):
        # FFmpeg would look for a chunk at every eighth byte of unused space.
        end = behind.unused or size
        return Payload(end, next_file=behind.next_file, pieces=_pieces(read, header, end))
    rate = _bytes_per_second(read, header)
    first, more = _time(claimed, rate), _time(rest, rate)
    if claimed >= _UNKNOWN_FROM or goes_on(read, body, claimed, rest):
        remark = f"its header covers only {first}; the {more} after that are read, too"
        return Payload(size, _patches(read, header, available), remark=remark)
    note = f"{rest} bytes after {first} are not covered by its header and do not look like audio ({more} if they are)"
    return Payload(body + claimed, note=f"{note}: they are not read")


def _is_more_mpeg(read: Read, header: _Header, begins: int | None) -> bool:
    """Whether what begins behind the length of a WAV is more of the MPEG audio in it."""
    return begins is not None and _holds_frames(read, header) and not begins_media(read(begins, 32))


def _holds_frames(read: Read, header: _Header) -> bool:
    """Whether a WAV holds MPEG audio: frames behind its end are then more of it, not another file."""
    chunk = header.before.get(b"fmt ") if header.kind == "riff" else None
    return chunk is not None and read(chunk.body, 2) in (b"\x50\0", b"\x55\0")


def _pieces(read: Read, header: _Header, end: int) -> tuple[tuple[int, int], ...]:
    """Spans of the audio chunks of a file that ends at ``end``; none where there is only one. FFmpeg reads the last."""
    found = []
    chunk: _Chunk | None = header.audio
    for _ in range(_MOST_CHUNKS):
        if chunk is None or chunk.size < 0 or chunk.body >= end:
            break
        if chunk.name == header.scheme.audio and chunk.size:
            found.append((chunk.at, min(end, chunk.body + chunk.size)))
        chunk = _chunk(read, header.scheme, _after(header.scheme, chunk, chunk.size))
    return tuple(found) if len(found) > 1 else ()


def _time(count: int, rate: float) -> str:
    return clock(to_samples(count / rate)) if rate else f"{count} bytes"


def _bytes_per_second(read: Read, header: _Header) -> float:
    """The rate of uncompressed or constant audio; 0 where it is not known."""
    if header.kind in ("riff", "rifx", "w64"):
        chunk = header.before.get(b"fmt ")
        facts = read(chunk.body, 16) if chunk else b""
        return _wav_rate(facts, ">" if header.kind == "rifx" else "<") if len(facts) == 16 else 0.0
    if header.kind == "aiff":
        chunk = header.before.get(b"COMM")
        if chunk is None:
            return 0.0
        channels, _, bits, exponent, mantissa = struct.unpack(">hIhHQ", read(chunk.body, 18))
        return float(channels * ((bits + 7) // 8) * mantissa * 2.0 ** ((exponent & 0x7FFF) - 16_383 - 63))
    chunk = header.before.get(b"desc")
    if chunk is None:
        return 0.0
    rate, _, _, packet, frames = struct.unpack(">d4sIII", read(chunk.body, 24))
    return float(rate * packet / frames) if frames else 0.0


def _wav_rate(facts: bytes, order: str) -> float:
    """Bytes per second by the blocks that a ``fmt `` chunk describes.

    What it says of the rate itself is wrong or 0 in files of many programs, and only believed for other codecs.
    """
    code, channels, hertz, claimed, block, bits = struct.unpack(order + "HHIIHH", facts)
    samples = {_PCM: 1, _FLOAT: 1, _ALAW: 1, _MULAW: 1}.get(code, 0)
    if code in _ADPCM and channels:
        header, extra = _ADPCM[code]
        samples = (block // channels - header) * 8 // (bits or 4) + extra
    return float(hertz * block / samples) if samples > 0 and block else float(claimed)


def _patches(read: Read, header: _Header, length: int) -> tuple[tuple[int, bytes], ...]:
    """Corrections that make a header say ``length`` bytes of audio."""
    at = header.audio.at + header.scheme.id_bytes - header.start
    if header.kind in ("riff", "rifx"):
        large = header.before.get(b"ds64")
        if large is not None and header.audio.size == _STREAMED:
            return ((large.body + 8 - header.start, struct.pack("<Q", length)),)
        # FFmpeg reads a length of 0 as "to the end".
        return ((at, struct.pack(header.scheme.size, length if length < _STREAMED else 0)),)
    if header.kind == "w64":
        return ((at, struct.pack("<Q", length + header.scheme.header)),)
    if header.kind == "caf":
        return ((at, struct.pack(">q", length)),)
    common = header.before.get(b"COMM")
    found = [(at, struct.pack(">I", min(length, _STREAMED)))]
    if common is not None:
        channels, _, bits = struct.unpack(">hIh", read(common.body, 8))
        width = max(1, channels * ((bits + 7) // 8))
        found.append((common.body + 2 - header.start, struct.pack(">I", min((length - 8) // width, _STREAMED))))
    return tuple(found)
