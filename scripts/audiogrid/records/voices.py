"""What embedding a chunk yields: stretches of speech of one speaker each, with a voice vector.

Times are samples at 16 kHz counted from the first sample that was decoded (``Chunk.context_start``), so that the same
audio elsewhere has the same result. Voice vectors are biometric data: they stay in the store.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

#: Of results of embedding; it has nothing to do with that of decoded chunks.
VOICES_SCHEMA = 1


@dataclass(frozen=True)
class Tracklet:
    """``[start, end)`` in samples, at most about 2 s. ``clean``: samples in which nobody else talks.

    ``band``: how much weaker the high frequencies are than the middle ones (natural logarithm), which tells a
    telephone. ``vector``: float16 values, little endian, as bytes; empty where the tracklet was not embedded because
    it continues the one before it.
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

    def to_json(self) -> dict[str, Any]:
        """Plain JSON value."""
        rows = [
            [t.start, t.end, t.clean, round(t.band, 3), base64.b64encode(t.vector).decode("ascii")]
            for t in self.tracklets
        ]
        return {"samples": self.samples, "tracklets": rows}

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> ChunkVoices:
        """Inverse of ``to_json``."""
        return cls(
            raw["samples"],
            [
                Tracklet(start, end, clean, band, base64.b64decode(vector))
                for start, end, clean, band, vector in raw["tracklets"]
            ],
        )


def vector_bytes(vector: np.ndarray) -> bytes:
    """A voice vector as ``Tracklet`` keeps it: 2 bytes a value."""
    return vector.astype("<f2").tobytes()


def vector_of(tracklet: Tracklet) -> np.ndarray:
    """The voice vector, float32; empty where there is none."""
    import numpy as np

    return np.frombuffer(tracklet.vector, dtype="<f2").astype(np.float32)
