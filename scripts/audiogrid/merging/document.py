"""The document of a recording: text, times, quality and provenance, as plain JSON.

``scripts/audiogrid/export/transcript.schema.json`` describes every field. Times are in seconds,
rounded to milliseconds. Nothing in it depends on when, where or how fast the work was done: two runs over the same
audio with the same options give the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from audiogrid.core.json_values import to_json
from audiogrid.core.text import clean_text
from audiogrid.core.timebase import to_seconds
from audiogrid.merging.interleave import interleave
from audiogrid.merging.stitch import PlacedSegment
from audiogrid.merging.track_text import TrackText
from audiogrid.records.chunks import Chunk
from audiogrid.records.ledger import LedgerSpan
from audiogrid.records.results import ChunkResult, Window, Word

SCHEMA = 1
#: Words below this probability count as doubtful.
LOW_CONFIDENCE = 0.5


def speaker_name(channel: int | None, label: str) -> str | None:
    """Name of a channel (counted from 0) made from a pattern such as ``Channel {}``; ``None`` without channels."""
    return None if channel is None else label.replace("{}", str(channel + 1))


def _word(word: Word) -> dict[str, Any]:
    return {
        "start": to_seconds(word.start),
        "end": to_seconds(word.end),
        "word": word.text,
        "probability": round(word.probability, 3),
    }


def _segment(number: int, placed: PlacedSegment, speaker: str | None) -> dict[str, Any]:
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
                **to_json(reading),
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
    """Returns the number of samples with speech inside the span that a chunk owns."""
    offset = chunk.context_start
    return sum(max(0, min(end + offset, chunk.end) - max(start + offset, chunk.start)) for start, end in result.speech)


def _is_warm(window: Window) -> bool:
    return any(reading.path == window.kept and reading.temperature > 0 for reading in window.readings)


def quality(tracks: Sequence[TrackText]) -> dict[str, Any]:
    """Returns figures that estimate, without a reference text, how reliable a transcript is."""
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
    """Returns the language with the most speech and its mean probability (weighted by speech).

    ``fallback`` is returned, with probability 0, where there is no speech.
    """
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
    # Ties are broken alphabetically, so that every merge writes the same document.
    language = min(weights, key=lambda name: (-weights[name], name))
    return language, round(sums[language] / weights[language], 4)


def _notes(facts: Mapping[str, Any], tracks: Sequence[TrackText]) -> list[str]:
    """Returns the notes on the file and on its chunks, each once."""
    notes = [str(facts["note"])] if facts.get("note") else []
    notes += [str(note) for note in [*(facts.get("notes") or []), *(facts.get("left_out") or [])]]
    notes += [str(note) for note in facts.get("remarks") or []]
    for track in tracks:
        notes += [f"{chunk.chunk}: {note}" for chunk, result in track.results() for note in result.notes]
    return [clean_text(note) for note in dict.fromkeys(notes)]


def _gaps(tracks: Sequence[TrackText], names: Mapping[int | None, str | None]) -> list[dict[str, Any]]:
    gaps = [(gap, names[track.channel]) for track in tracks for gap in track.stitched.gaps]
    return [
        {
            "start": to_seconds(gap.start),
            "end": to_seconds(gap.end),
            **_speaker(speaker),
            "chunk": gap.chunk,
            "reason": " ".join(clean_text(gap.reason).split()),
        }
        for gap, speaker in sorted(gaps, key=lambda pair: (pair[0].start, pair[0].chunk))
    ]


def _seams(tracks: Sequence[TrackText], names: Mapping[int | None, str | None]) -> list[dict[str, Any]]:
    return [
        {
            **{key: value for key, value in to_json(seam).items() if value is not None},
            "at": to_seconds(seam.at),
            "margin": to_seconds(seam.margin),
            **_speaker(names[track.channel]),
            **({} if track.channel is None else {"channel": track.channel}),
        }
        for track in tracks
        for seam in track.stitched.seams
    ]


def _chunks(tracks: Sequence[TrackText], provenance: Mapping[str, Any]) -> list[dict[str, Any]]:
    own = {one["chunk"]: one["versions"] for one in provenance.get("chunks", []) if "versions" in one}
    return [
        {
            "chunk": chunk.chunk,
            "key": key,
            "start": to_seconds(chunk.start),
            "end": to_seconds(chunk.end),
            **({"versions": own[chunk.chunk]} if chunk.chunk in own else {}),
        }
        for track in tracks
        for chunk, key, _ in track.pieces
    ]


def _date(facts: Mapping[str, Any]) -> dict[str, str]:
    """Returns the date of the recording, where its table row has one that can be read."""
    date = str((facts.get("columns") or {}).get("date", "")).strip()
    return {"date": date} if re.fullmatch(r"\d{4}(-\d{2}(-\d{2}([T ].{1,20})?)?)?", date) else {}


def build_document(
    facts: Mapping[str, Any],
    tracks: Sequence[TrackText],
    provenance: Mapping[str, Any],
    speaker_label: str = "Channel {}",
    ledger: Sequence[LedgerSpan] = (),
) -> dict[str, Any]:
    """Returns the document of one recording.

    ``facts``: its plan entry (``recording``, ``path``, ``channels_mode``; optional ``language``, ``note`` and
    ``notes``: problems of the file; ``left_out``: settings that have no effect; ``remarks``: other notes;
    ``audio_tracks``: numbers of the tracks that were transcribed, where those are not the one that players take).
    ``provenance``: versions, model and options, and the versions of single chunks; must contain no times, hosts or
    device names. ``speaker_label``: pattern of the channels' names. ``ledger``: as ``make_ledger`` makes it.
    """
    language, probability = main_language(tracks, facts.get("language"))
    names = {track.channel: speaker_name(track.channel, speaker_label) for track in tracks}
    gaps = _gaps(tracks, names)
    return {
        "schema": SCHEMA,
        "recording": facts["recording"],
        "path": str(facts["path"]),
        **_date(facts),
        "duration": to_seconds(max((track.samples for track in tracks), default=0)),
        "channels_mode": facts.get("channels_mode", "mix"),
        **({"tracks": list(facts["audio_tracks"])} if facts.get("audio_tracks") else {}),
        "language": language,
        "language_probability": probability,
        "complete": not gaps,
        "notes": _notes(facts, tracks),
        "segments": [
            _segment(number, placed, names[channel]) for number, (channel, placed) in enumerate(interleave(tracks))
        ],
        "gaps": gaps,
        "seams": _seams(tracks, names),
        "quality": quality(tracks),
        "windows": [
            _flagged(chunk, window, names[track.channel])
            for track in tracks
            for chunk, result in track.results()
            for window in result.windows
            if window.flags
        ],
        "ledger": [span.to_json() for span in ledger],
        "provenance": {**provenance, "chunks": _chunks(tracks, provenance)},
    }
