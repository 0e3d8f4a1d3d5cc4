"""What embedding a chunk yields: stretches of speech of one speaker each, with a voice vector.

Times are samples at 16 kHz counted from the first sample that was decoded (``Chunk.context_start``), so that the same
audio elsewhere has the same result. Voice vectors are biometric data: they stay in the store.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import numpy as np

#: Of results of embedding; it has nothing to do with that of decoded chunks.
VOICES_SCHEMA = 1


class Tracklet(msgspec.Struct, frozen=True, array_like=True):
    """``[start, end)`` in samples, at most about 2 s. ``clean``: samples in which nobody else talks.

    ``band``: how much weaker the high frequencies are than the middle ones (natural logarithm), which tells a
    telephone. ``vector``: float16 values, little endian, as bytes; empty where the tracklet was not embedded because
    it continues the one before it.

    A list of values in JSON, the vector in base64: a recording has thousands of tracklets.
    """

    start: int
    end: int
    clean: int
    band: float
    vector: bytes


@dataclass(frozen=True)
class ChunkVoices:
    """All tracklets whose middle a chunk owns, in the order of their starts."""

    samples: int
    tracklets: list[Tracklet]


def vector_bytes(vector: np.ndarray) -> bytes:
    """A voice vector as ``Tracklet`` keeps it: 2 bytes a value."""
    return vector.astype("<f2").tobytes()


def vector_of(tracklet: Tracklet) -> np.ndarray:
    """The voice vector, float32; empty where there is none."""
    import numpy as np

    return np.frombuffer(tracklet.vector, dtype="<f2").astype(np.float32)
