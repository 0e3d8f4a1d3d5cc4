"""Facts about a media file: its duration and channels, and whether it can be decoded.

The length in a header may be wrong (variable bit rate without an index, a file that was cut off), so the duration
comes from the last audio packets. Only the first half second is decoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from audiogrid.core.timebase import clock, to_samples
from audiogrid.media.demux import AudioInput, MediaError, MediaFile, Packets, Timeline, check_file, open_audio
from audiogrid.media.pcm_stream import SHORTFALL, UNDECODABLE, WITHOUT_AUDIO, shortfall_note

# Decoding this much proves that the codec works.
_PROOF_SECONDS = 0.5
# A file may begin with damage. After this many packets without any decoded sound it counts as undecodable.
_PROOF_PACKETS = 2_000
# Where the header's length is reliable, only this much before the end is read.
_TAIL_SECONDS = 10
# Shorter files are rejected, in seconds.
_SHORTEST = 0.1


@dataclass(frozen=True)
class MediaFacts:
    """Facts about a file. ``duration``: samples at 16 kHz; ``mtime_ns`` and ``size`` tell whether it changed.

    ``duration_source``: ``container`` (the header, confirmed at the end of the file) or ``packets``
    (counted). ``channels`` and ``sample_rate`` are those of decoded audio. ``note``: what is odd.
    """

    duration: int
    duration_source: Literal["container", "packets"]
    channels: int
    sample_rate: int
    codec: str
    container: str
    size: int
    mtime_ns: int
    note: str | None


class _Scan:
    """Reads packets to find where the audio ends, and decodes the first half second."""

    def __init__(self, source: AudioInput) -> None:
        self._source = source
        self._index = source.stream.index
        self.timeline = Timeline(source)
        self.cursor = 0.0
        self.audio_packets = 0
        self.last_is_partial = False
        self.other_end = 0.0
        self.read_errors = 0
        self.channels = 0
        self.sample_rate = 0
        self.proved = 0.0
        self.encrypted = False

    def run(self, *, everything: bool, until_proved: bool = False) -> None:
        """Read packets to the end, or until enough has been decoded. ``everything``: packets of other streams, too."""
        packets = Packets(self._source, all_streams=everything)
        for packet in packets:
            if packet.stream_index != self._index:
                self._see_other(packet)
                continue
            if self.proved < _PROOF_SECONDS and self.audio_packets < _PROOF_PACKETS:
                self._prove(packet)
            if packet.size:
                self._place(packet)
            if until_proved and (self.proved >= _PROOF_SECONDS or self.audio_packets >= _PROOF_PACKETS):
                break
        self.read_errors += packets.read_errors

    def _place(self, packet: Any) -> None:
        self.audio_packets += 1
        timeline = self.timeline
        timeline.account(packet)
        self.last_is_partial = packet.is_corrupt
        timestamp = packet.dts if packet.pts is None else packet.pts
        length = (packet.duration or 0) * self._source.time_base
        if timestamp is None:
            self.cursor += length
            return
        timeline.silence_before(timestamp, self.cursor)
        self.cursor = max(self.cursor, timeline.place(timestamp) + length)

    def _see_other(self, packet: Any) -> None:
        timestamp = packet.dts if packet.pts is None else packet.pts
        if packet.size and timestamp is not None:
            end = float((timestamp + (packet.duration or 0)) * packet.time_base) - self._source.origin
            self.other_end = max(self.other_end, end)

    def _prove(self, packet: Any) -> None:
        import av

        self.encrypted |= packet.has_sidedata("encryption_info")
        try:
            frames = packet.decode()
        except (av.error.FFmpegError, ValueError):
            return
        for frame in frames:
            if frame.samples and frame.sample_rate:
                self.channels, self.sample_rate = frame.layout.nb_channels, frame.sample_rate
                self.proved += frame.samples / frame.sample_rate


def probe_media(path: MediaFile | str) -> MediaFacts:
    """Facts about a media file; raises ``MediaError`` with the reason why it cannot be transcribed."""
    path = Path(path) if isinstance(path, str) else path
    status = check_file(path)
    with open_audio(path) as source:
        scan, confirmed = _scan(source)
        end = scan.cursor
        # Encrypted packets sometimes decode to noise.
        if scan.encrypted or not scan.proved:
            raise _undecodable(scan)
        if end < _SHORTEST:
            raise MediaError(f"The file holds only {end:.2f} s of audio: nothing can be said in that time.")
        agrees = source.claimed_end is not None and abs(end - source.claimed_end) < 0.5
        return MediaFacts(
            duration=to_samples(end),
            duration_source="container" if confirmed and agrees else "packets",
            channels=scan.channels,
            sample_rate=scan.sample_rate,
            codec=source.stream.codec_context.name,
            container=source.format,
            size=status.st_size,
            mtime_ns=status.st_mtime_ns,
            note=_note(source, scan, confirmed=confirmed, path=path),
        )


def _scan(source: AudioInput) -> tuple[_Scan, bool]:
    """Find the end: by a seek where the header is reliable (the second value is then true), else packet by packet."""
    import av

    claimed = source.claimed_end
    if source.trusts_claim and claimed is not None and claimed > 3 * _TAIL_SECONDS:
        head = _Scan(source)
        head.run(everything=False, until_proved=True)
        tail = _Scan(source)
        tail.proved, tail.channels, tail.sample_rate = head.proved, head.channels, head.sample_rate
        if head.encrypted or not head.proved:
            return head, False
        try:
            target = (claimed - _TAIL_SECONDS + source.origin) / source.time_base
            source.container.seek(int(target), stream=source.stream)
            tail.cursor = claimed - _TAIL_SECONDS
            tail.run(everything=False)
        except (av.error.FFmpegError, OSError):
            tail.audio_packets = 0
        if tail.audio_packets and not tail.read_errors and not tail.timeline.jumps and not tail.last_is_partial:
            return tail, True
        source.container.seek(0)
    scan = _Scan(source)
    scan.run(everything=not source.claims_audio)
    return scan, False


def _undecodable(scan: _Scan) -> MediaError:
    if scan.encrypted:
        return MediaError("The audio is copy-protected (DRM): export it without protection.")
    if not scan.audio_packets:
        return MediaError(WITHOUT_AUDIO)
    return MediaError(UNDECODABLE)


def _note(source: AudioInput, scan: _Scan, *, confirmed: bool, path: MediaFile) -> str | None:
    notes = []
    end, claimed = scan.cursor, source.claimed_end
    believable = source.trusts_claim or (source.format == "mp3" and _has_mp3_index(path))
    if not confirmed and believable and claimed is not None and max(end, scan.other_end) < claimed - SHORTFALL:
        notes.append(shortfall_note(end, claimed))
    elif scan.last_is_partial and not _is_streamed_wav(source, path):
        notes.append(f"readable until {clock(to_samples(end))}, where it is cut off")
    if scan.read_errors:
        notes.append("some of the file cannot be read")
    if scan.timeline.jumps:
        notes.append("its timestamps jump: its audio is taken as it follows in the file")
    if source.tracks > 1:
        notes.append(f"has {source.tracks} audio streams; only the main one is transcribed")
    return "; ".join(notes) or None


def _has_mp3_index(path: MediaFile) -> bool:
    """Whether an MP3 has a header with its length (Xing, Info or VBRI, after an ID3 tag of any size)."""
    with path.open("rb") as file:
        start = file.read(10)
        if start[:3] == b"ID3":
            size = 0
            for byte in start[6:10]:
                size = size << 7 | byte & 0x7F
            file.seek(size + 10)
        else:
            file.seek(0)
        frame = file.read(2_000)
    return any(mark in frame for mark in (b"Xing", b"Info", b"VBRI"))


def _is_streamed_wav(source: AudioInput, path: MediaFile) -> bool:
    """Whether a WAV was written to a pipe: its header then has no size, and an early end is no damage."""
    if source.format != "wav":
        return False
    with path.open("rb") as file:
        head = file.read(4096)
    place = head.find(b"data")
    size = int.from_bytes(head[place + 4 : place + 8], "little")
    return place >= 0 and (size == 0 or size >= 0x7FFF_0000)
