"""Opens media files and reads their audio packets, also past damaged places.

Times are seconds as float here, because containers have time bases of their own. They count from the container's
start, as a player shows them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from audiogrid.media.file_parts import MediaFile, Part, PartReader
from audiogrid.remote.reader import RemoteFile, Status

# Bytes that FFmpeg asks for at a time where each call costs more than reading from a disk.
_REMOTE_BUFFER = 1 << 18
# Reading ends after this many errors in a row. Each attempt moves ahead in the file.
READ_ERRORS = 200

# Formats whose header or index says how long they are, and in which a seek lands on true timestamps.
_HEADERS_COUNT = {"mov", "matroska", "ogg", "wav", "w64", "flac", "asf", "aiff", "caf"}
# A file whose first timestamp is later than this, in seconds, was cut out of something longer.
_OWN_CLOCK = 1.0
# FFmpeg's AVFMT_TS_DISCONT.
_CLOCK_JUMPS = 0x0200
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
    """An open container and one of its audio streams.

    ``origin``: the container's clock at the recording's zero, in seconds. ``claimed_end``: seconds from zero at which
    the header says the audio (``claims_audio``) or the whole file ends. ``tracks``: number of audio streams.
    ``offset``: byte of the file at which the container begins; positions of packets count from there.
    """

    container: Any
    stream: Any
    path: MediaFile
    origin: float
    time_base: float
    claimed_end: float | None
    claims_audio: bool
    tracks: int
    offset: int = 0

    @property
    def clock_restarts(self) -> bool:
        """Whether clocks of this format may jump (FFmpeg's ``AVFMT_TS_DISCONT``, and streams cut by a server)."""
        return bool(self.container.format.flags & _CLOCK_JUMPS) or self.format in ("flv", "live_flv")

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


def _head(path: MediaFile, size: int, start: int = 0) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(start)
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
    return MediaError("The file is damaged, or is neither audio nor video: play it to check, then export it again.")


def _open_container(path: MediaFile, part: Part | None, head: bytes) -> Any:
    import av

    # A transport stream may carry the same programme on under other numbers, after a splice.
    options = {"merge_pmt_versions": "1"} if head[:1] == head[188:189] == b"G" else {}
    if part is not None:
        options["protocol_whitelist"] = "none"
        return av.open(PartReader(path, part), options=options, metadata_errors="replace", buffer_size=_REMOTE_BUFFER)
    if isinstance(path, RemoteFile):
        # A remote playlist must not make FFmpeg open files of this machine.
        return av.open(
            path.open(),
            options={**options, "protocol_whitelist": "none"},
            metadata_errors="replace",
            buffer_size=_REMOTE_BUFFER,
        )
    # An absolute path is never taken for a URL or an option; nested opens (playlists) stay local.
    return av.open(str(path.absolute()), options={**options, "protocol_whitelist": "file"}, metadata_errors="replace")


@contextmanager
def open_container(path: MediaFile, part: Part | None = None) -> Iterator[Any]:
    """Open a file, or one part of it; raises ``MediaError`` when it is no audio or video."""
    import av

    check_file(path)
    head = _head(path, 4096, part.start if part else 0)
    if _is_text(head):
        raise MediaError("The file holds text, not audio, whatever its name says: remove it or export the audio again.")
    try:
        container = _open_container(path, part, head)
    except (av.error.FFmpegError, ValueError, OSError):
        if isinstance(path, RemoteFile):
            path.raise_failure()
        check_file(path)
        raise _not_media(head) from None
    with container:
        name = container.format.name
        if name in _PLAYLISTS or name in _UNSIGNED:
            raise MediaError("The file is neither audio nor video, or a bare stream without a header: export it again.")
        if not container.streams.audio:
            what = "video without sound" if container.streams.video else "no audio"
            raise MediaError(f"The file holds {what}: there is nothing to transcribe.")
        if name == "asf" and any(guid in head for guid in _ASF_DRM):
            raise MediaError("The audio is copy-protected (DRM): export it without protection.")
        yield container
        if isinstance(path, RemoteFile):
            path.raise_failure()


def main_track(container: Any) -> int:
    """Number (from 1) of the audio track that FFmpeg and players take by default."""
    tracks = list(container.streams.audio)
    best = container.streams.best("audio") or tracks[0]
    return [track.index for track in tracks].index(best.index) + 1


@contextmanager
def open_audio(path: MediaFile, *, part: Part | None = None, track: int | None = None) -> Iterator[AudioInput]:
    """Open an audio track of a file or of one part of it; raises ``MediaError`` when it cannot be decoded.

    ``track``: its number from 1; ``None``, or a number that this part does not have, stands for the main one.
    """
    with open_container(path, part) as container:
        count = len(container.streams.audio)
        number = track if track is not None and track <= count else main_track(container)
        yield describe(container, path, number, part)


def describe(container: Any, path: MediaFile, number: int, part: Part | None = None) -> AudioInput:
    """One audio track (``number`` from 1) of an open container, which is a whole file or a ``part`` of it.

    Raises ``MediaError`` when the track has no decoder.
    """
    stream = container.streams.audio[number - 1]
    context = stream.codec_context
    if context is not None and str(context.codec_tag) in _DRM_TAGS:
        raise MediaError("The audio is copy-protected (DRM): export it without protection.")
    if context is None:
        raise MediaError("No decoder for the audio of this file: convert it to WAV, FLAC or MP3.")
    context.thread_count = 1
    time_base = float(stream.time_base)
    origin = (container.start_time or 0) / 1e6
    # Matroska and ASF know the length of the whole file only, which FFmpeg copies to their streams.
    claims_audio = stream.duration is not None and (
        container.format.name.split(",")[0] not in ("matroska", "asf") or len(container.streams) < 2
    )
    if claims_audio:
        claimed: float | None = ((stream.start_time or 0) + stream.duration) * time_base - origin
    else:
        claimed = None if container.duration is None else container.duration / 1e6
    if origin > _OWN_CLOCK and container.format.name == "ogg":
        # A stream that was joined while it ran: FFmpeg gives its last timestamp for its length.
        claims_audio, claimed = False, None
    count = len(container.streams.audio)
    offset = part.start if part is not None else 0
    return AudioInput(container, stream, path, origin, time_base, claimed, claims_audio, count, offset)


class Packets:
    """Iterates over the packets of an open file and skips unreadable places. The last packet is empty (flush).

    ``read_errors``: number of places that could not be read.
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
