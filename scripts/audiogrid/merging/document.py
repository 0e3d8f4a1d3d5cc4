"""The document of a recording: text, times, quality and provenance, as plain JSON.

``scripts/audiogrid/export/transcript.schema.json`` describes every field. Seconds appear here for the first
time, rounded to milliseconds. Nothing in it depends on when, where or how fast the work was done:
two runs over the same audio with the same options give the same bytes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from audiogrid.core.text import clean_text, join_words
from audiogrid.core.timebase import SAMPLE_RATE, to_seconds
from audiogrid.merging.stitch import Placed, Stitched
from audiogrid.records.chunks import Chunk
from audiogrid.records.results import ChunkResult, Window, Word

SCHEMA = 1
#: Words below this probability count as doubtful.
LOW_CONFIDENCE = 0.5
#: A pause this long is a place where another channel may take its turn (samples).
TURN_PAUSE = 3 * SAMPLE_RATE // 10


@dataclass(frozen=True)
class TrackText:
    """One track with all it is made of. ``pieces``: each chunk with its store key and result, or ``None`` twice."""

    channel: int | None
    stitched: Stitched
    pieces: Sequence[tuple[Chunk, str | None, ChunkResult | None]]

    @property
    def samples(self) -> int:
        """Length of the track."""
        return max((chunk.end for chunk, _, _ in self.pieces), default=0)

    def results(self) -> Iterator[tuple[Chunk, ChunkResult]]:
        """Chunks that own something and have a result."""
        return ((chunk, result) for chunk, _, result in self.pieces if result is not None and not chunk.is_empty)


def speaker_name(channel: int | None, label: str) -> str | None:
    """Label of a channel (counted from 0) as people read it, from a pattern like ``Channel {}``."""
    return None if channel is None else label.replace("{}", str(channel + 1))


def _turns(placed: Placed, others: Sequence[int]) -> Iterator[Placed]:
    """A segment, cut at pauses in which somebody on another channel begins to speak.

    ``others``: ascending starts of the other channels' words.
    """
    words = placed.segment.words
    first = 0
    for index in range(1, len(words)):
        pause = words[index].start - words[index - 1].end
        if pause < TURN_PAUSE:
            continue
        taken = bisect_left(others, words[index - 1].end)
        if taken < len(others) and others[taken] < words[index].start:
            yield _part(placed, words[first:index])
            first = index
    yield _part(placed, words[first:]) if first else placed


def _part(placed: Placed, words: list[Word]) -> Placed:
    text = join_words(words)
    segment = replace(placed.segment, start=words[0].start, end=words[-1].end, text=text, words=words)
    return Placed(placed.chunk, segment)


def interleave(tracks: Sequence[TrackText]) -> list[tuple[int | None, Placed]]:
    """Segments of all tracks in the order of their starts, with their channel; turns are kept apart."""
    if len(tracks) == 1:
        return [(tracks[0].channel, placed) for placed in tracks[0].stitched.segments]
    starts = [[word.start for word in track.stitched.words] for track in tracks]
    merged: list[tuple[int | None, Placed]] = []
    for number, track in enumerate(tracks):
        others = sorted(start for other, rest in enumerate(starts) if other != number for start in rest)
        for placed in track.stitched.segments:
            merged.extend((track.channel, turn) for turn in _turns(placed, others))
    return sorted(merged, key=lambda entry: (entry[1].segment.start, entry[0] or 0))


def _word(word: Word) -> dict[str, Any]:
    return {
        "start": to_seconds(word.start),
        "end": to_seconds(word.end),
        "word": word.text,
        "probability": round(word.probability, 3),
    }


def _segment(number: int, placed: Placed, speaker: str | None) -> dict[str, Any]:
    segment = placed.segment
    return {
        "id": number,
        "start": to_seconds(segment.start),
        "end": to_seconds(segment.end),
        "text": segment.text,
        "language": segment.language,
        **_speaker(speaker),
        "avg_logprob": round(segment.avg_logprob, 4),
        "compression_ratio": round(segment.compression_ratio, 3),
        "no_speech_prob": round(segment.no_speech_prob, 4),
        "temperature": round(segment.temperature, 2),
        "chunk": placed.chunk,
        "words": [_word(word) for word in segment.words],
    }


def _speaker(speaker: str | None) -> dict[str, str]:
    return {} if speaker is None else {"speaker": speaker}


def _flagged(chunk: Chunk, window: Window, speaker: str | None) -> dict[str, Any]:
    return {
        "start": to_seconds(window.start + chunk.context_start),
        "end": to_seconds(window.end + chunk.context_start),
        **_speaker(speaker),
        "chunk": chunk.chunk,
        "flags": list(window.flags),
        "kept": window.kept,
        "readings": [
            {
                **asdict(reading),
                "score": round(reading.score, 4),
                "avg_logprob": round(reading.avg_logprob, 4),
                "compression_ratio": round(reading.compression_ratio, 3),
                "text": " ".join(clean_text(reading.text).split()),
            }
            for reading in window.readings
        ],
    }


def _share(part: float, whole: float) -> float:
    return round(part / whole, 4) if whole else 0.0


def _speech(chunk: Chunk, result: ChunkResult) -> int:
    """Samples of speech a chunk owns."""
    offset = chunk.context_start
    return sum(max(0, min(end + offset, chunk.end) - max(start + offset, chunk.start)) for start, end in result.speech)


def _is_warm(window: Window) -> bool:
    return any(reading.path == window.kept and reading.temperature > 0 for reading in window.readings)


def quality(tracks: Sequence[TrackText]) -> dict[str, Any]:
    """Figures that tell, without a reference, how far a transcript can be trusted."""
    words = [word for track in tracks for word in track.stitched.words]
    read = [pair for track in tracks for pair in track.results()]
    windows = [window for _, result in read for window in result.windows]
    speech = sum(_speech(chunk, result) for chunk, result in read)
    heard = sum(chunk.end - chunk.start for chunk, _ in read)
    return {
        "words": len(words),
        "speech_seconds": to_seconds(speech),
        "silence_share": _share(heard - speech, heard),
        "windows": len(windows),
        "flagged_windows": sum(bool(window.flags) for window in windows),
        "redecoded_windows": sum(len(window.readings) > 1 for window in windows),
        "kept_careful": sum(len(window.readings) > 1 and window.kept != window.readings[0].path for window in windows),
        "temperature_above_zero": sum(map(_is_warm, windows)),
        "mean_probability": _share(sum(word.probability for word in words), len(words)),
        "low_confidence_share": _share(sum(word.probability < LOW_CONFIDENCE for word in words), len(words)),
    }


def main_language(tracks: Sequence[TrackText], fallback: str | None = None) -> tuple[str | None, float]:
    """Language with the most speech and its mean probability, weighted by speech; ``fallback`` where nobody speaks."""
    weights: dict[str, int] = {}
    sums: dict[str, float] = {}
    for track in tracks:
        for chunk, result in track.results():
            speech = _speech(chunk, result)
            if speech and result.language:
                weights[result.language] = weights.get(result.language, 0) + speech
                sums[result.language] = sums.get(result.language, 0.0) + speech * result.language_probability
    if not weights:
        return fallback, 0.0
    # Ties go to the language that comes first in the alphabet, so that the document is the same every time.
    language = min(weights, key=lambda name: (-weights[name], name))
    return language, round(sums[language] / weights[language], 4)


def build(
    facts: Mapping[str, Any],
    tracks: Sequence[TrackText],
    provenance: Mapping[str, Any],
    speaker_label: str = "Channel {}",
) -> dict[str, Any]:
    """The document of one recording.

    ``facts``: its plan entry (``recording``, ``path``, ``channels_mode``; optional ``language``, ``note`` and
    ``notes``: what is odd about the file; ``remarks``: what else is worth knowing). ``provenance``: versions, model
    and options; must hold no times, hosts or device names. ``speaker_label``: pattern of the channels' names.
    """
    notes = [str(facts["note"])] if facts.get("note") else []
    notes += [str(note) for note in [*(facts.get("notes") or []), *(facts.get("remarks") or [])]]
    for track in tracks:
        notes += [f"{chunk.chunk}: {note}" for chunk, result in track.results() for note in result.notes]
    language, probability = main_language(tracks, facts.get("language"))
    names = {track.channel: speaker_name(track.channel, speaker_label) for track in tracks}
    gaps = [(gap, names[track.channel]) for track in tracks for gap in track.stitched.gaps]
    return {
        "schema": SCHEMA,
        "recording": facts["recording"],
        "path": str(facts["path"]),
        "duration": to_seconds(max((track.samples for track in tracks), default=0)),
        "channels_mode": facts.get("channels_mode", "mix"),
        "language": language,
        "language_probability": probability,
        "complete": not gaps,
        "notes": [clean_text(note) for note in dict.fromkeys(notes)],
        "segments": [
            _segment(number, placed, names[channel]) for number, (channel, placed) in enumerate(interleave(tracks))
        ],
        "gaps": [
            {
                "start": to_seconds(gap.start),
                "end": to_seconds(gap.end),
                **_speaker(speaker),
                "chunk": gap.chunk,
                "reason": " ".join(clean_text(gap.reason).split()),
            }
            for gap, speaker in sorted(gaps, key=lambda pair: (pair[0].start, pair[0].chunk))
        ],
        "seams": [
            {
                **{key: value for key, value in asdict(seam).items() if value is not None},
                "at": to_seconds(seam.at),
                "margin": to_seconds(seam.margin),
                **_speaker(names[track.channel]),
            }
            for track in tracks
            for seam in track.stitched.seams
        ],
        "quality": quality(tracks),
        "windows": [
            _flagged(chunk, window, names[track.channel])
            for track in tracks
            for chunk, result in track.results()
            for window in result.windows
            if window.flags
        ],
        "provenance": {
            **provenance,
            "chunks": [
                {
                    "chunk": chunk.chunk,
                    "key": key,
                    "start": to_seconds(chunk.start),
                    "end": to_seconds(chunk.end),
                }
                for track in tracks
                for chunk, key, _ in track.pieces
            ],
        },
    }
