"""Previews which chunks of a plan have their voices in the store already, and what the others will cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from audiogrid.core.timebase import SAMPLE_RATE, to_seconds
from audiogrid.records.chunks import Chunk
from audiogrid.records.plan import Recording
from audiogrid.records.speakers import is_embedded
from audiogrid.splitting.cut_cache import CutIdentity, cut_identity


@dataclass
class VoicesPreview:
    """Chunks and samples whose voices a run will embed. ``per_core``: multiple of real time; ``source``: of that."""

    per_core: float
    source: str
    recordings: int = 0
    stored_chunks: int = 0
    waiting_chunks: int = 0
    waiting: int = 0

    @property
    def core_seconds(self) -> float:
        """Returns what the rest will cost."""
        return to_seconds(self.waiting) / self.per_core

    def lines(self) -> list[str]:
        """Returns lines for ``plan_summary_lines``; none where no speakers are asked for."""
        if not self.recordings:
            return []
        if not self.waiting_chunks:
            return ["to embed     nothing: the store has the voices of every chunk"]
        known = f", {self.stored_chunks} more are in the store" if self.stored_chunks else ""
        hours = self.waiting / SAMPLE_RATE / 3600
        return [
            f"to embed     {self.waiting_chunks} chunk(s), {hours:.2f} h, for the speakers of {self.recordings} "
            f"recording(s){known}: {self.core_seconds / 3600:.2f} core-hours ({self.source})"
        ]


def add_voices(
    found: VoicesPreview,
    recordings: Iterable[Recording],
    cuts: Mapping[CutIdentity, Sequence[Chunk]],
    default: Any,
    is_stored: Callable[[Chunk], bool],
) -> None:
    """Look up the voices of every chunk of these recordings that are asked to have speakers, and add to ``found``.

    ``cuts``: see ``KnownCuts``. ``default``: the key ``speakers`` of the configuration.
    """
    for recording in recordings:
        if not is_embedded(recording, default):
            continue
        found.recordings += 1
        known = {(chunk.channel, chunk.index): chunk for chunk in cuts.get(cut_identity(recording), ())}
        for track in recording.tracks:
            for index in range(recording.chunks):
                chunk = known.get((track, index))
                if chunk is not None and (chunk.is_empty or is_stored(chunk)):
                    found.stored_chunks += 1
                else:
                    found.waiting_chunks += 1
                    found.waiting += chunk.end - chunk.start if chunk else recording.duration // recording.chunks
