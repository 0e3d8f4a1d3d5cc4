"""Collects what one ``align`` job has to do: the chunks of a shard whose recordings have a text."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from audiogrid.aligning.aligned_key import aligned_key, question, windows_of
from audiogrid.aligning.anchoring import Anchored, anchor
from audiogrid.aligning.given_text import read_given_text
from audiogrid.aligning.heard_words import Piece
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
        found = []
        for name in recording.chunk_ids:
            stored = self._store.get(self._keys[name]) if name in self._keys else None
            if stored is not None and name in self._chunks:
                found.append((self._chunks[name], stored.result))
        return found


def collect_texts(plan: Plan, shard: Shard, folder: RunFolder, store: Store, *, fine: bool = False) -> ShardWork:
    """Returns jobs and keys for the chunks of a shard in which something of a given text has to be aligned.

    ``fine``: everything, also what was heard as it is written.
    Raises ``RetryableError`` when a manifest is missing.
    """
    work = ShardWork(shard, plan.models[shard.model])
    decoded = DecodedRecordings(plan, folder, store, shard.bundles)
    anchored: dict[str, Anchored | None] = {}
    for chunk, bundle_folder, recording in chunks_to_do(plan, work, folder.chunks, aligned_chunks(plan, shard.shard)):
        name = recording.recording
        if name not in anchored:
            anchored = {name: _anchored(recording, decoded, fine)}
        found = anchored[name]
        if found is None:
            continue
        piece = next((at for at, (one, _) in enumerate(found.pieces) if one.chunk == chunk.chunk), None)
        windows = [] if piece is None else windows_of(found, piece)
        if piece is None or not windows:
            continue
        asked = question(found.pieces[piece][1].speech, windows, [], plan.options_for(recording, chunk.channel))
        key = aligned_key(chunk, work.model_hash, asked)
        work.facts.keys[chunk.chunk] = key
        work.jobs.append(Job(chunk, key, str(bundle_folder), asked))
    return work


def _anchored(recording: Recording, decoded: DecodedRecordings, fine: bool) -> Anchored | None:
    """Returns a recording's text, anchored; ``None`` where it cannot be used, which ``merge`` says in its notes."""
    try:
        words = read_given_text(Path(given_text(recording)))
    except InputError:
        return None
    found = anchor(words, decoded.pieces(recording), everything=fine)
    return None if found.is_misfit else found
