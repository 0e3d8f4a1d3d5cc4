"""Collects what one ``align`` job has to do: the chunks of a shard in which a text or names are held against audio."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from audiogrid.aligning.aligned_key import aligned_key, question, windows_of
from audiogrid.aligning.anchoring import Anchored, anchor
from audiogrid.aligning.given_text import read_given_text
from audiogrid.aligning.glossary_file import read_glossary
from audiogrid.aligning.heard_words import Piece
from audiogrid.aligning.names import NameFinder, questions
from audiogrid.core.errors import InputError
from audiogrid.records.chunks import Chunk
from audiogrid.records.finished_shard import FinishedShard
from audiogrid.records.plan import Plan, Recording, Shard
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.store import Store
from audiogrid.records.texts import aligned_chunks, given_text
from audiogrid.transcribing.shard_job import ShardWork, chunks_to_do
from audiogrid.transcribing.worker import Job


class DecodedRecordings:
    """What was decoded of the recordings of some bundles, from the reports of their shards."""

    def __init__(self, plan: Plan, folder: RunFolder, store: Store, bundles: Iterable[str]) -> None:
        self._store = store
        self._chunks: dict[str, Chunk] = {}
        self._keys: dict[str, str] = {}
        for shard in dict.fromkeys(name for bundle in bundles for name in plan.shards_of_bundle[bundle]):
            facts = FinishedShard.read(folder.shards / f"{shard}.json").facts
            self._chunks.update({chunk.chunk: chunk for chunk in facts.chunks})
            self._keys.update(facts.keys)

    def pieces(self, recording: Recording) -> list[Piece]:
        """Returns the chunks of a recording that have a result, track after track."""
        return [piece for name in recording.chunk_ids if (piece := self.piece(name)) is not None]

    def piece(self, name: str) -> Piece | None:
        """Returns a chunk with its result, if it has one."""
        stored = self._store.get(self._keys[name]) if name in self._keys else None
        return (self._chunks[name], stored.result) if stored is not None and name in self._chunks else None


def collect_texts(
    plan: Plan, shard: Shard, folder: RunFolder, store: Store, *, fine: bool = False, glossary: str = ""
) -> ShardWork:
    """Returns jobs and keys for the chunks of a shard in which something of a given text has to be aligned, or judged.

    ``fine``: everything of a text, also what was heard as it is written. ``glossary``: its path; recordings without a
    text of their own are judged with it.
    Raises ``RetryableError`` when a manifest is missing, ``InputError`` where the glossary cannot be used.
    """
    work = ShardWork(shard, plan.models[shard.model])
    decoded = DecodedRecordings(plan, folder, store, shard.bundles)
    finder = NameFinder(read_glossary(Path(glossary))) if glossary else None
    anchored: dict[str, Anchored | None] = {}
    names = aligned_chunks(plan, shard.shard, glossary)
    for chunk, bundle_folder, recording in chunks_to_do(plan, work, folder.chunks, names):
        name = recording.recording
        if given_text(recording) and name not in anchored:
            anchored = {name: _anchored(recording, decoded, fine)}
        asked = (
            _text_question(anchored[name], chunk, plan.options_for(recording, chunk.channel))
            if given_text(recording)
            else _name_question(finder, decoded, chunk, plan.options_for(recording, chunk.channel))
        )
        if asked is None:
            continue
        key = aligned_key(chunk, work.model_hash, asked)
        work.facts.keys[chunk.chunk] = key
        work.jobs.append(Job(chunk, key, str(bundle_folder), asked))
    return work


def _text_question(found: Anchored | None, chunk: Chunk, options: dict[str, Any]) -> dict[str, Any] | None:
    """Returns what of a text is asked about a chunk; ``None``: nothing."""
    if found is None:
        return None
    piece = next((at for at, (one, _) in enumerate(found.pieces) if one.chunk == chunk.chunk), None)
    windows = [] if piece is None else windows_of(found, piece)
    if piece is None or not windows:
        return None
    return question(found.pieces[piece][1].speech, windows, [], options)


def _name_question(
    finder: NameFinder | None, decoded: DecodedRecordings, chunk: Chunk, options: dict[str, Any]
) -> dict[str, Any] | None:
    """Returns which names are asked about a chunk; ``None``: none."""
    piece = decoded.piece(chunk.chunk)
    passages = finder.passages(*piece, options["task"]) if finder and piece else []
    return question(piece[1].speech, [], questions(passages), options) if piece and passages else None


def _anchored(recording: Recording, decoded: DecodedRecordings, fine: bool) -> Anchored | None:
    """Returns a recording's text, anchored; ``None`` where it cannot be used, which ``merge`` says in its notes."""
    try:
        words = read_given_text(Path(given_text(recording)))
    except InputError:
        return None
    found = anchor(words, decoded.pieces(recording), everything=fine)
    return None if found.is_misfit else found
