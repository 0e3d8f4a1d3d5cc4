"""The audio tracks of a file: what they are, whether they hold speech, and which of them are transcribed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from audiogrid.core.language_codes import CODES, check_language, normalise_language
from audiogrid.media.demux import MediaError

Sound = Literal["speech", "sound", "silence", "undecodable"]

AUTO = "auto"
ALL = "all"
TrackWish = tuple[int | str, ...]
"""Which tracks are wanted: ``("auto",)``, ``("all",)``, or numbers from 1 and languages."""

# Tracks shorter than this share of the longest one are not equal to it, whatever their flags say.
_EQUAL = 0.25
_UNKNOWN = ("", "und", "mis", "mul", "zxx")


@dataclass(frozen=True)
class AudioTrack:
    """An audio track of a file. ``number``: from 1; ``language``: as Whisper writes it, empty where not known.

    ``is_default``: flagged as the one to play. ``is_extra``: flagged as commentary or as made for viewers who cannot
    see or hear. ``programme``: the number of the broadcast it belongs to, 0 where files have none. ``seconds``: its
    length, 0 where the header does not say.
    """

    number: int
    codec: str
    channels: int
    language: str = ""
    title: str = ""
    is_default: bool = False
    is_extra: bool = False
    sound: Sound = "undecodable"
    programme: int = 0
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """How messages call it: ``2 (Mic, en)``."""
        about = ", ".join(text for text in (self.title, self.language) if text)
        return f"{self.number} ({about})" if about else str(self.number)


@dataclass(frozen=True)
class Choice:
    """Chosen tracks by number. ``note``: speech that was left out; ``remark``: what else the user should know."""

    tracks: tuple[int, ...]
    note: str | None = None
    remark: str | None = None


def parse_tracks(value: Any) -> TrackWish:
    """Returns the wish in a value of configuration or table: ``auto``, ``all``, ``2``, ``en``, ``[1, 3]`` or ``1,3``.

    Raises ``ValueError`` with a sentence that says what is wrong.
    """
    if isinstance(value, str):
        items: list[Any] = re.split(r"[\s,;]+", value.strip(" []")) if value.strip(" []") else []
    else:
        items = list(value) if isinstance(value, list | tuple) else [value]
    found = [_item(item) for item in items]
    if None in found:
        raise ValueError(f"tracks is {value!r}: use auto, all, the number of an audio track (from 1) or a language")
    wish = tuple(dict.fromkeys(item for item in found if item is not None))
    if not wish:
        return (AUTO,)
    if len(wish) > 1 and {AUTO, ALL} & set(wish):
        raise ValueError(f"tracks is {value!r}: write auto or all by itself, or numbers and languages")
    return wish


def _item(item: Any) -> int | str | None:
    text = str(item).strip().strip("'\"")
    if text.lower() in (AUTO, ALL):
        return text.lower()
    if not isinstance(item, bool) and text.isdigit() and int(text) >= 1:
        return int(text)
    code = normalise_language(text)
    return None if isinstance(item, bool) or code == AUTO or check_language(text) is not None else code


def listed_tracks(container: Any, programmes: Mapping[int, int] | None = None) -> list[AudioTrack]:
    """Returns the audio tracks of an open container as its headers describe them, before anything is decoded.

    ``programmes``: programme numbers by stream id, of a transport stream.
    """
    import av

    flags = av.stream.Disposition
    extra = flags.comment | flags.hearing_impaired | flags.visual_impaired
    found = []
    for number, stream in enumerate(container.streams.audio, start=1):
        context = stream.codec_context
        language = (stream.metadata.get("language") or "").strip()
        code = normalise_language(language) if language.lower() not in _UNKNOWN else ""
        title = stream.metadata.get("title") or stream.metadata.get("handler_name") or ""
        found.append(
            AudioTrack(
                number=number,
                codec=context.name if context else "",
                channels=context.channels if context else 0,
                language=code if code in CODES else language if code else "",
                # What FFmpeg and Apple write where a track has no name.
                title="" if title in ("SoundHandler", "Core Media Audio") else " ".join(title.split()),
                is_default=bool(stream.disposition & flags.default),
                is_extra=bool(stream.disposition & extra),
                programme=(programmes or {}).get(stream.id, 0),
                seconds=_seconds(stream),
            )
        )
    return found


def _seconds(stream: Any) -> float:
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    # What Matroska's writers note for each track.
    match = re.match(r"(\d{1,6}):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION") or "")
    return int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3]) if match else 0.0


def with_sounds(tracks: Iterable[AudioTrack], sounds: Iterable[Sound]) -> list[AudioTrack]:
    """Returns tracks with what was heard on them."""
    return [replace(track, sound=sound) for track, sound in zip(tracks, sounds, strict=True)]


def choose_tracks(tracks: Sequence[AudioTrack], wish: TrackWish, main: int, language: str | None = None) -> Choice:
    """Returns the tracks to transcribe.

    ``auto`` takes a track with speech, if there is one; several mono tracks with speech in one language
    are channels of one recording. Only among tracks that are equal in this do flags decide: the recording's
    ``language``, the default flag, then ``main`` (the one that players take). Raises ``MediaError`` when a track
    that is asked for does not exist or cannot be decoded.
    """
    usable = [track for track in tracks if track.sound != "undecodable"]
    if wish == (AUTO,):
        return _automatic(tracks, usable, main, language)
    if wish == (ALL,):
        if not usable:
            raise MediaError("None of its audio tracks can be decoded: convert it to WAV, FLAC or MP3.")
        left = [track.name for track in tracks if track not in usable]
        note = f"audio track {', '.join(left)} cannot be decoded and is left out" if left else None
        return Choice(tuple(track.number for track in usable), note)
    chosen = sorted({number for item in wish for number in _wanted(tracks, item, main)})
    broken = [track.name for track in tracks if track.number in chosen and track not in usable]
    if broken:
        raise MediaError(f"Audio track {', '.join(broken)} cannot be decoded: choose another one with tracks.")
    return Choice(tuple(chosen))


def _wanted(tracks: Sequence[AudioTrack], item: int | str, main: int) -> list[int]:
    have = ", ".join(track.name for track in tracks)
    if isinstance(item, int):
        if item > len(tracks):
            raise MediaError(f"There is no audio track {item}, only {have}: correct tracks.")
        return [item]
    named = [track for track in tracks if track.language == item]
    if not named and len(tracks) == 1 and not tracks[0].language:
        # A single track without a language leaves nothing to choose.
        return [tracks[0].number]
    if not named:
        raise MediaError(f"No audio track is in {item!r}, only {have}: correct tracks.")
    return [track.number for track in _best_group(named, main, None)]


def _groups(tracks: Sequence[AudioTrack]) -> list[list[AudioTrack]]:
    """Tracks that belong together: mono ones of a programme in one language, without those for special viewers."""
    mono: dict[tuple[str, int], list[AudioTrack]] = {}
    groups: list[list[AudioTrack]] = []
    for track in tracks:
        if track.channels == 1 and not track.is_extra:
            known = mono.get((track.language, track.programme))
            if known is not None:
                known.append(track)
                continue
            mono[track.language, track.programme] = [track]
            groups.append(mono[track.language, track.programme])
        else:
            groups.append([track])
    return groups


def _best_group(tracks: Sequence[AudioTrack], main: int, language: str | None) -> list[AudioTrack]:
    def rank(group: list[AudioTrack]) -> tuple[bool, bool, bool, bool, int]:
        return (
            language is not None and group[0].language == language,
            not group[0].is_extra,
            any(track.is_default for track in group),
            any(track.number == main for track in group),
            -group[0].number,
        )

    groups = _groups(tracks)
    longest = max(track.seconds for track in tracks)
    # A jingle is not the equal of a talk. A track whose length is not known is.
    equals = [group for group in groups if max(track.seconds or longest for track in group) >= _EQUAL * longest]
    return max(equals, key=rank)


def _automatic(tracks: Sequence[AudioTrack], usable: Sequence[AudioTrack], main: int, language: str | None) -> Choice:
    if not usable:
        raise MediaError("None of its audio tracks can be decoded: convert it to WAV, FLAC or MP3.")
    spoken = [track for track in usable if track.sound == "speech"]
    heard = [track for track in usable if track.sound == "sound"]
    candidates = spoken or heard or usable
    chosen = _best_group(candidates, main, language)
    taken = ", ".join(track.name for track in chosen)
    numbers = tuple(track.number for track in chosen)
    left = [track for track in tracks if track not in chosen]
    with_speech = [track.name for track in left if track.sound == "speech"]
    broken = [track.name for track in left if track.sound == "undecodable"]
    remarks = []
    if len(chosen) > 1:
        remarks.append(f"audio tracks {taken} are taken as channels of one recording")
    elif left:
        remarks.append(f"audio track {taken} of {len(tracks)} is transcribed")
    silent = [track.name for track in left if track.sound in ("silence", "sound")]
    if silent:
        remarks.append(f"there is no speech on {', '.join(silent)}")
    notes = []
    if with_speech:
        names = ", ".join(with_speech)
        notes.append(f"speech on audio track {names} is left out; set tracks to all, or to its number, to include it")
    if broken:
        notes.append(f"audio track {', '.join(broken)} cannot be decoded and is left out")
    return Choice(numbers, "; ".join(notes) or None, "; ".join(remarks) or None)
