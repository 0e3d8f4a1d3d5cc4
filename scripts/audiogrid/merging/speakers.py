"""Puts speakers into the document of a recording: who says each word, turns, and what is known of every voice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from audiogrid.core.errors import InputError
from audiogrid.core.timebase import to_samples, to_seconds
from audiogrid.embedding.chunk_voices import EmbeddingOptions
from audiogrid.embedding.embedders import CAMPPLUS, voices_key
from audiogrid.embedding.rttm import read_rttm
from audiogrid.embedding.voices import Turn, find_speakers, track_count
from audiogrid.embedding.word_speakers import SpokenWord, speakers_of_words
from audiogrid.merging.track_text import TrackText
from audiogrid.records.chunks import Chunk
from audiogrid.records.linked_voices import Links, labels, read_history
from audiogrid.records.plan import Recording
from audiogrid.records.results import Word
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.speakers import SpeakerCount, given_turns, link_of, speakers_of
from audiogrid.records.store import VoiceStore
from audiogrid.records.voices import ChunkVoices

#: What speakers without a name are called, from 1.
SPEAKER_LABEL = "Speaker {}"
#: Why a chunk is missing that was decoded.
NO_VOICES = "its voices are not in the store"


class UnlinkedError(InputError):
    """The voices of a recording are not linked, or have changed since: the stage ``link`` has to work on it again."""


@dataclass(frozen=True)
class SpeakerSource:
    """Where the speakers of a recording come from.

    ``lookup``: voices of a chunk, or ``None`` where they are missing. ``rttm``: a file with turns in place of them.
    ``networks``: identity of the networks, for the provenance. ``links``: ids of the voices of every channel (a number
    as text, empty for the mix), where voices are linked over recordings; ``names``: given to linked voices, by id.
    """

    count: SpeakerCount
    lookup: Callable[[Chunk], ChunkVoices | None]
    networks: str
    rttm: str = ""
    links: Mapping[str, Sequence[int]] | None = None
    names: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Linking:
    """Which voices the recordings of a run have in common, and how they are called."""

    links: Links
    names: Mapping[int, str]


def read_linking(folder: RunFolder, default: Any, names: Mapping[str, str]) -> Linking | None:
    """What the stage ``link`` found out about a run; ``None`` where voices are not linked.

    ``names``: that persons have given, by id.
    """
    if not link_of(default):
        return None
    return Linking(read_history(folder.link_history).links, {int(voice): name for voice, name in names.items()})


def speaker_source(
    recording: Recording, voices: VoiceStore, default: Any, linking: Linking | None = None
) -> SpeakerSource | None:
    """Where the speakers of a recording come from; ``None`` where none are asked for.

    ``voices``: results of the stage ``embed``. ``default``: the key ``speakers`` of the configuration; ``None`` where
    no recording of the run is asked to have any.
    """
    if default is None:
        return None
    count, rttm = speakers_of(recording, default), given_turns(recording)
    if count is None and not rttm:
        return None
    options = EmbeddingOptions().identity()

    @cache
    def lookup(chunk: Chunk) -> ChunkVoices | None:
        stored = voices.get(voices_key(chunk, CAMPPLUS.identity, options))
        return None if stored is None else stored.result

    if linking is None or rttm:
        return SpeakerSource(count or SpeakerCount(), lookup, CAMPPLUS.identity, rttm)
    links = linking.links.get(recording.recording, {})
    return SpeakerSource(count or SpeakerCount(), lookup, CAMPPLUS.identity, links=links, names=linking.names)


@dataclass(frozen=True)
class TrackSpeakers:
    """Speakers of one track. ``names``: by number; ``nearest``: cosine of the next voice's centroid, by number.

    ``unknown``: spans (samples) of chunks without voices: their words have no speaker.
    """

    turns: list[Turn]
    names: list[str]
    nearest: list[float] = field(default_factory=list)
    unknown: list[tuple[int, int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def missing_voices(tracks: Sequence[TrackText], source: SpeakerSource) -> str | None:
    """The first chunk whose voices are missing; ``None`` if none is."""
    if source.rttm:
        return None
    chunks = (chunk for track in tracks for chunk, _, _ in track.pieces)
    return next((chunk.chunk for chunk in chunks if not chunk.is_empty and source.lookup(chunk) is None), None)


def track_speakers(
    track: TrackText, source: SpeakerSource, recording: Mapping[str, Any], channel: str | None
) -> TrackSpeakers:
    """The speakers of one track. ``channel``: its label where channels are split.

    Raises ``InputError`` when the file with turns cannot be used, ``UnlinkedError`` when its voices should be linked
    and are not.
    """
    if source.rttm:
        given = read_rttm(Path(source.rttm), recording["recording"], track.samples, Path(recording["path"]).stem)
        return TrackSpeakers(given.turns, given.names, notes=given.notes)
    pieces: list[tuple[Chunk, ChunkVoices]] = []
    unknown: list[tuple[int, int]] = []
    for chunk, _, _ in track.pieces:
        voices = None if chunk.is_empty else source.lookup(chunk)
        if voices is not None:
            pieces.append((chunk, voices))
        elif not chunk.is_empty:
            unknown.append((chunk.start, chunk.end))
    wanted = track_count(source.count, channel)
    least = wanted.least
    found = find_speakers(pieces, wanted)
    count = len(found.voices)
    notes = []
    if found.turns and ((least or 0) > count or count > (source.count.most or count)):
        asked = " to ".join(dict.fromkeys(str(n) for n in (source.count.least, source.count.most) if n is not None))
        notes.append(f"{asked} speaker(s) were asked for, but {count} could be told apart")
    nearest = [voice.nearest for voice in found.voices]
    if source.links is None:
        return TrackSpeakers(found.turns, _names(count, channel), nearest, unknown, notes)
    number = track.pieces[0][0].channel
    ids = source.links.get("" if number is None else str(number), [])
    if len(ids) != count:
        raise UnlinkedError(f"{count} voice(s) are heard in it, but {len(ids)} are linked with other recordings")
    return _one_per_name(TrackSpeakers(found.turns, labels(ids, source.names, SPEAKER_LABEL), nearest, unknown, notes))


def _one_per_name(speakers: TrackSpeakers) -> TrackSpeakers:
    """Voices that a person has given one name are one speaker."""
    names = list(dict.fromkeys(speakers.names))
    if len(names) == len(speakers.names):
        return speakers
    number = [names.index(name) for name in speakers.names]
    first = [speakers.names.index(name) for name in names]
    turns = [replace(turn, speaker=number[turn.speaker]) for turn in speakers.turns]
    return replace(speakers, turns=turns, names=names, nearest=[speakers.nearest[index] for index in first])


def _names(count: int, channel: str | None) -> list[str]:
    if channel is None:
        return [SPEAKER_LABEL.replace("{}", str(number + 1)) for number in range(count)]
    # A channel is a speaker; only with several voices in it they are told apart.
    return [channel] if count == 1 else [f"{channel}, speaker {number + 1}" for number in range(count)]


def _parts(segment: Mapping[str, Any], spoken: Sequence[SpokenWord], names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """A segment in parts of one speaker each, words labelled."""
    words = segment["words"]
    first = 0
    for index in range(1, len(words) + 1):
        if index < len(words) and spoken[index].speaker == spoken[first].speaker:
            continue
        speaker = spoken[first].speaker
        name = {} if speaker is None else {"speaker": names[speaker]}
        part = {key: value for key, value in segment.items() if key != "speaker"}
        labelled = [
            {**word, **name, **({"overlap": True} if one.is_overlapped else {})}
            for word, one in zip(words[first:index], spoken[first:index], strict=True)
        ]
        if len(labelled) < len(words):
            text = "".join(word["word"] for word in labelled).strip()
            part |= {"start": labelled[0]["start"], "end": max(word["end"] for word in labelled), "text": text}
        head = {key: part[key] for key in ("id", "start", "end", "text", "language")}
        rest = {key: value for key, value in part.items() if key not in head and key != "words"}
        yield {**head, **name, **rest, "words": labelled}
        first = index


def _labelled(segments: Sequence[Mapping[str, Any]], speakers: TrackSpeakers) -> Iterator[dict[str, Any]]:
    """The segments of one track, begun anew where the speaker changes."""
    words = [
        Word(to_samples(word["start"]), to_samples(word["end"]), word["word"], word["probability"])
        for segment in segments
        for word in segment["words"]
    ]
    spoken = speakers_of_words(words, speakers.turns)
    spoken = [
        SpokenWord(None, False) if _is_in((word.start + word.end) // 2, speakers.unknown) else one
        for word, one in zip(words, spoken, strict=True)
    ]
    done = 0
    for segment in segments:
        count = len(segment["words"])
        yield from _parts(segment, spoken[done : done + count], speakers.names)
        done += count


def _is_in(sample: int, spans: Sequence[tuple[int, int]]) -> bool:
    return any(start <= sample < end for start, end in spans)


def _voices(segments: Sequence[Mapping[str, Any]], speakers: TrackSpeakers) -> Iterator[dict[str, Any]]:
    for number, name in enumerate(speakers.names):
        turns = [turn for turn in speakers.turns if turn.speaker == number]
        words = sum(word.get("speaker") == name for segment in segments for word in segment["words"])
        nearest = {"nearest": round(speakers.nearest[number], 3)} if len(speakers.nearest) > 1 else {}
        seconds = to_seconds(sum(turn.end - turn.start for turn in turns))
        yield {"speaker": name, "seconds": seconds, "turns": len(turns), "words": words, **nearest}


def _one_each(voices: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns one entry per name: a linked voice, or one that a person has named, may be in several channels."""
    found: dict[str, dict[str, Any]] = {}
    for voice in voices:
        before = found.get(voice["speaker"])
        if before is None:
            found[voice["speaker"]] = voice
            continue
        # Words are counted by name already.
        before.pop("nearest", None)
        before["seconds"] = round(before["seconds"] + voice["seconds"], 3)
        before["turns"] += voice["turns"]
    return list(found.values())


def overlap_samples(turns: Sequence[Turn]) -> int:
    """Samples in which at least two turns run."""
    edges = sorted([(turn.start, 1) for turn in turns] + [(turn.end, -1) for turn in turns])
    running = total = before = 0
    for at, change in edges:
        total += at - before if running > 1 else 0
        running, before = running + change, at
    return total


def add_speakers(
    document: Mapping[str, Any], tracks: Mapping[str | None, TrackSpeakers], source: SpeakerSource
) -> dict[str, Any]:
    """Returns the document with speakers. ``tracks``: by the label of their channel, ``None`` for the mix."""
    segments: list[dict[str, Any]] = []
    for channel, speakers in tracks.items():
        said = [segment for segment in document["segments"] if segment.get("speaker") == channel]
        segments += _labelled(said, speakers)
    segments.sort(key=lambda segment: segment["start"])
    segments = [{**segment, "id": number} for number, segment in enumerate(segments)]
    # Given turns are those of all channels, and the same on each.
    own = list(tracks.values())[:1] if source.rttm else list(tracks.values())
    turns = [
        {"start": to_seconds(turn.start), "end": to_seconds(turn.end), "speaker": name}
        for turn, name in sorted(
            ((turn, speakers.names[turn.speaker]) for speakers in own for turn in speakers.turns),
            key=lambda pair: (pair[0].start, pair[0].end, pair[1]),
        )
    ]
    overlap = sum(overlap_samples(speakers.turns) for speakers in own)
    made = {"rttm": Path(source.rttm).name} if source.rttm else {"networks": source.networks}
    notes = [note for speakers in tracks.values() for note in speakers.notes]
    return {
        **document,
        "notes": list(dict.fromkeys([*document["notes"], *notes])),
        "segments": segments,
        "speakers": _one_each(voice for speakers in own for voice in _voices(segments, speakers)),
        "turns": turns,
        "quality": {**document["quality"], "overlap_seconds": to_seconds(overlap)},
        "provenance": {**document["provenance"], "speakers": made},
    }
