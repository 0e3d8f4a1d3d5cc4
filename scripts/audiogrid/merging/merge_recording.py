"""Merges one recording: from its chunks to its transcript files and its row of ``summary.tsv``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from audiogrid.core.errors import RetryableError
from audiogrid.core.text import clean_text
from audiogrid.corrections.corrected_document import correct_words
from audiogrid.corrections.corrections_file import Found
from audiogrid.corrections.speaker_names import apply_names
from audiogrid.export.cues import CueOptions
from audiogrid.export.format_options import FormatOptions
from audiogrid.export.formats import file_name, render_all
from audiogrid.export.media_links import media_url
from audiogrid.merging.confidence import add_confidence
from audiogrid.merging.document import build_document, speaker_name
from audiogrid.merging.doubtful_passages import worst_passages
from audiogrid.merging.glossary_names import NOT_JUDGED, NameSource, put_names
from audiogrid.merging.known_text import NOT_ALIGNED, TextSource, add_text, apply_text
from audiogrid.merging.ledger import make_ledger, unread_ledger
from audiogrid.merging.pack_writer import PackWriter
from audiogrid.merging.search_part import search_lines
from audiogrid.merging.speakers import (
    NO_VOICES,
    SpeakerSource,
    UnlinkedError,
    add_speakers,
    missing_voices,
    track_speakers,
)
from audiogrid.merging.stitch import UNKNOWN_REASON, StitchError, check_track, stitch
from audiogrid.merging.summary_table import summary_row
from audiogrid.merging.track_text import TrackText
from audiogrid.merging.transcript_writer import TranscriptWriter, is_edited_copy
from audiogrid.records.chunks import Chunk
from audiogrid.records.ledger import LedgerSpan
from audiogrid.records.results import ChunkResult

#: Looks up the result of a chunk by its id: store key and result, or ``None``.
Lookup = Callable[[str], tuple[str, ChunkResult] | None]


class MissingChunkError(RetryableError):
    """A chunk has no result and gaps are not allowed. ``chunk``: its id; ``cause``: why it has no result."""

    def __init__(self, chunk: str, cause: str) -> None:
        super().__init__(
            f"chunk {chunk} has no result ({cause}), so its recording has no transcript: "
            "run the same command again to try it once more, or set allow_gaps: true to leave a marked gap"
        )
        self.chunk = chunk
        self.cause = cause


@dataclass(frozen=True)
class MergedRecording:
    """What was written. ``files``: format -> ``path`` and ``sha256``; ``row``: of the summary; ``gaps``: chunk ids.

    ``worst``: the least certain passages; ``ledger``: what became of every sample; ``search``: its lines of the index;
    ``differences``: between a given text and the audio, ``None`` where no text is given; ``names``: what the glossary
    changed, ``None`` without one.
    """

    files: dict[str, dict[str, str]]
    row: dict[str, Any]
    gaps: list[str] = field(default_factory=list)
    worst: list[dict[str, Any]] = field(default_factory=list)
    ledger: list[LedgerSpan] = field(default_factory=list)
    search: list[bytes] = field(default_factory=list)
    differences: list[dict[str, Any]] | None = None
    names: list[dict[str, Any]] | None = None


def _tracks(
    chunks: Iterable[Chunk], lookup: Lookup, reasons: Mapping[str, str], allow_gaps: bool, lengths: Mapping[Any, int]
) -> list[TrackText]:
    """Stitches and checks every track. ``lengths``: samples by channel, where known."""

    def order(chunk: Chunk) -> tuple[int, int]:
        return (-1 if chunk.channel is None else chunk.channel), chunk.index

    tracks = []
    for _, group in groupby(sorted(chunks, key=order), key=lambda chunk: chunk.channel):
        pieces: list[tuple[Chunk, str | None, ChunkResult | None]] = []
        for chunk in group:
            found = None if chunk.is_empty else lookup(chunk.chunk)
            if found is None and not chunk.is_empty and not allow_gaps:
                raise MissingChunkError(chunk.chunk, reasons.get(chunk.chunk, UNKNOWN_REASON))
            pieces.append((chunk, found[0] or None, found[1]) if found else (chunk, None, None))
        channel = pieces[0][0].channel
        track = TrackText(channel, stitch([(chunk, result) for chunk, _, result in pieces], reasons), pieces)
        name = pieces[0][0].recording + ("" if channel is None else f", channel {channel + 1}")
        check_track(track.stitched, lengths.get(channel, track.samples), name)
        tracks.append(track)
    return tracks


def _write_chunk_texts(folder: Path, tracks: Sequence[TrackText], writer: TranscriptWriter | PackWriter) -> None:
    """Write the text of every chunk as decoded, overlaps included; move away files of chunks that no longer exist."""
    files = {}
    for track in tracks:
        for chunk, result in track.results():
            channel = "" if track.channel is None else f"c{track.channel}."
            lines = [" ".join(clean_text(segment.text).split()) for segment in result.segments]
            files[folder / f"{channel}{chunk.index:04d}.txt"] = "".join(f"{line}\n" for line in lines if line)
    writer.write(list(files.items()))
    if folder.is_dir():
        for old in folder.glob("*.txt"):
            if old not in files and not is_edited_copy(old):
                writer.supersede(old)


def merge_recording(
    facts: Mapping[str, Any],
    chunks: Sequence[Chunk],
    lookup: Lookup,
    reasons: Mapping[str, str],
    *,
    allow_gaps: bool,
    formats: Collection[str],
    subtitles: CueOptions,
    folder: Path,
    provenance: Mapping[str, Any],
    chunk_texts: bool = False,
    search: Path | None = None,
    options: FormatOptions | None = None,
    speaker_label: str = "Channel {}",
    lengths: Mapping[Any, int] | None = None,
    writer: TranscriptWriter | PackWriter | None = None,
    speakers: SpeakerSource | None = None,
    corrections: Found | None = None,
    text: TextSource | None = None,
    names: NameSource | None = None,
) -> MergedRecording:
    """Stitch, check and write one recording: ``<folder>/<recording>.<format>`` for every format.

    ``facts``: the recording's plan entry (see ``build_document``). ``chunks``: all of its chunks, of all
    channels, in any order; empty ones are not looked up. ``reasons``: chunk -> why it has no result.
    ``lengths``: samples of each channel's track, to check the chunks against. ``chunk_texts`` also writes
    ``<folder>/<recording>.chunks/<index>.txt``. Files of other formats stay as they are, and so does a file
    that holds the same bytes already. ``writer``: keeps files edited by hand, and writes them at the latest when it is
    flushed (default: they are written at once, nothing is kept).
    ``speakers``: where the speakers come from, if any are asked for; the recording then also has an RTTM file.
    ``corrections``: what a person changed in it; what of that does not fit is noted. ``search``: the folder of the run,
    where its transcripts can be searched.
    ``text``: where its text comes from, if one is given: it takes the place of what was heard. ``names``: what it is
    judged with, if there is a glossary.

    Raises ``MissingChunkError`` where a result is missing and ``allow_gaps`` is false, or where its voices should be
    linked with those of other recordings and are not (nothing is written then),
    ``InputError`` when a file with turns cannot be used, ``StitchError`` when chunks do not cover the recording.
    """
    tracks = _tracks(chunks, lookup, reasons, allow_gaps, lengths or {})
    corrections = corrections or Found()
    ledger = make_ledger(tracks)
    given = None if text is None else apply_text(tracks, text)
    if given is not None:
        if given.missing and not allow_gaps:
            raise MissingChunkError(given.missing, NOT_ALIGNED)
        tracks = given.tracks
        facts = {
            **facts,
            "left_out": [*(facts.get("left_out") or []), *filter(None, [given.problem])],
            "text_fit": given.fit,
        }
    named = None if names is None else put_names(tracks, names)
    if named is not None:
        if named.missing and not allow_gaps:
            raise MissingChunkError(named.missing, NOT_JUDGED)
        tracks = named.tracks
    document = add_confidence(build_document(facts, tracks, provenance, speaker_label, ledger))
    if named is not None:
        document = {**document, "glossary": named.changes}
    document, unapplied = correct_words(document, corrections.corrections)
    if speakers is not None:
        missing = None if allow_gaps else missing_voices(tracks, speakers)
        if missing is not None:
            raise MissingChunkError(missing, NO_VOICES)
        labels = {speaker_name(track.channel, speaker_label): track for track in tracks}
        try:
            found = {label: track_speakers(track, speakers, facts, label) for label, track in labels.items()}
        except UnlinkedError as error:
            raise MissingChunkError(tracks[0].pieces[0][0].chunk, str(error)) from None
        document = add_speakers(document, found, speakers)
        formats = list(dict.fromkeys([*formats, "rttm"]))
    if text is not None and given is not None:
        document = add_text(document, given, text)
    document, unfit = apply_names(document, corrections.corrections)
    unfit = [*corrections.unfit, *unapplied, *unfit]
    document = {**document, "notes": [*document["notes"], *map(clean_text, unfit)]}
    facts = {**facts, "left_out": [*(facts.get("left_out") or []), *unfit]}
    recording = str(facts["recording"])
    texts = render_all(document, formats, subtitles, media_url(str(facts["path"]), folder), options)
    paths = {name: folder / file_name(recording, name) for name in texts}
    own = TranscriptWriter(folder)
    used = writer or own
    is_packed = isinstance(used, PackWriter)
    used.write([(paths[name], text) for name, text in texts.items()])
    files = {name: used.file_of(path, used.hash_of(path)) for name, path in paths.items()}
    if chunk_texts:
        _write_chunk_texts(folder / f"{recording}.chunks", tracks, used)
    own.flush()
    gaps = [gap.chunk for track in tracks for gap in track.stitched.gaps]
    searched = [] if search is None else search_lines(document, search, None if is_packed else paths.get("html"))
    return MergedRecording(
        files,
        summary_row(facts, document),
        gaps,
        worst_passages(document),
        ledger,
        searched,
        document.get("differences"),
        document.get("glossary"),
    )


def undelivered_ledger(chunks: Sequence[Chunk], lookup: Lookup, samples: int) -> list[LedgerSpan]:
    """Returns the ledger of a recording that has no transcript although it was cut. ``samples``: as planned."""
    try:
        return make_ledger(_tracks(chunks, lookup, {}, True, {}), is_delivered=False)
    except StitchError:
        return unread_ledger(samples, was_read=True)
