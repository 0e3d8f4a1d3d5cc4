"""How many windows the decoder searches at once in the memory that greedy search takes.

For every layer the decoder keeps a key and a value for each frame of the encoder's output and, once per beam, for each
token of context and text. The beams are put in a new order after every token: their tokens are in memory twice.
"""

from __future__ import annotations

from audiogrid.decoding.whisper.frame_merging import FRAMES, pairs_to_merge

# Tokens of a window of 30 s; quick speech has more.
_TOKENS = 120


def windows_at_once(batch_size: int, shape: tuple[int, ...], pairs: int, beam_size: int, context: int) -> int:
    """Returns how many windows may be searched at once, from 1 to ``batch_size``.

    They take about as much memory as ``batch_size`` windows of 30 s take in the fast pass: two with five beams, all
    frames and 208 tokens of context take that of eight (base: 300 MB). ``shape``: of each window's encoder output, of
    which ``pairs`` are merged; ``context``: tokens before each text.
    """
    _, frames, width = shape
    room = batch_size * _kept(FRAMES, pairs_to_merge((1, FRAMES, width), -1), 1, 0)
    return max(1, min(batch_size, int(room / _kept(frames, pairs, beam_size, context) + 0.5)))


def _kept(frames: int, pairs: int, beam_size: int, context: int) -> float:
    """Returns the frames and tokens that are kept for a window."""
    return frames - pairs + 2 * beam_size * (context + _TOKENS * frames / FRAMES)
