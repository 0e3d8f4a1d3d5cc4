"""From the audio of a chunk to tracklets with voice vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from audiogrid.core.json_values import to_json
from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.embedding import filterbank
from audiogrid.embedding.segmentation import LOOK, SegmentationOptions, segment
from audiogrid.embedding.tracklets import Stretch, TrackletOptions, tracklets
from audiogrid.records.voices import ChunkVoices, Tracklet, vector_bytes

if TYPE_CHECKING:
    import numpy as np

# A stretch with so much speech of nobody else is said alone.
_CLEAN_SHARE = 0.9

#: From features ``(1, frames, 80)`` and weights ``(1, (frames + 1) // 2)`` to a vector ``(1, 192)``.
Embedder = Callable[["np.ndarray", "np.ndarray"], "np.ndarray"]


@dataclass(frozen=True)
class EmbeddingOptions:
    """Everything besides the networks that shapes tracklets and vectors; part of the store's key.

    ``pause_ms``: pauses of the voice detector from this length on part tracklets, less ``pad_ms`` at both ends.
    ``clean_samples``: with so much speech of nobody else, the rest of a tracklet is left out of its vector.
    ``least_samples``: a shorter tracklet is embedded with some of its surroundings. ``most_samples``: of a longer one
    the middle is embedded.
    ``stride``: while one local speaker talks alone with gaps of at most ``stride_gap`` samples, only each so many-th
    tracklet is embedded; where two of them are less alike than ``same_voice`` (cosine), one between them is, too.
    """

    segmentation: SegmentationOptions = field(default_factory=SegmentationOptions)
    tracklets: TrackletOptions = field(default_factory=TrackletOptions)
    pause_ms: int = 100
    pad_ms: int = 30
    clean_samples: int = 4 * SAMPLE_RATE // 10
    least_samples: int = 3 * SAMPLE_RATE // 10
    most_samples: int = 3 * SAMPLE_RATE // 2
    stride: int = 4
    stride_gap: int = SAMPLE_RATE
    same_voice: float = 0.65

    def identity(self) -> dict[str, Any]:
        """Returns the options as the store's key contains them."""
        return {**to_json(self), "look": LOOK}


@dataclass(frozen=True)
class Networks:
    """The two networks as functions; see ``segmentation.Network`` and ``Embedder``."""

    segmentation: Callable[[np.ndarray], np.ndarray]
    embedder: Embedder
    options: EmbeddingOptions = field(default_factory=EmbeddingOptions)


def _frames_of(stretch: Stretch, samples: int, least: int, most: int) -> tuple[int, int]:
    """First and last (exclusive) filter bank frame that a tracklet's vector is made from."""
    start, end = stretch.start, stretch.end
    missing = min(max(end - start, least), most) - (end - start)
    start, end = max(0, start - missing // 2), min(samples, end + missing - missing // 2)
    first = min(-(-start // filterbank.STEP), max(0, filterbank.frame_count(samples) - 1))
    return first, max(first + 1, filterbank.frame_count(end))


def _weights(stretch: Stretch, first: int, last: int, clean: int) -> np.ndarray:
    """1 for the network's frames (every second one of the filter bank's) that count, 0 for those under overlap."""
    import numpy as np

    halves = (last - first + 1) // 2
    if stretch.clean_samples < clean or stretch.clean_samples == stretch.end - stretch.start:
        return np.ones((1, halves), dtype=np.float32)
    centres = (first + 2 * np.arange(halves)) * filterbank.STEP + filterbank.WIDTH // 2
    counts = np.zeros(halves, dtype=bool)
    for start, end in stretch.clean:
        counts |= (centres >= start) & (centres < end)
    if counts.sum() < 2:
        counts[:] = True
    return counts.astype(np.float32)[None]


def embed_chunk(pcm: np.ndarray, owned: tuple[int, int], networks: Networks) -> ChunkVoices:
    """Tracklets of a chunk: ``pcm`` int16 at 16 kHz, 1-D; ``owned``: the span whose tracklets are wanted."""
    import numpy as np

    from audiogrid.media.vad import VoiceOptions, speech_probabilities, speech_spans

    options = networks.options
    samples = pcm.astype(np.float32) / np.float32(32768)
    pauses = VoiceOptions(min_silence_ms=options.pause_ms, pad_ms=options.pad_ms)
    speech = speech_spans(speech_probabilities(pcm), len(pcm), pauses)
    if not speech or not len(pcm):
        return ChunkVoices(len(pcm), [])
    activity = segment(samples, networks.segmentation, options.segmentation, speech)
    stretches = [
        stretch
        for stretch in tracklets(activity, speech, len(pcm), options.tracklets)
        if owned[0] <= (stretch.start + stretch.end) // 2 < owned[1]
    ]
    vectors = _Vectors(filterbank.filterbank(samples), len(pcm), stretches, networks)
    if not len(vectors.features):
        return ChunkVoices(len(pcm), [])
    for first, last in monologues(stretches, options.stride_gap):
        embed_some(first, last, options.stride, options.same_voice, vectors.of)
    return ChunkVoices(len(pcm), [vectors.tracklet(index) for index in range(len(stretches))])


def monologues(stretches: Sequence[Stretch], gap: int) -> list[tuple[int, int]]:
    """Spans ``[first, last)`` of stretches of one local speaker, alone, at most ``gap`` samples apart; in order."""
    found: list[tuple[int, int]] = []
    for index, stretch in enumerate(stretches):
        before = stretches[index - 1] if index else None
        continues = (
            before is not None
            and before.local == stretch.local
            and stretch.start - before.end <= gap
            and all(one.clean_samples >= _CLEAN_SHARE * (one.end - one.start) for one in (before, stretch))
        )
        if continues:
            found[-1] = (found[-1][0], index + 1)
        else:
            found.append((index, index + 1))
    return found


def embed_some(first: int, last: int, stride: int, same: float, vector_of: Callable[[int], np.ndarray]) -> None:
    """Call ``vector_of`` for as many of the stretches ``[first, last)`` as needed to be sure of all of them.

    The others lie between two that are of the same voice (cosine of at least ``same``), less than ``stride`` away.
    """
    import numpy as np

    def look(left: int, right: int) -> None:
        if right - left < 2:
            return
        a, b = vector_of(left), vector_of(right)
        if float(a @ b) < same * float(np.linalg.norm(a) * np.linalg.norm(b)):
            middle = (left + right) // 2
            vector_of(middle)
            look(left, middle)
            look(middle, right)

    edges = [*range(first, last - 1, stride), last - 1]
    for index in edges:
        vector_of(index)
    for left, right in pairwise(edges):
        look(left, right)


class _Vectors:
    """Vectors of stretches, each made when it is asked for the first time."""

    def __init__(self, features: np.ndarray, samples: int, stretches: Sequence[Stretch], networks: Networks) -> None:
        self.features = features
        self._samples = samples
        self._stretches = stretches
        self._networks = networks
        self._known: dict[int, np.ndarray] = {}

    def _part(self, index: int) -> tuple[int, np.ndarray]:
        options = self._networks.options
        first, last = _frames_of(self._stretches[index], self._samples, options.least_samples, options.most_samples)
        return first, self.features[first:last]

    def of(self, index: int) -> np.ndarray:
        """The vector of a stretch."""
        if index not in self._known:
            first, part = self._part(index)
            weights = _weights(self._stretches[index], first, first + len(part), self._networks.options.clean_samples)
            self._known[index] = self._networks.embedder((part - part.mean(axis=0))[None], weights)[0]
        return self._known[index]

    def tracklet(self, index: int) -> Tracklet:
        """A stretch as it is kept; without a vector if it was never asked for."""
        stretch = self._stretches[index]
        vector = vector_bytes(self._known[index]) if index in self._known else b""
        band = round(filterbank.high_band_level(self._part(index)[1]), 3)
        return Tracklet(stretch.start, stretch.end, stretch.clean_samples, band, vector)
