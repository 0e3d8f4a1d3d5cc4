"""Previews which chunks of a plan are in the store already and which will be decoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.decoding.revisions import store_keys
from audiogrid.records.chunks import Chunk
from audiogrid.records.plan import Plan
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


def preview_store(
    plan: Plan, cuts: Mapping[CutIdentity, Sequence[Chunk]], store: Store, accepted: Sequence[int] = ()
) -> StorePreview:
    """Looks up every chunk of ``plan`` in the store.

    ``cuts``: see ``cut_cache.read_cuts``. ``accepted``: earlier revisions of the decoding code whose results count.
    """

    def is_stored(chunk: Chunk, model: str, options: Mapping[str, object]) -> bool:
        # Only existence is checked: reading and checking 100,000 files would take minutes.
        keys = [] if chunk.is_empty else store_keys(chunk, plan.models[model], options, accepted)
        return chunk.is_empty or any(store.exists(key) for key in keys)

    found = StorePreview()
    waiting: set[str] = set()
    for recording in plan.recordings:
        # In another run the same file may have another name.
        known = {(chunk.channel, chunk.index): chunk for chunk in cuts.get(cut_identity(recording), ())}
        for track in recording.tracks:
            model, options = plan.model_of(recording, track), plan.options_for(recording, track)
            for index, name in enumerate(recording.chunks_of(track)):
                chunk = known.get((track, index))
                samples = chunk.end - chunk.start if chunk else recording.duration // recording.chunks
                if chunk and is_stored(chunk, model, options):
                    found.stored_chunks += 1
                    found.stored += samples
                    continue
                waiting.add(name)
                found.waiting[model] = found.waiting.get(model, 0) + samples
                found.recordings[recording.recording] = found.recordings.get(recording.recording, 0) + samples
                found.uncut += chunk is None
    found.waiting_chunks = len(waiting)
    found.shards = sum(not waiting.isdisjoint(shard.chunks) for shard in plan.shards)
    return found
