"""Who of at most three local speakers is heard in every frame of a chunk.

The network looks at 10 s at a time and numbers the speakers of each look anew. Looks overlap by a quarter; the numbers
of neighbouring looks are matched over what both have heard, so that a speaker keeps one number while speech goes on.
These numbers hold in a stretch of speech only: they are no identities.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING

from audiogrid.core.timebase import SAMPLE_RATE

if TYPE_CHECKING:
    import numpy as np

#: Samples between two frames of the network, and centre of the first one.
FRAME_STEP = 270
FRAME_CENTRE = 495
#: Local speakers of one look.
LOCAL_SPEAKERS = 3
#: Samples of a look.
LOOK = 10 * SAMPLE_RATE

# Fewer samples than this make no frame.
_LEAST = 991
# Which local speakers each class of the network means: nobody, A, B, C, A+B, A+C, B+C.
_CLASSES = ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1))

#: From float32 waves ``(1, 1, samples)`` to log probabilities ``(1, frames, 7)``.
Network = Callable[["np.ndarray"], "np.ndarray"]


@dataclass(frozen=True)
class SegmentationOptions:
    """``hop``: frames between two looks (444: 7.5 s).

    ``least_common``: frames that two numbers must share to be one.
    """

    hop: int = 444
    least_common: int = 20


@dataclass(frozen=True)
class Activity:
    """``active``: bool ``(frames, numbers)``; column = a local speaker's number in this chunk."""

    active: np.ndarray

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.active)


def frame_edge(frame: int) -> int:
    """First sample that belongs to a frame rather than to the one before it."""
    return max(0, FRAME_CENTRE + FRAME_STEP * frame - FRAME_STEP // 2)


def look_starts(samples: int, hop: int) -> list[int]:
    """First samples of all looks at a signal, multiples of a frame; the last one ends at, or just before, its end."""
    if samples <= LOOK:
        return [0]
    last = (samples - LOOK) // FRAME_STEP * FRAME_STEP
    return [*range(0, last, hop * FRAME_STEP), last]


def _match(left: np.ndarray, right: np.ndarray, least: int) -> dict[int, int]:
    """Right-hand number -> left-hand number, by most frames in common; both bool ``(common frames, 3)``."""
    import numpy as np

    common = left.astype(np.int64).T @ right.astype(np.int64)
    # The first of equally good matchings is taken: the result must not depend on anything else.
    best = max(
        permutations(range(LOCAL_SPEAKERS)),
        key=lambda order: sum(int(common[a, b]) for b, a in enumerate(order)),
    )
    return {b: a for b, a in enumerate(best) if common[a, b] >= least}


def frame_count(samples: int) -> int:
    """Frames that the network makes of a signal."""
    return max(0, 1 + (samples - _LEAST) // FRAME_STEP)


def _is_silent(start: int, end: int, speech: Sequence[tuple[int, int]] | None) -> bool:
    return speech is not None and not any(first < end and last > start for first, last in speech)


def segment(
    samples: np.ndarray,
    network: Network,
    options: SegmentationOptions | None = None,
    speech: Sequence[tuple[int, int]] | None = None,
) -> Activity:
    """Activity of the local speakers in a signal: float32 in ±1, 16 kHz, 1-D; of any length, also none.

    ``speech``: spans in which there may be speech; the network is not asked about looks that have none of them.
    """
    import numpy as np

    options = options or SegmentationOptions()
    if len(samples) < _LEAST:
        return Activity(np.zeros((0, 0), dtype=bool))
    table = np.array(_CLASSES, dtype=bool)
    starts = look_starts(len(samples), options.hop)
    looks: list[tuple[int, np.ndarray, list[int]]] = []
    numbers = 0
    for start in starts:
        wave = np.ascontiguousarray(samples[start : start + LOOK], dtype=np.float32)[None, None]
        if _is_silent(start, start + wave.shape[-1], speech):
            active = np.zeros((frame_count(wave.shape[-1]), LOCAL_SPEAKERS), dtype=bool)
        else:
            active = table[network(wave)[0].argmax(axis=-1)]
        first = start // FRAME_STEP
        names: dict[int, int] = {}
        if looks:
            before, seen, known = looks[-1]
            common = min(before + len(seen), first + len(active)) - first
            if common > 0:
                matched = _match(seen[first - before :][:common], active[:common], options.least_common)
                names = {b: known[a] for b, a in matched.items()}
        for local in range(LOCAL_SPEAKERS):
            if local not in names:
                names[local] = numbers
                numbers += 1
        looks.append((first, active, [names[local] for local in range(LOCAL_SPEAKERS)]))
    return Activity(_joined(looks, numbers))


def _joined(looks: list[tuple[int, np.ndarray, list[int]]], numbers: int) -> np.ndarray:
    """Every frame from the look in whose middle it lies; numbers that nobody has are left out."""
    import numpy as np

    frames = max(first + len(active) for first, active, _ in looks)
    joined = np.zeros((frames, numbers), dtype=bool)
    centres = [first + len(active) / 2 for first, active, _ in looks]
    for index, (first, active, names) in enumerate(looks):
        begin = first if index == 0 else round((centres[index - 1] + centres[index]) / 2)
        end = first + len(active) if index + 1 == len(looks) else round((centres[index] + centres[index + 1]) / 2)
        begin, end = max(begin, first), min(end, first + len(active))
        joined[begin:end, names] = active[begin - first : end - first]
    return joined[:, joined.any(axis=0)]
