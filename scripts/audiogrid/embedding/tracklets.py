"""Tracklets: stretches of at most two seconds in which one local speaker talks, the unit that gets a voice vector."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.embedding.segmentation import Activity, frame_edge

if TYPE_CHECKING:
    import numpy as np

Span = tuple[int, int]


@dataclass(frozen=True)
class TrackletOptions:
    """All in samples. ``joined_gap``: a shorter gap in a local speaker's activity is closed.

    ``longest``: of a tracklet. ``shortest``: shorter ones are dropped. Longer gaps are closed only after clustering:
    before it, closing them mixes voices.
    """

    joined_gap: int = 6 * SAMPLE_RATE // 100
    longest: int = 2 * SAMPLE_RATE
    shortest: int = 5 * SAMPLE_RATE // 100


@dataclass(frozen=True)
class Stretch:
    """``[start, end)`` in samples, of one local speaker; ``clean``: the parts in which nobody else talks."""

    start: int
    end: int
    local: int
    clean: tuple[Span, ...]

    @property
    def clean_samples(self) -> int:
        """Samples in which nobody else talks."""
        return sum(end - start for start, end in self.clean)


def runs(active: np.ndarray) -> list[Span]:
    """Spans ``[first, last)`` of ``True`` in a 1-D array."""
    import numpy as np

    edges = np.flatnonzero(np.diff(np.concatenate([[False], active, [False]]).astype(np.int8)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def joined(spans: list[Span], gap: int) -> list[Span]:
    """Spans in order, those with at most ``gap`` between them made one."""
    found: list[Span] = []
    for start, end in spans:
        if found and start - found[-1][1] <= gap:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def common(left: list[Span], right: list[Span]) -> list[Span]:
    """What two ordered lists of spans have in common."""
    found: list[Span] = []
    i = j = 0
    while i < len(left) and j < len(right):
        start, end = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if start < end:
            found.append((start, end))
        if left[i][1] <= right[j][1]:
            i += 1
        else:
            j += 1
    return found


def _parts(span: Span, longest: int) -> list[Span]:
    """A span in equal parts, each at most ``longest``."""
    start, end = span
    count = -(-(end - start) // longest)
    edges = [start + (end - start) * index // count for index in range(count + 1)]
    return list(pairwise(edges))


def tracklets(
    activity: Activity, speech: list[Span], samples: int, options: TrackletOptions | None = None
) -> list[Stretch]:
    """Tracklets of a chunk in the order of their starts.

    ``speech``: spans in which the voice detector hears speech; what lies between them is cut out. ``samples``: length
    of the chunk.
    """
    import numpy as np

    options = options or TrackletOptions()

    def in_samples(frames: list[Span]) -> list[Span]:
        return [(frame_edge(start), min(samples, frame_edge(end))) for start, end in frames]

    alone = activity.active.sum(axis=1) == 1 if activity.active.size else np.zeros(0, dtype=bool)
    found: list[Stretch] = []
    for local in range(activity.active.shape[1]):
        mine = activity.active[:, local]
        talking = common(joined(in_samples(runs(mine)), options.joined_gap), speech)
        clean = in_samples(runs(mine & alone))
        parts = [part for span in talking for part in _parts(span, options.longest)]
        for start, end in parts:
            if end - start >= options.shortest:
                found.append(Stretch(start, end, local, tuple(common([(start, end)], clean))))
    return sorted(found, key=lambda stretch: (stretch.start, stretch.end, stretch.local))
