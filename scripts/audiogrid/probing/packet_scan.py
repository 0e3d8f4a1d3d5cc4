"""Finds where the audio of an open file ends, by reading packets and decoding only the first half second."""

from __future__ import annotations

from typing import Any

from audiogrid.media.demux import AudioInput, Packets
from audiogrid.media.timeline import Timeline

# Decoding this much proves that the codec works.
_PROOF_SECONDS = 0.5
# A file may begin with damage. After this many packets without any decoded sound it counts as undecodable.
_PROOF_PACKETS = 2_000
# Where the header's length is reliable, only this much before the end is read.
_TAIL_SECONDS = 10
# A header that gives a file less than this share of the bytes per second at its start is not relied on.
_THIN = 0.1
# Timestamps stand still if the packets together are this many times as long, and this many seconds more.
_STILL, _STILL_SECONDS = 1.5, 1.0


class PacketScan:
    """Reads packets to find where the audio ends, and decodes the first half second."""

    def __init__(self, source: AudioInput) -> None:
        self._source = source
        self._index = source.stream.index
        self._counted = 0.0
        self.timeline = Timeline(source)
        self.cursor = 0.0
        self.stands_still = False
        self.audio_packets = 0
        self.bytes = 0
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

    def mistrust_clock(self) -> None:
        """Take the sum of all packets for the end where timestamps hardly move on."""
        if self._counted > _STILL * self.cursor + _STILL_SECONDS:
            self.cursor, self.stands_still = self._counted, True

    def _place(self, packet: Any) -> None:
        self.audio_packets += 1
        timeline = self.timeline
        timeline.account(packet)
        if timeline.is_tag(packet) or timeline.is_rubbish(packet):
            return
        self.last_is_partial = packet.is_corrupt
        timestamp = packet.dts if packet.pts is None else packet.pts
        length = timeline.duration(packet)
        self.bytes += packet.size
        self._counted += 0.0 if packet.is_discard else length
        if timestamp is None:
            self.cursor += length
            return
        timeline.silence_before(timestamp, self.cursor)
        if timeline.counts_wrong:
            self.cursor += length
            return
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


def scan_packets(source: AudioInput) -> tuple[PacketScan, bool]:
    """Find the end: by a seek where the header is reliable (the second value is then true), else packet by packet."""
    import av

    claimed = source.claimed_end
    if source.trusts_claim and claimed is not None and claimed > 3 * _TAIL_SECONDS:
        head = PacketScan(source)
        head.run(everything=False, until_proved=True)
        if head.encrypted or not head.proved:
            return head, False
        if _is_thin(source, head, claimed):
            source.container.seek(0)
            return _scan_all(source), False
        tail = PacketScan(source)
        tail.proved, tail.channels, tail.sample_rate = head.proved, head.channels, head.sample_rate
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
    return _scan_all(source), False


def _scan_all(source: AudioInput) -> PacketScan:
    scan = PacketScan(source)
    scan.run(everything=not source.claims_audio)
    scan.mistrust_clock()
    return scan


def _is_thin(source: AudioInput, head: PacketScan, claimed: float) -> bool:
    """Whether a file is far too small for the time its header claims: its clock jumps, or nothing sounds for long."""
    size = source.container.size
    return bool(size > 0 and head.cursor > 0 and size < _THIN * claimed * head.bytes / head.cursor)
