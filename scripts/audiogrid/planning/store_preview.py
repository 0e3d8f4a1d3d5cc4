"""Previews which chunks of a plan are in the store already and which will be decoded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.decoding.revisions import store_keys
from audiogrid.records.chunks import Chunk
from audiogrid.records.plan import Plan, Recording, Settings, Shard
from audiogrid.records.store import Store
from audiogrid.splitting.cut_cache import CutIdentity, cut_identity


@dataclass
class StorePreview:
    """Chunks and samples that a run will find in the store, and those it will decode.

    ``waiting``: model -> samples to decode. ``uncut``: chunks among them that were never cut, so that their key is
    unknown and the store may hold them after all (from a copy of the file). ``shards``: with chunks to decode.
    ``recordings``: recording -> samples to decode, of those that have any.
    """

    stored_chunks: int = 0
    stored: int = 0
    waiting_chunks: int = 0
    waiting: dict[str, int] = field(default_factory=dict)
    uncut: int = 0
    shards: int = 0
    recordings: dict[str, int] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """Returns lines for ``plan_summary_lines``."""
        if not self.waiting_chunks:
            return ["to decode    nothing: the store has every chunk"]
        chunks = self.stored_chunks + self.waiting_chunks
        kept = f"in the store {self.stored_chunks} of {chunks} chunk(s), {_hours(self.stored)}: not decoded again"
        new = f", {self.uncut} of them never cut before" if 0 < self.uncut < self.waiting_chunks else ""
        hours = _hours(sum(self.waiting.values()))
        todo = f"to decode    {self.waiting_chunks} chunk(s), {hours}, in {self.shards} shard(s){new}"
        return [kept, todo] if self.stored_chunks else [todo]


def _hours(samples: int) -> str:
    return f"{samples / SAMPLE_RATE / 3600:.2f} h"


class StoreLookup:
    """Looks up chunks in the store, for a plan that is read by part.

    ``accepted``: earlier revisions of the decoding code whose results count. ``found``: what is known so far.
    ``keeps_recordings``: whether ``found.recordings`` is wanted.
    """

    def __init__(
        self, settings: Settings, store: Store, accepted: Sequence[int] = (), *, keeps_recordings: bool = True
    ) -> None:
        self.found = StorePreview()
        # Only models and options are asked of it.
        self._plan = Plan(settings, [], [], [])
        self._store = store
        self._accepted = accepted
        self._keeps_recordings = keeps_recordings
        self._shards: set[str] = set()

    def is_waiting(self, shard: str) -> bool:
        """Returns whether a shard is known to have chunks to decode."""
        return shard in self._shards

    def add(
        self,
        recordings: Iterable[Recording],
        cuts: Mapping[CutIdentity, Sequence[Chunk]],
        shards: Iterable[Shard],
    ) -> None:
        """Look up every chunk of some recordings.

        ``cuts``: see ``KnownCuts``. ``shards``: that may hold chunks of them.
        """
        waiting: set[str] = set()
        for recording in recordings:
            # In another run the same file may have another name.
            known = {(chunk.channel, chunk.index): chunk for chunk in cuts.get(cut_identity(recording), ())}
            for track in recording.tracks:
                waiting.update(self._track(recording, track, known))
        self.found.waiting_chunks += len(waiting)
        if waiting:
            self._shards |= {shard.shard for shard in shards if not waiting.isdisjoint(shard.chunks)}
        self.found.shards = len(self._shards)

    def _track(
        self, recording: Recording, track: int | None, known: Mapping[tuple[int | None, int], Chunk]
    ) -> Iterator[str]:
        """Yields the names of the chunks of a track that will be decoded."""
        found = self.found
        model, options = self._plan.model_of(recording, track), self._plan.options_for(recording, track)
        for index, name in enumerate(recording.chunks_of(track)):
            chunk = known.get((track, index))
            samples = chunk.end - chunk.start if chunk else recording.duration // recording.chunks
            if chunk and self._is_stored(chunk, model, options):
                found.stored_chunks += 1
                found.stored += samples
                continue
            found.waiting[model] = found.waiting.get(model, 0) + samples
            if self._keeps_recordings:
                found.recordings[recording.recording] = found.recordings.get(recording.recording, 0) + samples
            found.uncut += chunk is None
            yield name

    def _is_stored(self, chunk: Chunk, model: str, options: Mapping[str, object]) -> bool:
        # Only existence is checked: reading and checking 100,000 files would take minutes.
        keys = [] if chunk.is_empty else store_keys(chunk, self._plan.models[model], options, self._accepted)
        return chunk.is_empty or any(self._store.exists(key) for key in keys)
