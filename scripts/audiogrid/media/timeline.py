"""Places audio on the container's clock, whatever damage or odd timestamps there are."""

from __future__ import annotations

from typing import Any

from audiogrid.media.demux import AudioInput
from audiogrid.media.signatures import behind_tags, is_tag

TOLERANCE = 0.05
"""Seconds that a timestamp may be off before audio is moved: containers round to milliseconds or frames."""

# Longest pause, in seconds, that is believed although nothing in the file fills it. Where clocks may restart (transport
# streams), ffmpeg's own threshold.
_LONGEST_PAUSE = 3600.0
_LONGEST_PAUSE_ON_JUMPING_CLOCKS = 10.0
# A pause is filled if the bytes around it would last for at least this share of it at the file's own rate; what counts
# are those from this many seconds before it on.
_FILLED = 0.1
_WINDOW = 2.0
# Timestamps that fall back by more than this, in seconds, were restarted (recordings strung together).
_RESTART = 1.0
# The rate of a file is known after this many seconds.
_ENOUGH = 1.0

# Largest valid packet in bytes where frames follow each other without an index: a bigger one holds rubbish.
_LARGEST_PACKET = {"mp3": 1_500, "aac": 8_191, "ac3": 3_840, "eac3": 4_096, "amr": 64}
_ADTS_RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350)


def adts_hertz(packet: Any) -> int:
    """Returns the sampling rate in the header of an AAC frame in ADTS; 0 where a packet is something else."""
    if packet.size < 7:
        return 0
    head = memoryview(packet)
    index = head[2] >> 2 & 15
    is_frame = head[0] == 0xFF and head[1] & 0xF6 == 0xF0 and index < len(_ADTS_RATES)
    return _ADTS_RATES[index] if is_frame else 0


class Timeline:
    """The clock of an audio stream, in seconds from the recording's zero.

    Feed every packet to ``account``, then ask ``silence_before`` for the pause in front of audio at a timestamp.
    ``jumps``: how often timestamps were found wrong. ``counts_wrong``: timestamps count frames at another rate.
    """

    def __init__(self, source: AudioInput) -> None:
        self._largest = _LARGEST_PACKET.get(source.format)
        self._path = source.path
        self._offset = source.offset
        self._time_base = source.time_base
        self._shift = -source.origin
        self._longest = _LONGEST_PAUSE_ON_JUMPING_CLOCKS if source.clock_restarts else _LONGEST_PAUSE
        self._bytes = 0
        self._seconds = 0.0
        self._next = 0
        self._tag_end = 0
        # For evidence of pauses: where the packets of the stream lie, and how many seconds follow without a pause.
        self._places: list[tuple[float, int]] = []
        self._heard = 0.0
        self._last: float | None = None
        self._filled: dict[int, float] = {}
        self.counts_wrong = False
        self.jumps = 0

    def account(self, packet: Any) -> None:
        """Take notice of a packet, before what it decodes to is placed."""
        if packet.size:
            self._watch(packet)
            self.duration(packet)
        if self._largest is not None:
            self._account_bytes(packet)

    def duration(self, packet: Any) -> float:
        """Seconds of audio in a packet."""
        if self._largest == _LARGEST_PACKET["aac"] and (hertz := adts_hertz(packet)):
            # FFmpeg keeps counting at the rate of the first frame where joined files have another.
            length = ((memoryview(packet)[6] & 3) + 1) * 1024 / hertz
            self.counts_wrong |= abs(length - (packet.duration or 0) * self._time_base) > 0.01 * length
            return length
        return float((packet.duration or 0) * self._time_base)

    def _watch(self, packet: Any) -> None:
        """Note how far the bytes between two packets fill the time between them."""
        timestamp = packet.dts if packet.pts is None else packet.pts
        position = packet.pos
        if timestamp is not None:
            at = timestamp * self._time_base
            if self._last is not None:
                if at - self._last > _ENOUGH:
                    self._filled[timestamp] = self._surplus_seconds(position)
                else:
                    self._heard += max(0.0, at - self._last)
            self._last = at
        if position is not None:
            self._places.append((self._heard, position))
            # The first place stays: the rate of the file is counted from there.
            while len(self._places) > 2 and self._places[2][0] < self._heard - _WINDOW:
                del self._places[1]

    def _surplus_seconds(self, position: int | None) -> float:
        """How long the bytes before ``position`` would last that the audio of the last seconds does not account for.

        Writers hold back the audio before a pause, so it may lie behind what fills the pause.
        """
        if position is None or len(self._places) < 2:
            return 0.0
        (first_heard, first), (heard, place) = self._places[:2]
        if heard - first_heard < _ENOUGH / 2:
            heard, place = self._heard, self._places[-1][1]
        if heard - first_heard < _ENOUGH / 2 or place <= first:
            return 0.0
        rate = (place - first) / (heard - first_heard)
        return (position - place) / rate - (self._heard - heard)

    def _account_bytes(self, packet: Any) -> None:
        """Shift what follows by the audio that bytes without frames stood for (estimated from the bit rate)."""
        size, position = packet.size, packet.pos
        skipped = 0
        if position is not None:
            if self._next and position > self._next and not self._is_in_tag(self._next):
                skipped = position - self._next
            self._next = position + size
            if is_tag(bytes(packet)[:3]):
                self._is_in_tag(position)
            if self.is_tag(packet):
                self._shift -= (packet.duration or 0) * self._time_base
                return
        if self.is_rubbish(packet):
            if not is_tag(bytes(packet)):
                skipped += size
        else:
            self._bytes += size
            self._seconds += (packet.duration or 0) * self._time_base
        if skipped and self._bytes:
            lost = skipped * self._seconds / self._bytes
            # Short stretches are padding between frames.
            self._shift += lost if lost > TOLERANCE else 0.0

    def is_tag(self, packet: Any) -> bool:
        """Whether a packet lies in a tag: pictures in tags hold bytes that look like frames."""
        return packet.pos is not None and packet.pos < self._tag_end

    def is_rubbish(self, packet: Any) -> bool:
        """Whether a packet is none: bytes without frames, which stand for audio only if audio follows them."""
        return self._largest is not None and bool(packet.size > self._largest)

    def _is_in_tag(self, position: int) -> bool:
        """Whether a tag goes on or begins at ``position``."""
        if position < self._tag_end:
            return True
        with self._path.open("rb") as file:

            def read(place: int, count: int) -> bytes:
                file.seek(self._offset + place)
                return file.read(count) or b""

            self._tag_end = max(self._tag_end, behind_tags(read, position))
            return position < self._tag_end or is_tag(read(position, 3))

    def place(self, timestamp: int) -> float:
        """Seconds from the recording's zero of a timestamp of the stream."""
        return timestamp * self._time_base + self._shift

    def silence_before(self, timestamp: int, cursor: float) -> float:
        """Seconds of silence between ``cursor`` (the end of the audio so far) and audio at ``timestamp``."""
        gap = self.place(timestamp) - cursor
        if -_RESTART <= gap <= TOLERANCE:
            return 0.0
        if gap < 0 or (gap > self._longest and not self._is_filled(timestamp, gap, cursor)):
            self._shift -= gap
            self.jumps += 1
            return 0.0
        return gap

    def _is_filled(self, timestamp: int, gap: float, cursor: float) -> bool:
        """Whether the file holds enough other bytes (pictures, other tracks) for a pause of ``gap`` seconds."""
        if not cursor:
            # Before the first audio the rate is unknown.
            return gap <= _LONGEST_PAUSE
        near = [key for key in self._filled if abs(key - timestamp) * self._time_base < _RESTART]
        return any(self._filled[key] >= _FILLED * gap for key in near)
