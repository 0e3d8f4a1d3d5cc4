"""Opening media files and walking through their audio packets, damaged ones included.

Times are seconds as float here (containers count in time bases of their own) and count from
the container's start, as a player shows them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiogrid.remote.reader import RemoteFile, Status

MediaFile = Path | RemoteFile

# Bytes that FFmpeg asks for at a time where each call costs more than a read from a disk.
_REMOTE_BUFFER = 1 << 18
# A timestamp may be off by this much before audio is moved: containers round to milliseconds or frames.
TOLERANCE = 0.05
# A jump ahead by more than this, past the end that the header claims, is a broken timestamp and not a pause.
LONGEST_PAUSE = 3600.0
# Timestamps that fall back by more than this were restarted (recordings strung together).
RESTART = 1.0
# Reading goes on after this many errors in a row, since each attempt moves ahead in the file.
READ_ERRORS = 200

# Largest valid packet in bytes where frames follow each other without an index: what is bigger holds rubbish.
_LARGEST_PACKET = {"mp3": 1_500, "aac": 8_191, "ac3": 3_840, "eac3": 4_096, "amr": 64}
# Formats whose header or index says how long they are, and in which a seek lands on true timestamps.
_HEADERS_COUNT = {"mov", "matroska", "ogg", "wav", "w64", "flac", "asf", "aiff", "caf"}
_TAG_STARTS = (b"ID3", b"TAG", b"APE", b"LYR")
_PLAYLISTS = {"hls", "concat", "dash", "sdp", "rtsp", "webvtt", "tedcaptions"}
# Demuxers that take nearly any bytes for speech because their format has no signature.
_UNSIGNED = {"amrnb", "amrwb"}
_TEXT_CONTROLS = frozenset(b"\t\n\r\f\v\x1b")
# Content Encryption Object and Extended Content Encryption Object (ASF specification, 3.14 and 3.15).
_ASF_DRM = (
    bytes.fromhex("fbb31122 23bd d211 b4b7 00a0c955fc6e".replace(" ", "")),
    bytes.fromhex("14e68a29 2226 174c b935 dae07ee9289c".replace(" ", "")),
)
_DRM_TAGS = ("enca", "drms", "drmi", "aavd")


class MediaError(Exception):
    """A file that cannot be transcribed; the message is one sentence: what, and what to do."""


@dataclass
class AudioInput:
    """An open container and its audio stream.

    ``origin``: seconds that timestamps are ahead of the recording's zero. ``claimed_end``:
    seconds from zero at which the header says the audio (``claims_audio``) or the whole file ends.
    """

    container: Any
    stream: Any
    path: MediaFile
    origin: float
    time_base: float
    claimed_end: float | None
    claims_audio: bool
    tracks: int

    @property
    def trusts_claim(self) -> bool:
        """Whether ``claimed_end`` comes from the header and not from file size and bit rate."""
        return self.format in _HEADERS_COUNT

    @property
    def format(self) -> str:
        """Short name of the container format: ``mov``, ``matroska``, ``mp3``."""
        return str(self.container.format.name).split(",")[0]


def check_file(path: MediaFile) -> os.stat_result | Status:
    """``stat`` of a readable regular file, or an object, with something in it; raises ``MediaError``."""
    if isinstance(path, RemoteFile):
        if path.stat().st_size == 0:
            raise MediaError("The object is empty (0 bytes): upload it again.")
        return path.stat()
    try:
        status = path.stat()
    except FileNotFoundError:
        raise MediaError("The file does not exist (any more): check the path.") from None
    except PermissionError:
        raise MediaError("No permission to reach the file: make its folder accessible to you.") from None
    except OSError as error:
        raise MediaError(f"The file cannot be reached ({error.strerror}): check the path and the disk.") from None
    if stat.S_ISDIR(status.st_mode):
        raise MediaError("This is a folder, not a file: name a media file.")
    if not stat.S_ISREG(status.st_mode):
        raise MediaError("This is not a regular file: copy the audio into a file.")
    if status.st_size == 0:
        raise MediaError("The file is empty (0 bytes): copy or export it again.")
    if not os.access(path, os.R_OK):
        raise MediaError("No permission to read the file: make it readable (chmod u+r) or ask its owner.")
    return status


def _head(path: MediaFile, size: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(size)
    except PermissionError:
        raise MediaError("No permission to read the file: make it readable (chmod u+r) or ask its owner.") from None
    except OSError as error:
        raise MediaError(f"The file cannot be read ({error.strerror}): check the disk or copy it again.") from None


def _is_text(head: bytes) -> bool:
    """Whether the first bytes hold nothing a text would not; NIST SPHERE audio starts like one."""
    return not head.startswith(b"NIST_1A") and all(
        (byte >= 0x20 and byte != 0x7F) or byte in _TEXT_CONTROLS for byte in set(head)
    )


def _not_media(head: bytes) -> MediaError:
    if head[4:8] == b"ftyp" or b"mdat" in head[:64]:
        return MediaError(
            "The file is an MP4/MOV without its index (moov), so it was cut off while being recorded or copied: "
            "copy it again or repair it."
        )
    return MediaError("The file is damaged or is no audio or video: play it to check, then export it again.")


def _open_container(path: MediaFile) -> Any:
    import av

    if isinstance(path, RemoteFile):
        # Nothing that a playlist names is opened: what comes from elsewhere has no business with files of this machine.
        return av.open(
            path.open(), options={"protocol_whitelist": "none"}, metadata_errors="replace", buffer_size=_REMOTE_BUFFER
        )
    # An absolute path is never taken for a URL or an option; nested opens (playlists) stay local.
    return av.open(str(path.absolute()), options={"protocol_whitelist": "file"}, metadata_errors="replace")


@contextmanager
def open_audio(path: MediaFile) -> Iterator[AudioInput]:
    """Open the main audio stream of a file; raises ``MediaError`` when there is none to decode."""
    import av

    check_file(path)
    head = _head(path, 4096)
    if _is_text(head):
        raise MediaError("The file holds text, not audio, whatever its name says: remove it or export the audio again.")
    try:
        container = _open_container(path)
    except (av.error.FFmpegError, ValueError, OSError):
        if isinstance(path, RemoteFile):
            path.raise_failure()
        check_file(path)
        raise _not_media(head) from None
    with container:
        name = container.format.name
        if name in _PLAYLISTS or name in _UNSIGNED:
            raise MediaError("The file is no audio or video, or a bare stream without a header: export it again.")
        yield _describe(container, path, head)
        if isinstance(path, RemoteFile):
            path.raise_failure()


def _describe(container: Any, path: MediaFile, head: bytes) -> AudioInput:
    tracks = list(container.streams.audio)
    if not tracks:
        what = "video without sound" if container.streams.video else "no audio"
        raise MediaError(f"The file holds {what}: there is nothing to transcribe.")
    stream = container.streams.best("audio") or tracks[0]
    context = stream.codec_context
    tag = "" if context is None else str(context.codec_tag)
    if tag in _DRM_TAGS or (container.format.name == "asf" and any(guid in head for guid in _ASF_DRM)):
        raise MediaError("The audio is copy-protected (DRM): export it without protection.")
    if context is None:
        raise MediaError("No decoder for the audio of this file: convert it to WAV, FLAC or MP3.")
    context.thread_count = 1
    time_base = float(stream.time_base)
    origin = (container.start_time or 0) / 1e6
    # Matroska knows the length of the whole file only, which FFmpeg copies to its streams.
    claims_audio = stream.duration is not None and (
        container.format.name[:8] != "matroska" or len(container.streams) < 2
    )
    if claims_audio:
        claimed: float | None = ((stream.start_time or 0) + stream.duration) * time_base - origin
    else:
        claimed = None if container.duration is None else container.duration / 1e6
    return AudioInput(container, stream, path, origin, time_base, claimed, claims_audio, len(tracks))


class Packets:
    """The packets of an open file, past unreadable places; the last one is empty and flushes the decoder.

    ``read_errors`` counts places where the container could not be read.
    """

    def __init__(self, source: AudioInput, *, all_streams: bool = False) -> None:
        self._source = source
        self._all = all_streams
        self.read_errors = 0

    def __iter__(self) -> Iterator[Any]:
        import av

        source = self._source
        # Containers with an index then pass over the pictures without reading them.
        unwanted = av.stream.Discard.default if self._all else av.stream.Discard.all
        for other in source.container.streams:
            if other.index != source.stream.index:
                other.discard = unwanted
        failures = 0
        while failures < READ_ERRORS:
            try:
                for packet in source.container.demux() if self._all else source.container.demux(source.stream):
                    failures = 0
                    yield packet
                return
            except (av.error.FFmpegError, OSError):
                failures += 1
                self.read_errors += failures == 1


class Timeline:
    """Where audio lies on the container's clock, whatever damage or odd timestamps there are.

    Feed every packet to ``account`` (it notices bytes that hold no frames in formats whose
    timestamps merely count frames), then ask ``silence_before`` for the pause in front of audio
    that starts at a timestamp.
    """

    def __init__(self, source: AudioInput) -> None:
        self._largest = _LARGEST_PACKET.get(source.format)
        self._path = source.path
        self._claimed = source.claimed_end or 0.0
        self._time_base = source.time_base
        self._shift = -source.origin
        self._bytes = 0
        self._seconds = 0.0
        self._next = 0
        self.jumps = 0

    def account(self, packet: Any) -> None:
        """Shift what follows by the audio that bytes without frames stood for (estimated from the bit rate)."""
        largest = self._largest
        if largest is None:
            return
        size, position = packet.size, packet.pos
        skipped = 0
        if position is not None:
            if self._next and position > self._next and not self._is_tag(self._next):
                skipped = position - self._next
            self._next = position + size
        if size > largest:
            if bytes(packet)[:3] not in _TAG_STARTS:
                skipped += size
        else:
            self._bytes += size
            self._seconds += (packet.duration or 0) * self._time_base
        if skipped and self._bytes:
            lost = skipped * self._seconds / self._bytes
            # Short stretches are padding between frames.
            self._shift += lost if lost > TOLERANCE else 0.0

    def _is_tag(self, position: int) -> bool:
        with self._path.open("rb") as file:
            file.seek(position)
            return file.read(3) in _TAG_STARTS

    def place(self, timestamp: int) -> float:
        """Seconds from the recording's zero of a timestamp of the stream."""
        return timestamp * self._time_base + self._shift

    def silence_before(self, timestamp: int, cursor: float) -> float:
        """Seconds of silence between ``cursor`` (where audio has got to) and audio at ``timestamp``."""
        start = timestamp * self._time_base + self._shift
        gap = start - cursor
        if -RESTART <= gap <= TOLERANCE:
            return 0.0
        if gap < 0 or (gap > LONGEST_PAUSE and start > self._claimed + RESTART):
            self._shift -= gap
            self.jumps += 1
            return 0.0
        return gap
