"""Which tracklets are of one voice: average linkage in two levels over a whole recording.

Inside blocks of a few minutes first, then over the clusters found there. The similarity of two clusters is the mean
cosine of all pairs of their members, exactly, from the sums of their unit vectors; a matrix over all tracklets of ten
hours is never needed. No randomness, no iteration order: equal input gives equal output, and the order of the input
does not matter, since it is sorted by time first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audiogrid.core.timebase import SAMPLE_RATE

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class ClusterOptions:
    """``threshold``: mean cosine from which on two clusters are one voice. ``block``: samples of a block, and
    ``block_threshold`` inside it. ``same_centroid``: voices with nearer centroids are one.

    ``anchors``: clean samples from which on a tracklet takes part; the others are only assigned. The first of them is
    used whose tracklets hold ``anchored`` of the clean speech, else the last: quick turns have few long tracklets.
    ``least``: samples that make a voice, and ``least_share`` of all speech: less is counted to its nearest voice.
    """

    threshold: float = 0.35
    block: int = 300 * SAMPLE_RATE
    block_threshold: float = 0.5
    same_centroid: float = 0.6
    anchors: tuple[int, ...] = (SAMPLE_RATE, 6 * SAMPLE_RATE // 10, 4 * SAMPLE_RATE // 10)
    anchored: float = 0.8
    least: int = 3 * SAMPLE_RATE
    least_share: float = 0.001


@dataclass(frozen=True)
class Count:
    """How many voices there may be; ``None``: not known."""

    least: int | None = None
    most: int | None = None


@dataclass(frozen=True)
class Merge:
    """Clusters ``left`` and ``right`` (numbers of their first members) become one at ``similarity``."""

    similarity: float
    left: int
    right: int


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1, float64; a row of zeros stays."""
    import numpy as np

    rows = vectors.astype(np.float64)
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1.0))


def average_linkage(sums: np.ndarray, sizes: np.ndarray, threshold: float) -> list[Merge]:
    """Merges down to ``threshold``, most similar first.

    ``sums``: sum of the unit vectors of each cluster, ``(n, d)``; ``sizes``: number of vectors in each.
    Nearest-neighbour chains: with average linkage a merge never brings others nearer than they were, so a cluster
    whose nearest one is below the threshold is finished, and chains find the same tree as a search for the maximum.
    """
    import numpy as np

    count = len(sums)
    merges: list[Merge] = []
    if count < 2:
        return merges
    similarity = (sums @ sums.T / np.outer(sizes, sizes)).astype(np.float32)
    np.fill_diagonal(similarity, -np.inf)
    weights = sizes.astype(np.float64).copy()
    alive = np.ones(count, dtype=bool)
    chain: list[int] = []
    next_start = 0
    while True:
        if not chain:
            while next_start < count and not alive[next_start]:
                next_start += 1
            if next_start == count:
                break
            chain.append(next_start)
        last = chain[-1]
        nearest = int(similarity[last].argmax())
        value = float(similarity[last, nearest])
        if len(chain) > 1 and similarity[last, chain[-2]] >= value:
            nearest = chain[-2]
            value = float(similarity[last, nearest])
            chain.pop()
            chain.pop()
            left, right = min(last, nearest), max(last, nearest)
            merges.append(Merge(value, left, right))
            total = weights[left] + weights[right]
            row = (similarity[left] * weights[left] + similarity[right] * weights[right]) / total
            row[[left, right]] = -np.inf
            weights[left] = total
            for dead, new in ((right, -np.inf), (left, row)):
                similarity[dead] = new
                similarity[:, dead] = new
            similarity[left, ~alive] = -np.inf
            alive[right] = False
        elif value < threshold:
            # Nothing that is left can ever come nearer: this cluster is finished, and so is the chain before it.
            alive[last] = False
            similarity[last] = -np.inf
            similarity[:, last] = -np.inf
            chain.pop()
        else:
            chain.append(nearest)
    return sorted(merges, key=lambda merge: (-merge.similarity, merge.left, merge.right))


def labels_of(count: int, merges: Sequence[Merge], threshold: float) -> np.ndarray:
    """Cluster of each of ``count`` items after all merges at or above ``threshold``; numbered by first member."""
    import numpy as np

    parent = list(range(count))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for merge in merges:
        if merge.similarity >= threshold:
            left, right = root(merge.left), root(merge.right)
            parent[max(left, right)] = min(left, right)
    _, labels = np.unique([root(index) for index in range(count)], return_inverse=True)
    return np.asarray(labels.reshape(-1))


def _summed(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    import numpy as np

    found = np.zeros((int(labels.max()) + 1, *values.shape[1:]), dtype=np.float64)
    np.add.at(found, labels, values)
    return found


class _Tree:
    """The two levels over the anchors of a recording, ready to be cut at any threshold."""

    def __init__(self, vectors: np.ndarray, starts: np.ndarray, lengths: np.ndarray, options: ClusterOptions) -> None:
        import numpy as np

        self._options = options
        self._vectors = vectors
        self._lengths = lengths
        self._micro = np.zeros(len(vectors), dtype=np.int64)
        known = 0
        blocks = starts // options.block
        for block in np.unique(blocks):
            here = np.flatnonzero(blocks == block)
            merges = average_linkage(vectors[here], np.ones(len(here)), options.block_threshold)
            labels = labels_of(len(here), merges, options.block_threshold)
            self._micro[here] = known + labels
            known += int(labels.max()) + 1
        self._sums = _summed(vectors, self._micro)
        self._sizes = np.bincount(self._micro).astype(np.float64)
        self._merges = average_linkage(self._sums, self._sizes, _LOWEST)

    def voices(self, threshold: float) -> np.ndarray:
        """Centroids (unit vectors) of the voices that a cut at ``threshold`` gives."""
        import numpy as np

        labels = labels_of(len(self._sums), self._merges, threshold)
        sums = _summed(self._sums, labels)
        seconds = _summed(self._lengths, labels[self._micro])
        sums, seconds = _merge_near(sums, seconds, self._options.same_centroid)
        least = max(self._options.least, self._options.least_share * float(self._lengths.sum()))
        keep = seconds >= least
        if not keep.any():
            keep[int(seconds.argmax())] = True
        kept = sums[keep]
        # What is too small for a voice of its own goes to its nearest one.
        for small in sums[~keep]:
            kept[int((unit(kept) @ small).argmax())] += small
        return unit(np.asarray(kept))


def _merge_near(sums: np.ndarray, seconds: np.ndarray, limit: float) -> tuple[np.ndarray, np.ndarray]:
    """Clusters whose centroids are nearer than ``limit`` become one, nearest first."""
    import numpy as np

    sums, seconds = sums.copy(), seconds.copy()
    while len(sums) > 1:
        centroids = unit(sums)
        near = centroids @ centroids.T
        np.fill_diagonal(near, -np.inf)
        left, right = sorted(divmod(int(near.argmax()), len(sums)))
        if near[left, right] < limit:
            break
        sums[left] += sums[right]
        seconds[left] += seconds[right]
        sums, seconds = np.delete(sums, right, axis=0), np.delete(seconds, right)
    return sums, seconds


_LOWEST = -0.2


def _thresholds(options: ClusterOptions) -> list[float]:
    """Cuts to try for a given number of voices: the usual one first, then ever farther from it."""
    steps = [round(0.01 * step, 2) for step in range(1, 60)]
    found = [options.threshold]
    for step in steps:
        found += [options.threshold - step, options.threshold + step]
    return [value for value in found if _LOWEST < value <= 0.75]


def _anchors(clean: np.ndarray, options: ClusterOptions) -> np.ndarray:
    """Numbers of the tracklets that voices are made from; ``clean``: samples of each."""
    import numpy as np

    found = np.arange(len(clean))
    for least in options.anchors:
        long_enough = np.flatnonzero(clean >= least)
        if len(long_enough):
            found = long_enough
        if clean[long_enough].sum() >= options.anchored * clean.sum():
            break
    return found


def find_voices(
    vectors: np.ndarray,
    starts: Sequence[int],
    clean: Sequence[int],
    lengths: Sequence[int],
    count: Count | None = None,
    options: ClusterOptions | None = None,
) -> np.ndarray:
    """Centroids of the voices in a recording: unit vectors ``(voices, d)``, in no particular order.

    ``vectors``: one a tracklet, centred, any length, ordered by time; ``starts``, ``clean``, ``lengths``: samples.
    With a ``count`` the cut nearest to the usual one is taken that gives it; where none does, the one that comes
    nearest to it.
    """
    import numpy as np

    options = options or ClusterOptions()
    count = count or Count()
    rows = unit(vectors)
    sizes, cleans = np.asarray(lengths, dtype=np.float64), np.asarray(clean)
    anchors = _anchors(cleans, options)
    if not len(anchors):
        return rows
    tree = _Tree(rows[anchors], np.asarray(starts)[anchors], sizes[anchors], options)
    found = tree.voices(options.threshold)
    least, most = count.least or 1, count.most or len(rows)
    if least <= len(found) <= most:
        return found
    finer = replace_block(options) if len(found) < least else options
    if finer is not options:
        tree = _Tree(rows[anchors], np.asarray(starts)[anchors], sizes[anchors], finer)
    best, distance = found, _distance(len(found), least, most)
    for threshold in _thresholds(finer):
        candidate = tree.voices(threshold)
        far = _distance(len(candidate), least, most)
        if far < distance:
            best, distance = candidate, far
        if not far:
            break
    return best


def replace_block(options: ClusterOptions) -> ClusterOptions:
    """Options that can part what the usual ones take for one voice.

    Parts of one person's speech are more alike than ``same_centroid`` here, two people are not: where more voices are
    asked for than there are people, nobody is cut into several.
    """
    from dataclasses import replace

    return replace(options, block_threshold=0.75, same_centroid=0.65)


def _distance(found: int, least: int, most: int) -> int:
    return max(0, least - found, found - most)
