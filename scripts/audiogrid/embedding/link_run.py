"""Links the voices of a run: the same person has the same id in all of its recordings."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from audiogrid.core.atomic_files import canonical_json
from audiogrid.core.errors import InputError, RetryableError
from audiogrid.core.json_values import to_json
from audiogrid.embedding.chunk_voices import EmbeddingOptions
from audiogrid.embedding.embedders import CAMPPLUS, voices_key
from audiogrid.embedding.linking import LINKING_REVISION, Linker, new_voices
from audiogrid.embedding.voices import Speakers, find_speakers, track_count
from audiogrid.records.chunks import Chunk
from audiogrid.records.embedded_chunks import embedded_facts
from audiogrid.records.linked_voices import LinkHistory, linked_file, read_history, read_linked
from audiogrid.records.plan import Plan, Recording
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.speakers import SpeakerCount, is_embedded, speakers_of
from audiogrid.records.store import VoiceStore
from audiogrid.records.voices import ChunkVoices

# A file that runs share may change while it is read.
_TRIES = 5


def _chunks(run: RunFolder, plan: Plan) -> dict[str, list[Chunk]]:
    """Chunks of every recording of the plan, in order, as its ``embed`` jobs saw them last."""
    by_name = {chunk.chunk: chunk for facts in embedded_facts(run) for chunk in facts.chunks}
    return {one.recording: [by_name[name] for name in one.chunk_ids if name in by_name] for one in plan.recordings}


@dataclass(frozen=True)
class _Run:
    """What all recordings of a run have in common."""

    name: str
    store: VoiceStore
    default: Any
    allow_gaps: bool


def _state(keys: Sequence[str], count: SpeakerCount | None) -> str:
    parts = [LINKING_REVISION, *keys, to_json(count), to_json(CAMPPLUS.clustering)]
    return hashlib.sha256(canonical_json(parts).encode()).hexdigest()[:16]


def _tracks(keys: Mapping[Chunk, str], store: VoiceStore, count: SpeakerCount | None) -> dict[int | None, Speakers]:
    """Voices by channel. A result that turns out to be damaged counts as missing."""
    pieces: dict[int | None, list[tuple[Chunk, ChunkVoices]]] = {}
    for chunk, key in keys.items():
        stored = store.get(key)
        if stored is not None:
            pieces.setdefault(chunk.channel, []).append((chunk, stored.result))
    return {channel: find_speakers(found, track_count(count, channel)) for channel, found in pieces.items()}


def link_run(run: RunFolder, plan: Plan, store: VoiceStore, default: Any, *, allow_gaps: bool = False) -> LinkHistory:
    """Link the voices of all embedded recordings of a run, and write its file of voices and its history.

    ``default``: the key ``speakers`` of the configuration, which asks for linking. Returns which recording has which
    voices. Recordings that were linked before keep their ids and are not looked at again. A recording of which not
    all chunks are embedded is left out, unless ``allow_gaps``.

    Raises ``InputError`` when the file of voices is damaged or of other networks, ``RetryableError`` when others
    change it all the time.
    """
    path = linked_file(default, run)
    assert path is not None
    chunks = _chunks(run, plan)
    for _ in range(_TRIES):
        known = read_linked(path)
        if known.voices and known.networks != CAMPPLUS.identity:
            raise InputError(
                f"speakers: link: the vectors in {path} were made by other networks and cannot be compared; "
                "name another file, or delete it"
            )
        before = read_history(run.link_history)
        if before.file != str(path):
            # Ids of another file mean other voices.
            before = LinkHistory()
        linker = Linker(replace(known, following=max(known.following, before.following)))
        after = LinkHistory(str(path))
        settings = _Run(run.root.name, store, default, allow_gaps)
        for recording in plan.recordings:
            if is_embedded(recording, default):
                _link_recording(settings, recording, chunks[recording.recording], linker, before, after)
        found = linker.result(CAMPPLUS.identity)
        after.following = found.following
        # Another run may have written into a file that runs share.
        if read_linked(path) == known:
            if found != known:
                found.write(path)
            after.write(run.link_history)
            return after
    raise RetryableError(f"speakers: link: other runs keep changing {path}: run the same command again")


def _link_recording(
    run: _Run, recording: Recording, chunks: Sequence[Chunk], linker: Linker, before: LinkHistory, after: LinkHistory
) -> None:
    options = EmbeddingOptions().identity()
    wanted = {chunk: voices_key(chunk, CAMPPLUS.identity, options) for chunk in chunks if not chunk.is_empty}
    keys = {chunk: key for chunk, key in wanted.items() if run.store.has(key)}
    if not run.allow_gaps and (len(keys) < len(wanted) or len(chunks) < len(recording.chunk_ids)):
        return
    name, count = recording.recording, speakers_of(recording, run.default)
    state = _state(list(keys.values()), count)
    ids = linker.ids_of(run.name, name, state)
    if ids is None:
        same = before.links.get(name) if before.states.get(name) == state else None
        ids = linker.link(run.name, name, state, new_voices(_tracks(keys, run.store, count)), same)
    after.links[name], after.states[name] = ids, state
