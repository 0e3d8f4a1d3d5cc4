"""Decodes one audio track of a file, part after part, and keeps account of what could not be read."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

from audiogrid.core.timebase import clock, to_samples
from audiogrid.media.demux import AudioInput, MediaError, Packets, open_audio
from audiogrid.media.file_parts import FileParts, MediaFile, Part
from audiogrid.media.frame_streams import mp3_index_seconds
from audiogrid.media.pcm_converter import Channels, PcmConverter, Work, frame_kind
from audiogrid.media.signatures import is_tag
from audiogrid.media.timeline import Timeline

# Containers in which audio may pause on purpose (muted calls, screen recordings); elsewhere a hole is damage.
_MAY_PAUSE = {"matroska", "mov", "mpegts", "mpeg", "flv", "avi"}
UNDECODABLE = "None of the audio can be decoded, so it is damaged or protected: export it again."
WITHOUT_AUDIO = "The file has an audio stream without any audio in it: export it again."

SHORTFALL = 1.0
"""A file whose sound is this many seconds shorter than its header says was cut off."""

# Damage this close to the last audio, in seconds, is a cut-off end.
_TAIL = 0.2
# After this many packets that cannot be decoded the rest of the file may be in another codec.
_ERRORS_OF_ANOTHER_CODEC = 12
# Shorter holes, in seconds, are ignored: less than a block of any codec that can be damaged.
_HOLE = 0.09
# Pauses that add up to less than this, in seconds, are the jitter of a live recording.
_SHORT_PAUSES = 1.0


@dataclass
class _Problems:
    """What went wrong in a part, in seconds from its start."""

    errors: int = 0
    holes: list[tuple[float, float]] = field(default_factory=list)
    last_error_at: float | None = None
    in_a_row: int = 0
    row_begins: int | None = None

    def add(self, position: int | None, at: float) -> None:
        """Count a packet that cannot be decoded. ``position``: its first byte; ``at``: seconds."""
        if not self.in_a_row:
            self.row_begins = position
        self.errors += 1
        self.in_a_row += 1
        self.last_error_at = at

    def forget_row(self) -> None:
        """The last errors were none: what follows is in another codec."""
        self.errors -= self.in_a_row
        self.in_a_row = 0
        self.last_error_at = None


class TrackReader:
    """One audio track of a file.

    After all work is done, ``notes`` says what could not be read, ``missing`` holds the spans for which silence stands
    (start and end in seconds, and whether the file is damaged there), and ``claimed`` the end that the header promises
    where less could be read (in seconds, else 0).

    ``digest`` is then the SHA-256 of the track as it is encoded: it depends neither on tags, nor on the version of the
    decoder, nor on the processor.
    ``track``: its number from 1, ``None`` for the main one. ``signals``: rows with ``channels`` split. ``start``:
    seconds into the file from which to read; the first sample is then near that place, not exactly there.
    """

    def __init__(
        self,
        path: MediaFile,
        parts: FileParts,
        channels: Channels,
        *,
        track: int | None = None,
        signals: int | None = None,
        start: float = 0.0,
    ) -> None:
        self._path = path
        self._parts: tuple[Part | None, ...] = parts.parts or (None,)
        self._channels = channels
        self._track = track
        self._signals = signals
        self._start = start
        self._converter: PcmConverter | None = None
        self._earlier: list[PcmConverter] = []
        self._cursor = 0.0
        self._errors = 0
        self.notes: list[str] = []
        self.digest = hashlib.sha256()
        self.missing: list[tuple[float, float, bool]] = []
        self.claimed = 0.0

    def work(self) -> Iterator[Work]:
        """Yields functions that return arrays of shape ``(signals, n)`` when called in this order.

        Raises ``MediaError`` when nothing can be decoded. A later part that cannot be read is noted.
        """
        for index, part in enumerate(self._parts):
            before = self._cursor
            try:
                while True:
                    with open_audio(self._path, part=part, track=self._track) as source:
                        change = yield from self._part(source, part)
                    if change is None:
                        break
                    part = change
            except MediaError as error:
                if index == 0:
                    raise
                self.notes.append(f"part {index + 1} of the file, at {_clock(before)}, cannot be read: {error}")
        if self._converter is None:
            raise MediaError(UNDECODABLE if self._errors else WITHOUT_AUDIO)
        yield from self._converter.flush()

    def broken_samples(self) -> list[str]:
        """Returns what to say, after all work is done, about samples that are no numbers."""
        converters = [*self._earlier, *([self._converter] if self._converter else [])]
        seconds = sum(converter.broken for converter in converters)
        if self._start or seconds < _HOLE:
            return []
        return [f"{seconds:.1f} s of its samples are no numbers (NaN or infinite); silence stands for them"]

    def _part(self, source: AudioInput, part: Part | None) -> Generator[Work, None, Part | None]:
        """Returns the rest of the part, where that goes on in another codec and has to be opened anew."""
        import av

        timeline = Timeline(source)
        packets = Packets(source)
        problems = _Problems()
        base, cursor = self._cursor, self._sought(source, timeline)
        clean = source.stream.codec_context.name.startswith(("pcm_f", "pcm_lef", "pcm_bef"))
        rest: Part | None = None
        for packet in packets:
            timeline.account(packet)
            if timeline.is_tag(packet):
                continue
            self.digest.update(packet)
            try:
                frames = packet.decode()
            except (av.error.FFmpegError, ValueError):
                if not (packet.size and is_tag(bytes(packet))):
                    problems.add(packet.pos, cursor)
                    if problems.in_a_row == _ERRORS_OF_ANOTHER_CODEC:
                        rest = self._rest_in_another_codec(source, part, problems.row_begins)
                        if rest is not None:
                            problems.forget_row()
                            break
                continue
            problems.in_a_row = 0
            for frame in frames:
                if not frame.samples:
                    continue
                is_placed = frame.pts is not None and not timeline.counts_wrong
                gap = timeline.silence_before(frame.pts, cursor) if is_placed else 0.0
                converter = yield from self._converter_for(frame, clean=clean)
                if gap:
                    if cursor and gap > _HOLE:
                        problems.holes.append((base + cursor, gap))
                    yield from converter.silence(gap)
                yield from converter.write(frame)
                cursor += gap + frame.samples / frame.sample_rate
        self._errors += problems.errors
        self._cursor = base + cursor
        if not self._start:
            account = _account(source, part, packets, problems, base, cursor)
            self.notes += account.notes
            self.missing += account.missing
            self.claimed = max(self.claimed, account.claimed)
        return rest

    def _rest_in_another_codec(self, source: AudioInput, part: Part | None, position: int | None) -> Part | None:
        """The rest of a file without an index from ``position`` on, if it is in another codec."""
        if position is None or source.trusts_claim:
            return None
        begin, end = (part.start, part.end) if part else (0, self._path.stat().st_size)
        rest = Part(begin + position, end)
        try:
            with open_audio(self._path, part=rest, track=self._track) as other:
                changes = other.stream.codec_context.name != source.stream.codec_context.name
        except MediaError:
            return None
        return rest if changes else None

    def _sought(self, source: AudioInput, timeline: Timeline) -> float:
        """Move to ``start`` in a file that is read as it is. Returns the time from which audio is taken as it comes."""
        import av

        if not self._start or len(self._parts) > 1:
            return 0.0
        try:
            target = (self._start + source.origin) / source.time_base
            source.container.seek(int(target), stream=source.stream)
        except (av.error.FFmpegError, OSError):
            return 0.0
        return self._start

    def _converter_for(self, frame: Any, *, clean: bool) -> Generator[Work, None, PcmConverter]:
        """Returns the converter for a frame, after the work that a change of format leaves to do."""
        if self._converter is None:
            self._converter = PcmConverter(frame, self._signals, self._channels, clean=clean)
        elif self._converter.kind != frame_kind(frame):
            yield from self._converter.flush()
            self._earlier.append(self._converter)
            self._converter = PcmConverter(frame, self._converter.signals, self._channels, clean=clean)
        return self._converter


def _clock(seconds: float) -> str:
    return clock(to_samples(seconds))


@dataclass
class _Account:
    """What of a part could not be read, see ``TrackReader``."""

    notes: list[str] = field(default_factory=list)
    missing: list[tuple[float, float, bool]] = field(default_factory=list)
    claimed: float = 0.0


def _indexed_seconds(source: AudioInput, part: Part | None) -> float | None:
    if source.format != "mp3":
        return None
    with source.path.open("rb") as file:
        return mp3_index_seconds(file, part.start if part else 0)


def _account(
    source: AudioInput, part: Part | None, packets: Packets, problems: _Problems, base: float, end: float
) -> _Account:
    """Returns what of a part could not be read. ``base``: its start, ``end``: its length, in seconds."""
    account = _Account()
    lost = sum(length for _, length in problems.holes)
    tail_damaged = problems.last_error_at is not None and end - problems.last_error_at <= _TAIL
    damaged = bool(packets.read_errors) or problems.errors > tail_damaged
    # A pause that a container of this kind may have on purpose is no damage.
    is_damage = damaged or source.format not in _MAY_PAUSE
    account.missing = [(start, start + length, is_damage) for start, length in problems.holes]
    if problems.holes and (is_damage or lost >= _SHORT_PAUSES):
        places = "one place" if len(problems.holes) == 1 else f"{len(problems.holes)} places"
        first = _clock(problems.holes[0][0])
        account.notes.append(
            f"{lost:.1f} s of audio are missing in {places} (the first at {first}); silence stands for them"
        )
    elif damaged:
        account.notes.append("some of the audio is damaged and was skipped")
    if source.claims_audio and source.trusts_claim and end < (source.claimed_end or 0) - SHORTFALL:
        account.claimed = base + (source.claimed_end or 0)
        account.notes.append(shortfall_note(base + end, account.claimed))
    elif tail_damaged:
        account.notes.append(f"its end is damaged: readable until {_clock(base + end)}")
    indexed = _indexed_seconds(source, part)
    if indexed is not None and end < indexed - SHORTFALL:
        # Probing has said so already.
        account.claimed = base + indexed
    return account


def shortfall_note(end: float, claimed: float) -> str:
    """That a file ends (``end``, seconds) before its header says (``claimed``)."""
    return f"readable until {_clock(end)}, although its header says {_clock(claimed)}"
