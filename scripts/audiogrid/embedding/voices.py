"""From the tracklets of a recording to turns: who speaks when, as numbers in the order of first appearance."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

import msgspec

from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.embedding.clustering import ClusterOptions, Count, find_voices, unit
from audiogrid.records.chunks import Chunk
from audiogrid.records.speakers import SpeakerCount
from audiogrid.records.voices import ChunkVoices, Tracklet, vector_of

if TYPE_CHECKING:
    import numpy as np

#: A pause of one speaker up to this many samples does not end a turn.
TURN_GAP = 4 * SAMPLE_RATE // 10
#: Below this level of the high frequencies (see ``Tracklet.band``) it is a telephone.
TELEPHONE_BAND = -6.5
# One tracklet says little about the band: it is judged with this many of its neighbours on each side.
_BAND_NEIGHBOURS = 2


@dataclass(frozen=True)
class Turn:
    """``[start, end)`` in samples of the track, in which ``speaker`` (from 0) talks. Turns of others may overlap."""

    start: int
    end: int
    speaker: int


@dataclass(frozen=True)
class Voice:
    """A voice of a recording: samples it talks; ``centroid``: unit vector, as a tuple, of the mean over its tracklets.

    ``nearest``: cosine of the next voice's centroid; below 0.5 the two are surely different.
    """

    samples: int
    centroid: tuple[float, ...]
    nearest: float


@dataclass(frozen=True)
class Speakers:
    """Who speaks in a track. ``turns`` by start; ``voices`` by first appearance."""

    turns: list[Turn]
    voices: list[Voice]


@lru_cache(maxsize=1)
def band_means() -> tuple[np.ndarray, np.ndarray]:
    """Mean vectors over many speakers, to be subtracted: in wide band and over the telephone."""
    import numpy as np

    raw = json.loads(resources.files(__package__).joinpath("campplus_means.json").read_text())
    return np.array(raw["wide"]), np.array(raw["telephone"])


def in_track_time(pieces: Sequence[tuple[Chunk, ChunkVoices]]) -> list[Tracklet]:
    """Tracklets of all chunks of a track, in its own time, in order."""
    found = [
        msgspec.structs.replace(
            tracklet, start=tracklet.start + chunk.context_start, end=tracklet.end + chunk.context_start
        )
        for chunk, voices in pieces
        for tracklet in voices.tracklets
    ]
    return sorted(found, key=lambda tracklet: (tracklet.start, tracklet.end, tracklet.vector))


def centred(tracklets: Sequence[Tracklet]) -> np.ndarray:
    """Vectors less the mean of their band, ``(n, d)``: voices of different people are then at right angles.

    The band is judged tracklet by tracklet, with a few neighbours: a caller may be put through to a studio.
    """
    import numpy as np

    if not tracklets:
        return np.zeros((0, 0))
    wide, telephone = band_means()
    bands = np.array([tracklet.band for tracklet in tracklets])
    near = _BAND_NEIGHBOURS
    padded = np.pad(bands, near, mode="edge")
    smooth = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * near + 1), axis=1)
    vectors = np.stack([vector_of(tracklet) for tracklet in tracklets]).astype(np.float64)
    return vectors - np.where((smooth < TELEPHONE_BAND)[:, None], telephone, wide)


def turns_of(tracklets: Sequence[Tracklet], labels: Sequence[int], gap: int = TURN_GAP) -> list[Turn]:
    """Tracklets of one speaker joined over pauses of at most ``gap`` samples."""
    open_turns: dict[int, Turn] = {}
    found: list[Turn] = []
    for tracklet, label in zip(tracklets, labels, strict=True):
        turn = open_turns.get(label)
        if turn is not None and tracklet.start - turn.end <= gap:
            open_turns[label] = replace(turn, end=max(turn.end, tracklet.end))
        else:
            if turn is not None:
                found.append(turn)
            open_turns[label] = Turn(tracklet.start, tracklet.end, label)
    return sorted([*found, *open_turns.values()], key=lambda turn: (turn.start, turn.end, turn.speaker))


def track_count(count: SpeakerCount | None, channel: int | str | None) -> Count:
    """Bounds for one track. A number that is given counts all speakers: one channel may have any part of them."""
    if count is None:
        return Count()
    return Count(count.least if channel is None else None, count.most)


def find_speakers(
    pieces: Sequence[tuple[Chunk, ChunkVoices]], count: Count | None = None, options: ClusterOptions | None = None
) -> Speakers:
    """Turns and voices of one track from the results of its chunks. Without speech there are none of either."""
    import numpy as np

    tracklets = in_track_time(pieces)
    if not tracklets:
        return Speakers([], [])
    # The first tracklet of a chunk always has a vector; those without one continue the one before them.
    owner = np.maximum(0, np.cumsum([bool(tracklet.vector) for tracklet in tracklets]) - 1)
    embedded = [tracklet for tracklet in tracklets if tracklet.vector]
    if not embedded:
        return Speakers([], [])
    vectors = centred(embedded)
    lengths = [tracklet.end - tracklet.start for tracklet in tracklets]
    weights = np.bincount(owner, weights=lengths).astype(int).tolist()
    starts, clean = [tracklet.start for tracklet in embedded], [tracklet.clean for tracklet in embedded]
    centroids = find_voices(vectors, starts, clean, weights, count, options)
    nearest = (unit(vectors) @ centroids.T).argmax(axis=1)[owner]
    # Numbered by first appearance; a voice that no tracklet is nearest to is none.
    order = {int(label): number for number, label in enumerate(dict.fromkeys(nearest.tolist()))}
    labels = [order[int(label)] for label in nearest]
    kept = centroids[list(order)]
    similarity = kept @ kept.T - 2 * np.eye(len(kept))
    talk = np.bincount(labels, weights=lengths, minlength=len(kept))
    voices = [
        Voice(
            int(talk[number]), tuple(kept[number].tolist()), float(similarity[number].max()) if len(kept) > 1 else -1.0
        )
        for number in range(len(kept))
    ]
    return Speakers(turns_of(tracklets, labels), voices)
