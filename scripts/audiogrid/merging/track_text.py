"""The text of one track with the chunks that it was made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from audiogrid.merging.stitch import StitchedTrack
from audiogrid.records.chunks import Chunk
from audiogrid.records.results import ChunkResult


@dataclass(frozen=True)
class TrackText:
    """One track: its text and its chunks.

    ``pieces``: every chunk with its store key and result; both are ``None`` where there is no result.
    """

    channel: int | None
    stitched: StitchedTrack
    pieces: Sequence[tuple[Chunk, str | None, ChunkResult | None]]

    @property
    def samples(self) -> int:
        """Length of the track in samples."""
        return max((chunk.end for chunk, _, _ in self.pieces), default=0)

    def results(self) -> Iterator[tuple[Chunk, ChunkResult]]:
        """Chunks that are not empty and have a result."""
        return ((chunk, result) for chunk, _, result in self.pieces if result is not None and not chunk.is_empty)
