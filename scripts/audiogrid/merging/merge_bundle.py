"""Merges the recordings of one bundle: collects what its shards decoded and writes the transcripts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from audiogrid.aligning.aligned_key import aligned_key, question
from audiogrid.aligning.glossary_file import read_glossary
from audiogrid.aligning.names import NameFinder
from audiogrid.core.atomic_files import canonical_json, write_json
from audiogrid.core.errors import InputError, RetryableError
from audiogrid.core.json_values import from_json, read_document, to_json
from audiogrid.corrections.corrections_file import find, list_files
from audiogrid.export.cues import CueOptions
from audiogrid.export.format_options import FormatOptions
from audiogrid.merging.differences_table import write_differences, write_names
from audiogrid.merging.glossary_names import NOT_JUDGED, NameSource
from audiogrid.merging.known_text import NOT_ALIGNED, TextSource
from audiogrid.merging.ledger import unread_ledger
from audiogrid.merging.ledger_table import write_part
from audiogrid.merging.merge_recording import (
    MergedRecording,
    MissingChunkError,
    merge_recording,
    undelivered_ledger,
)
from audiogrid.merging.pack_writer import PackWriter
from audiogrid.merging.search_part import write_search_part
from audiogrid.merging.speakers import NO_VOICES, Linking, read_linking, speaker_source
from audiogrid.merging.stitch import StitchError
from audiogrid.merging.transcript_writer import TranscriptWriter, open_writer
from audiogrid.records.aligned import AlignedChunk
from audiogrid.records.chunks import Chunk, ShardFacts
from audiogrid.records.finished_shard import FinishedShard
from audiogrid.records.journal import JournalFile, list_journals, read_history
from audiogrid.records.ledger import LedgerSpan
from audiogrid.records.plan import Plan, Recording, Shard
from audiogrid.records.results import ChunkResult, empty_result
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.store import AlignedStore, Store, Stored, VoiceStore
from audiogrid.records.texts import given_text

SCHEMA = 1


@dataclass(frozen=True)
class MergeSettings:
    """The part of the configuration that affects transcripts. ``subtitles``: fields of ``CueOptions``.

    ``speakers``: the key of the configuration; ``None`` where no recording of the run is asked to have any.
    ``corrections``: hash of the bundle's files of corrections, so that Snakemake merges again when they change.
    ``voice_names``: of linked voices, by id. ``search``: whether the run has a search index. ``texts``: the key
    ``word_times`` where any recording has a text. ``glossary``: path of the file, if there is one. ``pack``: whether
    the transcripts of the bundle go into one zip.
    """

    formats: list[str]
    subtitles: dict[str, Any]
    chunk_texts: bool = False
    allow_gaps: bool = False
    speakers: Any = None
    format_options: dict[str, Any] = field(default_factory=dict)
    corrections: str = ""
    voice_names: dict[str, str] = field(default_factory=dict)
    search: bool = True
    texts: str = ""
    glossary: str = ""
    pack: bool = False

    @property
    def cues(self) -> CueOptions:
        """Rules for subtitle cues."""
        return from_json(CueOptions, self.subtitles)


@dataclass(frozen=True)
class Failure:
    """A recording without a transcript or with a gap. ``chunk`` is empty where the whole recording failed."""

    recording: str
    path: str
    chunk: str
    cause: str


@dataclass
class MergedBundle:
    """Result of merging a bundle. ``files``: recording -> format -> path and SHA-256.

    ``worst``: recording -> its least certain passages. ``edited``: transcripts edited by hand that were
    kept under another name.
    """

    bundle: str
    files: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    worst: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    edited: list[str] = field(default_factory=list)

    def write(self, path: Path, generation: int) -> None:
        """Write ``merged/<bundle>.json``."""
        write_json(path, {"schema": SCHEMA, "generation": generation, **to_json(self)}, indent=1)

    @classmethod
    def read(cls, path: Path) -> MergedBundle:
        """Inverse of ``write``."""
        return read_document(cls, path)


class BundleFacts:
    """Chunks, store keys, problems and causes of failure of one bundle, collected from its shards."""

    def __init__(self, facts: Iterable[tuple[ShardFacts, Mapping[str, str]]]) -> None:
        self.chunks: dict[str, Chunk] = {}
        self.keys: dict[str, str] = {}
        self.problems: dict[str, str] = {}
        self.notes: dict[str, str] = {}
        self.remarks: dict[str, list[str]] = {}
        self.audio: dict[str, str] = {}
        self.causes: dict[str, str] = {}
        for shard, failed in facts:
            self.chunks.update({chunk.chunk: chunk for chunk in shard.chunks})
            self.keys.update(shard.keys)
            self.problems.update(shard.problems)
            self.notes.update(shard.notes)
            self.remarks.update(shard.remarks)
            self.audio.update(shard.audio)
            self.causes.update(failed)


# Causes of what a job did not get to. Voices, given texts and names have jobs of their own.
_NOT_REACHED, _NOT_DECODED = "it was not reached", "not decoded: "
_UNREACHED = frozenset({_NOT_REACHED, NO_VOICES, NOT_ALIGNED, NOT_JUDGED})


def is_unreached(failure: Failure) -> bool:
    """Whether nobody has tried in vain: a run that was stopped had not come to it."""
    return failure.cause in _UNREACHED or failure.cause.startswith(_NOT_DECODED)


def facts_from_reports(folder: RunFolder, plan: Plan, bundle: str) -> BundleFacts:
    """Collects the facts from the shard reports, which are the declared outputs of ``transcribe``."""
    reports = [FinishedShard.read(folder.shards / f"{shard}.json") for shard in plan.shards_of_bundle[bundle]]
    return BundleFacts((report.facts, report.failed) for report in reports)


def facts_from_journals(
    folder: RunFolder, plan: Plan, bundle: str, journals: Mapping[str, Sequence[JournalFile]] | None = None
) -> BundleFacts:
    """Collects the facts from the journals, which also hold what failed jobs had finished.

    ``journals``: a listing of them, for callers that need several bundles.
    """
    listed = list_journals(folder.journal) if journals is None else journals

    def facts_of(shard: Shard) -> tuple[ShardFacts, dict[str, str]]:
        history = read_history(folder.journal, shard.shard, shard.spec, listed)
        # A chunk that an attempt did not reach gets the reason why that attempt ended.
        ended = history.ended or "its job was killed"
        causes = {chunk: f"{_NOT_DECODED}{ended}" for chunk in history.facts.keys if chunk not in history.outcomes}
        causes.update({o.chunk: o.error for o in history.outcomes.values() if o.status == "failed"})
        return history.facts, causes

    return BundleFacts(facts_of(plan.shard[name]) for name in plan.shards_of_bundle[bundle])


# What of a result's origin decides, or may decide, its text.
_VERSIONS = ("audiogrid", "revision", "faster_whisper", "ctranslate2", "encoder")


def _versions(stored: Stored[ChunkResult]) -> dict[str, Any]:
    return {name: stored.made[name] for name in _VERSIONS if name in stored.made}


@cache
def _version(package: str) -> str:
    """Returns the version of an installed package. It is read from a file, too slowly to do so for every recording."""
    from importlib.metadata import version

    return version(package)


def provenance(
    plan: Plan, recording: Recording, facts: BundleFacts, stored: Mapping[str, Stored[ChunkResult]] | None = None
) -> dict[str, Any]:
    """Returns what a methods section needs; two runs with equal input and options return the same.

    ``stored``: results by chunk. The versions are those that decoded most chunks; a chunk that was decoded by others
    has its own (``versions``). Where nothing was decoded they are those of today.
    """
    from audiogrid import __version__

    by_chunk = {chunk: _versions(one) for chunk, one in (stored or {}).items()}
    counts = Counter(canonical_json(versions) for versions in by_chunk.values() if versions)
    today = {
        "audiogrid": __version__,
        "faster_whisper": _version("faster-whisper"),
        "ctranslate2": _version("ctranslate2"),
    }
    usual = json.loads(min(counts, key=lambda text: (-counts[text], text))) if counts else today

    def own(chunk: str) -> dict[str, Any]:
        versions = by_chunk.get(chunk)
        return {"versions": versions} if versions and versions != usual else {}

    return {
        **usual,
        **_made_with(plan, recording),
        **({"identified": recording.identified} if recording.identified else {}),
        **({"audio": facts.audio[recording.recording]} if recording.recording in facts.audio else {}),
        "chunks": [
            {"chunk": chunk, "key": facts.keys.get(chunk, ""), **own(chunk)}
            for chunk in recording.chunk_ids
            if chunk in facts.chunks
        ],
    }


def _made_with(plan: Plan, recording: Recording) -> dict[str, Any]:
    """Returns model and options; per channel where the channels of a recording differ."""

    def of(track: int | None) -> dict[str, Any]:
        name = plan.model_of(recording, track)
        return {"model": {"name": name, "hash": plan.models[name]}, "options": plan.options_for(recording, track)}

    if not recording.by_channel:
        return of(None)
    return {"channels": [{"channel": track + 1, **of(track)} for track in recording.tracks if track is not None]}


def merge_bundle(
    plan: Plan,
    bundle: str,
    facts: BundleFacts,
    store: Store,
    settings: MergeSettings,
    folder: RunFolder,
    corrections: Path | None = None,
) -> MergedBundle:
    """Write the transcripts of all complete recordings of ``bundle``; the other recordings become failures.

    Transcripts that an earlier run wrote for a failed recording stay as they are. Also writes the bundle's part of
    ``ledger.tsv`` and of the search index. ``corrections``: the folder with what a person changed.
    """
    files = list_files(corrections, plan.bundle[bundle].recordings) if corrections is not None else {}
    merged = MergedBundle(bundle)
    placer, before = open_writer(folder, bundle)
    pack_writer = PackWriter(placer, folder.transcripts, bundle) if settings.pack else None
    with pack_writer or nullcontext() as pack:
        _merge_recordings(merged, plan, facts, store, settings, folder, pack or placer, files)
        placer.flush()
        if pack is not None:
            pack.finish(plan.bundle[bundle].recordings)
    holds = dict.fromkeys(placer.hashes, pack.holds) if pack is not None else {}
    written = {file: (placer.owners[file], sha256) for file, sha256 in placer.hashes.items()}
    before.merged(written, holds).write(folder)
    merged.edited = sorted(f"{folder.transcripts.name}/{file}" for file in placer.edited)
    return merged


def _merge_recordings(
    merged: MergedBundle,
    plan: Plan,
    facts: BundleFacts,
    store: Store,
    settings: MergeSettings,
    folder: RunFolder,
    writer: TranscriptWriter | PackWriter,
    files: Mapping[str, Sequence[Path]],
) -> None:
    """Merge the recordings of a bundle into ``merged``.

    ``files``: of corrections, by recording. Also writes the bundle's parts of tables and of the search index.
    """
    bundle = merged.bundle
    linking = read_linking(folder, settings.speakers, settings.voice_names)
    ledgers: dict[str, list[LedgerSpan]] = {}
    searched: list[list[bytes]] = []
    differences: dict[str, list[dict[str, Any]]] = {}
    names: dict[str, list[dict[str, Any]]] = {}
    finder = NameFinder(read_glossary(Path(settings.glossary))) if settings.glossary else None
    for name in plan.bundle[bundle].recordings:
        recording = plan.recording[name]
        if name in facts.problems:
            merged.failures.append(Failure(name, recording.path, "", facts.problems[name]))
            ledgers[name] = unread_ledger(recording.duration, was_read=False)
            continue
        missing = [chunk for chunk in recording.chunk_ids if chunk not in facts.chunks]
        if missing:
            merged.failures.append(Failure(name, recording.path, missing[0], _NOT_REACHED))
            ledgers[name] = unread_ledger(recording.duration, was_read=True)
            continue
        results = _Results(recording, facts, store)
        writer.recording = name
        try:
            done = _merge_one(
                plan, recording, facts, results, store, settings, folder, writer, files.get(name, ()), linking, finder
            )
        except MissingChunkError as error:
            merged.failures.append(Failure(name, recording.path, error.chunk, error.cause))
            ledgers[name] = undelivered_ledger(results.chunks, results.lookup, recording.duration)
            continue
        except (StitchError, InputError) as error:
            merged.failures.append(Failure(name, recording.path, "", str(error)))
            ledgers[name] = unread_ledger(recording.duration, was_read=True)
            continue
        ledgers[name] = done.ledger
        searched.append(done.search)
        if done.differences is not None:
            differences[name] = done.differences
        if done.names is not None:
            names[name] = done.names
        merged.files[name] = {
            kind: {**file, "path": Path(file["path"]).relative_to(folder.root).as_posix()}
            for kind, file in done.files.items()
        }
        merged.rows.append(done.row)
        if done.worst:
            merged.worst[name] = done.worst
        merged.failures.extend(
            Failure(name, recording.path, chunk, f"left out as a gap: {facts.causes.get(chunk, 'no result')}")
            for chunk in done.gaps
        )
    write_part(folder, bundle, ledgers)
    write_search_part(folder, bundle, searched)
    write_differences(folder, bundle, differences)
    write_names(folder, bundle, names)


class _Results:
    """The chunks of a recording, all of them known, and what the store has of them."""

    def __init__(self, recording: Recording, facts: BundleFacts, store: Store) -> None:
        self.chunks = [facts.chunks[chunk] for chunk in recording.chunk_ids]
        self._keys = {chunk: facts.keys[chunk] for chunk in recording.chunk_ids if chunk in facts.keys}
        self.stored = {chunk: found for chunk, key in self._keys.items() if (found := store.get(key)) is not None}
        self._empty = {chunk.chunk: chunk.context_end - chunk.context_start for chunk in self.chunks if chunk.is_empty}

    def lookup(self, chunk: str) -> tuple[str, ChunkResult] | None:
        """Returns store key and result of a chunk; an empty chunk needs none."""
        if chunk in self._empty:
            return "", empty_result(self._empty[chunk], "")
        return (self._keys[chunk], self.stored[chunk].result) if chunk in self.stored else None


def _merge_one(
    plan: Plan,
    recording: Recording,
    facts: BundleFacts,
    results: _Results,
    store: Store,
    settings: MergeSettings,
    folder: RunFolder,
    writer: TranscriptWriter | PackWriter,
    corrections: Sequence[Path],
    linking: Linking | None,
    finder: NameFinder | None,
) -> MergedRecording:
    """Merge one recording, all of whose chunks are known; raises as ``merge_recording`` does.

    ``corrections``: files with its id; ``finder``: of names, where there is a glossary.
    """
    name = recording.recording
    place = folder.transcripts_of(name, divided=plan.divided)
    # Probe and split may report the same problem.
    note = "; ".join(dict.fromkeys(note for note in (recording.note, facts.notes.get(name)) if note))
    return merge_recording(
        {
            **to_json(recording),
            "language": recording.language,
            "note": note or None,
            "remarks": [*recording.remarks, *facts.remarks.get(name, [])],
            "folder": place.relative_to(folder.root).as_posix(),
        },
        results.chunks,
        results.lookup,
        facts.causes,
        allow_gaps=settings.allow_gaps,
        formats=settings.formats,
        subtitles=settings.cues,
        folder=place,
        provenance=provenance(plan, recording, facts, results.stored),
        chunk_texts=settings.chunk_texts,
        search=folder.root if settings.search else None,
        options=FormatOptions(settings.format_options),
        writer=writer,
        speakers=speaker_source(recording, VoiceStore(store.root, store.own), settings.speakers, linking),
        corrections=find(corrections, name, facts.audio.get(name, "")),
        text=_text_source(plan, recording, store, settings.texts) if settings.texts and given_text(recording) else None,
        names=_name_source(plan, recording, store, finder) if finder and not given_text(recording) else None,
    )


def _aligned(plan: Plan, recording: Recording, store: Store) -> Callable[..., AlignedChunk | None]:
    """Returns what looks up the answer to windows and questions about a chunk."""
    aligned = AlignedStore(store.root, store.own)

    def lookup(
        chunk: Chunk, result: ChunkResult, windows: list[dict[str, Any]], questions: Sequence[Mapping[str, Any]]
    ) -> AlignedChunk | None:
        asked = question(result.speech, windows, questions, plan.options_for(recording, chunk.channel))
        found = aligned.get(aligned_key(chunk, plan.models[plan.model_of(recording, chunk.channel)], asked))
        return None if found is None else found.result

    return lookup


def _text_source(plan: Plan, recording: Recording, store: Store, word_times: str) -> TextSource:
    lookup = _aligned(plan, recording, store)
    return TextSource(
        given_text(recording),
        lambda chunk, result, windows: lookup(chunk, result, windows, []),
        fine=word_times == "fine",
    )


def _name_source(plan: Plan, recording: Recording, store: Store, finder: NameFinder) -> NameSource:
    lookup = _aligned(plan, recording, store)
    return NameSource(
        finder,
        lambda chunk, result, asked: lookup(chunk, result, [], asked),
        lambda chunk: str(plan.options_for(recording, chunk.channel)["task"]),
    )


def remove_shard_reports(folder: RunFolder, plan: Plan, bundle: str) -> None:
    """Delete the shard reports of ``bundle``, so that the next run decodes the missing chunks."""
    for shard in plan.shards_of_bundle[bundle]:
        (folder.shards / f"{shard}.json").unlink(missing_ok=True)
        (folder.voices / f"{shard}.json").unlink(missing_ok=True)
        (folder.aligned / f"{shard}.json").unlink(missing_ok=True)


#: Columns of ``failed.tsv``.
FAILURE_COLUMNS = ("recording", "path", "chunk", "cause")


def failure_row(failure: Failure) -> tuple[str, str, str, str]:
    """Returns the row of ``failed.tsv``. Libraries may word a cause on several lines; the table needs one."""
    return failure.recording, failure.path, failure.chunk, " ".join(failure.cause.split())


def require_all_chunks(merged: MergedBundle, folder: RunFolder, plan: Plan) -> None:
    """Raise ``RetryableError`` where a chunk that was reported as done no longer has a valid result."""
    lost = [f for f in merged.failures if f.chunk and f.recording not in merged.files]
    if lost:
        remove_shard_reports(folder, plan, merged.bundle)
        names = ", ".join(f"{failure.chunk} ({failure.cause})" for failure in lost[:5])
        raise RetryableError(
            f"bundle {merged.bundle}: no valid result for {names}; run the same command again to make what is missing"
        )
