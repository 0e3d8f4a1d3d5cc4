"""Facts about a media file: its duration and channels, the tracks to transcribe, and whether it can be decoded.

The length in a header may be wrong (variable bit rate without an index, a file that was cut off), so the duration
comes from the last audio packets. Of a file with one audio track only the first half second is decoded; of one with
several as much as it takes to find out which of them hold speech.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from audiogrid.core.timebase import clock, to_samples
from audiogrid.media.audio_tracks import AUTO, Choice, TrackWish, choose_tracks, listed_tracks, with_sounds
from audiogrid.media.demux import AudioInput, MediaError, check_file, describe, main_track, open_audio, open_container
from audiogrid.media.file_parts import FileParts, MediaFile, Part, find_parts
from audiogrid.media.frame_streams import mp3_index_seconds
from audiogrid.media.track_reader import SHORTFALL, UNDECODABLE, WITHOUT_AUDIO, shortfall_note
from audiogrid.media.track_sounds import hear_track
from audiogrid.media.transport_programmes import programmes
from audiogrid.probing.packet_scan import PacketScan, scan_packets

# Bytes in which a transport stream names its programmes.
_BEGINNING = 1 << 20
# Shorter files are rejected, in seconds.
_SHORTEST = 0.1
# Fewer samples per second hold no speech (less than 1 kHz of it): the header is wrong, and a minute would last hours.
_LOWEST_RATE = 2000


@dataclass(frozen=True)
class MediaFacts:
    """Facts about a file. ``duration``: samples at 16 kHz; ``mtime_ns`` and ``size`` tell whether it changed.

    ``duration_source``: ``container`` (the header, confirmed at the end of the file) or ``packets``
    (counted). ``channels`` (of all chosen tracks together) and ``sample_rate`` are those of decoded audio.
    ``note``: what is lost or damaged; ``remarks``: what else is odd. ``tracks``: numbers of the chosen audio tracks
    from 1; empty stands for the one that players take. ``audio_tracks``: how many the file has.
    ``inode``: 0 where there is none.
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
    tracks: list[int] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    audio_tracks: int = 1
    inode: int = 0


@dataclass
class _TrackFacts:
    """What is known of one track, all parts of the file together. Times in seconds."""

    end: float = 0.0
    from_header: bool = True
    channels: int = 0
    sample_rate: int = 0
    codec: str = ""
    container: str = ""
    notes: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def probe_media(path: MediaFile | str, wish: TrackWish = (AUTO,), language: str | None = None) -> MediaFacts:
    """Returns facts about a media file. Raises ``MediaError`` with the reason why it cannot be transcribed.

    ``wish``: which audio tracks to transcribe; ``language``: the recording's, if known, which decides between tracks
    that are equal otherwise.
    """
    path = Path(path) if isinstance(path, str) else path
    status = check_file(path)
    parts = find_parts(path)
    opened = _open(path, parts, wish, language)
    tracks = opened.facts or [_track_facts(path, parts, number) for number in opened.choice.tracks or (None,)]
    choice, audio_tracks = opened.choice, opened.count
    longest = max(tracks, key=lambda track: track.end)
    if longest.end < _SHORTEST:
        raise MediaError(f"The file holds only {longest.end:.2f} s of audio: nothing can be said in that time.")
    notes = [*parts.notes, *([choice.note] if choice.note else []), *(note for track in tracks for note in track.notes)]
    if (rate := tracks[0].sample_rate) < _LOWEST_RATE:
        raise MediaError(f"Its header says {rate} samples per second, too few for speech: export it again.")
    remarks = [
        *parts.remarks,
        *([choice.remark] if choice.remark else []),
        *(remark for track in tracks for remark in track.remarks),
    ]
    return MediaFacts(
        duration=to_samples(longest.end),
        duration_source="container" if all(track.from_header for track in tracks) else "packets",
        channels=sum(track.channels for track in tracks),
        sample_rate=tracks[0].sample_rate,
        codec=tracks[0].codec,
        container=tracks[0].container,
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        note="; ".join(dict.fromkeys(notes)) or None,
        tracks=list(choice.tracks),
        remarks=list(dict.fromkeys(remarks)),
        audio_tracks=audio_tracks,
        inode=getattr(status, "st_ino", 0),
    )


@dataclass(frozen=True)
class _Opened:
    """The tracks to transcribe, none where that is the main one alone; how many there are; facts if that is all."""

    choice: Choice
    count: int
    facts: list[_TrackFacts]


def _open(path: MediaFile, parts: FileParts, wish: TrackWish, language: str | None) -> _Opened:
    """Choose tracks. A file with a single one, as nearly all have, is opened only once."""
    first = parts.parts[0] if parts.parts else None
    with open_container(path, first) as container:
        count = len(container.streams.audio)
        listed = listed_tracks(container, programmes(_beginning(path)) if _may_have_programmes(container) else {})
        if count == 1:
            if wish != (AUTO,):
                choose_tracks(with_sounds(listed, ["speech"]), wish, 1)
            found = _TrackFacts()
            _add_part(found, describe(container, path, 1, first), path, first)
        else:
            main = main_track(container)
            seconds = container.duration / 1e6 if container.duration else None
    if count == 1:
        return _Opened(Choice(()), 1, [_with_later_parts(found, path, parts, None)])
    # Only `auto` depends on which tracks hold speech.
    sounds = [hear_track(path, track.number, seconds, until_decoded=wish != (AUTO,)) for track in listed]
    choice = choose_tracks(with_sounds(listed, sounds), wish, main, language)
    return _Opened(replace(choice, tracks=()) if choice.tracks == (main,) else choice, count, [])


def _may_have_programmes(container: Any) -> bool:
    return len(container.streams.audio) > 1 and container.format.name == "mpegts"


def _beginning(path: MediaFile) -> bytes:
    with path.open("rb") as file:
        return file.read(_BEGINNING) or b""


def _track_facts(path: MediaFile, parts: FileParts, number: int | None) -> _TrackFacts:
    found = _TrackFacts()
    first = parts.parts[0] if parts.parts else None
    with open_audio(path, part=first, track=number) as source:
        _add_part(found, source, path, first)
    return _with_later_parts(found, path, parts, number)


def _with_later_parts(found: _TrackFacts, path: MediaFile, parts: FileParts, number: int | None) -> _TrackFacts:
    for index, part in enumerate(parts.parts[1:], start=2):
        try:
            with open_audio(path, part=part, track=number) as source:
                _add_part(found, source, path, part)
        except MediaError as error:
            place = clock(to_samples(found.end))
            found.notes.append(f"part {index} of the file, at {place}, cannot be read: {error}")
    return found


def _add_part(found: _TrackFacts, source: AudioInput, path: MediaFile, part: Part | None) -> None:
    scan, confirmed = scan_packets(source)
    # Encrypted packets sometimes decode to noise.
    if scan.encrypted or not scan.proved:
        raise _undecodable(scan)
    end = scan.cursor
    found.notes += _notes(source, scan, confirmed=confirmed, path=path, part=part, base=found.end)
    found.remarks += _remarks(source, scan)
    agrees = source.claimed_end is not None and abs(end - source.claimed_end) < 0.5
    found.from_header &= confirmed and agrees and part is None
    found.channels = max(found.channels, scan.channels)
    found.sample_rate = found.sample_rate or scan.sample_rate
    found.codec = found.codec or source.stream.codec_context.name
    found.container = found.container or source.format
    found.end += end


def _undecodable(scan: PacketScan) -> MediaError:
    if scan.encrypted:
        return MediaError("The audio is copy-protected (DRM): export it without protection.")
    if not scan.audio_packets:
        return MediaError(WITHOUT_AUDIO)
    return MediaError(UNDECODABLE)


def _notes(
    source: AudioInput, scan: PacketScan, *, confirmed: bool, path: MediaFile, part: Part | None, base: float
) -> list[str]:
    """What is lost of a part of a file that begins at ``base`` seconds."""
    notes = []
    end, claimed = scan.cursor, source.claimed_end
    believable = source.trusts_claim
    if source.format == "mp3":
        # FFmpeg estimates the length of joined files from their size.
        with path.open("rb") as file:
            claimed = mp3_index_seconds(file, part.start if part else 0)
        believable = claimed is not None
    if scan.timeline.jumps:
        # A length that comes from jumping timestamps says nothing.
        believable = False
    if not confirmed and believable and claimed is not None and max(end, scan.other_end) < claimed - SHORTFALL:
        notes.append(shortfall_note(base + end, base + claimed))
    elif scan.last_is_partial and not _is_streamed_wav(source, path):
        notes.append(f"readable until {clock(to_samples(base + end))}, where it is cut off")
    if scan.read_errors:
        notes.append("some of the file cannot be read")
    return notes


def _remarks(source: AudioInput, scan: PacketScan) -> list[str]:
    remarks = []
    if scan.timeline.jumps:
        remarks.append("its timestamps jump: its audio is taken as it follows in the file")
    if scan.stands_still:
        remarks.append("its timestamps stand still: its audio is taken as it follows in the file")
    claimed = source.claimed_end
    if source.claims_audio and source.trusts_claim and claimed is not None and scan.cursor > claimed + SHORTFALL:
        says, holds = clock(to_samples(claimed)), clock(to_samples(scan.cursor))
        remarks.append(f"its header says {says}, its packets hold {holds}: all of them are read")
    return remarks


def _is_streamed_wav(source: AudioInput, path: MediaFile) -> bool:
    """Whether a WAV was written to a pipe: its header then has no size, and an early end is no damage."""
    if source.format != "wav":
        return False
    with path.open("rb") as file:
        head = file.read(4096)
    place = head.find(b"data")
    size = int.from_bytes(head[place + 4 : place + 8], "little")
    return place >= 0 and (size == 0 or size >= 0x7FFF_0000)
