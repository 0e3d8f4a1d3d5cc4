"""Merges similar neighbouring encoder frames, so that the decoder has less to read for every token.

For every token that it writes, the decoder reads all 1,500 frames (20 ms each) of a window: 37 MB with Whisper base,
and on a CPU memory is the bottleneck. Two neighbours are mostly alike: with 650 of the 750 pairs merged into
their means, greedy search takes two thirds of the time and 57 % of the memory (`benchmarks/model.py`), and on seven
sets of ten minutes (four languages, a telephone line, noise, a quiet recording) as many words were wrong as with all
frames (`benchmarks/decoding.py --set merged_pairs=0`). The choice of pairs
matters: with all 750 merged, some windows of the quiet recording stayed empty. A few frames that differ from their
neighbours decide whether the model finds speech at all.

The idea is token merging (Bolya et al. 2023, "Token Merging: Your ViT But Faster"), applied once, after the encoder.
"""

from __future__ import annotations

import numpy as np

FRAMES = 1500
"""Of the encoder's output for 30 s."""

_PAIRS = 650
# The widest model (base: 512, tiny: 384) with which merging has been measured to cost no accuracy.
_MEASURED_WIDTH = 512


def pairs_to_merge(shape: tuple[int, ...], wanted: int, device: str = "cpu") -> int:
    """Returns the pairs of frames to merge in an encoder output of ``shape``: ``(1, frames, width)``.

    ``wanted``: the option, for 1,500 frames, -1 = choose; of fewer frames as large a share is merged. The memory of a
    GPU is fast: merging, which the CPU does, would take longer than it saves.
    """
    _, frames, width = shape
    if wanted < 0:
        wanted = _PAIRS if width <= _MEASURED_WIDTH and device == "cpu" else 0
    return wanted * frames // FRAMES


def merge_frames(encoded: np.ndarray, pairs: int) -> np.ndarray:
    """Returns an encoder output of shape ``(1, frames, width)`` with its ``pairs`` most similar pairs of frames merged.

    Pairs are frames 0 and 1, 2 and 3, and so on; a merged one is the mean of both, in their place. Shape of the result:
    ``(1, frames - pairs, width)``. Similarity is the cosine of the angle between both.
    """
    if not pairs:
        return encoded
    frames = encoded[0].astype(np.float32)
    first, second = frames[0::2], frames[1::2]
    size = (first * first).sum(axis=1) * (second * second).sum(axis=1)
    similarity = (first * second).sum(axis=1) / np.sqrt(np.maximum(size, 1e-12))
    merged = np.argsort(-similarity, kind="stable")[:pairs]
    result = frames.copy()
    result[2 * merged] = (first[merged] + second[merged]) * np.float32(0.5)
    kept = np.ones(len(frames), bool)
    kept[2 * merged + 1] = False
    return np.asarray(result[kept][np.newaxis], dtype=encoded.dtype)
