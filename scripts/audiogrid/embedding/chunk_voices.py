"""From the audio of a chunk to tracklets with voice vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from audiogrid.core.json_values import to_json
from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.embedding import filterbank
from audiogrid.embedding.segmentation import LOOK, SegmentationOptions, segment
from audiogrid.embedding.tracklets import Stretch, TrackletOptions, tracklets
from audiogrid.records.voices import ChunkVoices, Tracklet, vector_bytes

if TYPE_CHECKING:
    import numpy as np

#: From features ``(1, frames, 80)`` and weights ``(1, (frames + 1) // 2)`` to a vector ``(1, 192)``.
Embedder = Callable[["np.ndarray", "np.ndarray"], "np.ndarray"]


@dataclass(frozen=True)
class EmbeddingOptions:
    """Everything besides the networks that shapes tracklets and vectors; part of the store's key.

    ``pause_ms``: pauses of the voice detector from this length on part tracklets, less ``pad_ms`` at both ends.
    ``clean_samples``: with so much speech of nobody else, the rest of a tracklet is left out of its vector.
    ``least_samples``: a shorter tracklet is embedded with some of its surroundings.
    """

    segmentation: SegmentationOptions = field(default_factory=SegmentationOptions)
    tracklets: TrackletOptions = field(default_factory=TrackletOptions)
    pause_ms: int = 100
    pad_ms: int = 30
    clean_samples: int = 4 * SAMPLE_RATE // 10
    least_samples: int = 3 * SAMPLE_RATE // 10

    def identity(self) -> dict[str, Any]:
        """Returns the options as the store's key contains them."""
        return {**to_json(self), "look": LOOK}


@dataclass(frozen=True)
class Networks:
    """The two networks as functions; see ``segmentation.Network`` and ``Embedder``."""

    segmentation: Callable[[np.ndarray], np.ndarray]
    embedder: Embedder
    options: EmbeddingOptions = field(default_factory=EmbeddingOptions)


def _frames_of(stretch: Stretch, samples: int, least: int) -> tuple[int, int]:
    """First and last (exclusive) filter bank frame that a tracklet's vector is made from."""
    start, end = stretch.start, stretch.end
    missing = least - (end - start)
    if missing > 0:
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
    activity = segment(samples, networks.segmentation, options.segmentation)
    stretches = [
        stretch
        for stretch in tracklets(activity, speech, len(pcm), options.tracklets)
        if owned[0] <= (stretch.start + stretch.end) // 2 < owned[1]
    ]
    features = filterbank.filterbank(samples)
    found = []
    for stretch in stretches:
        if not len(features):
            break
        first, last = _frames_of(stretch, len(pcm), options.least_samples)
        part = features[first:last]
        weights = _weights(stretch, first, first + len(part), options.clean_samples)
        vector = networks.embedder((part - part.mean(axis=0))[None], weights)[0]
        band = round(filterbank.high_band_level(part), 3)
        found.append(Tracklet(stretch.start, stretch.end, stretch.clean_samples, band, vector_bytes(vector)))
    return ChunkVoices(len(pcm), found)
