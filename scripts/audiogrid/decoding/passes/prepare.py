"""What is done to a chunk's audio before the model sees it, and how it is done while the model is busy."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from audiogrid.core.timebase import to_samples
from audiogrid.decoding.options import DecodeOptions
from audiogrid.decoding.windows import Layout, pack
from audiogrid.media.vad import speech_probabilities, speech_spans

Thing = TypeVar("Thing")
Made = TypeVar("Made")

# Chunks that are prepared ahead: one is enough to keep a GPU busy, a second evens out long and short ones.
AHEAD = 2


@dataclass(frozen=True)
class Prepared:
    """Voice activity and windows of a chunk; ``features``: the model's input for each window."""

    probabilities: np.ndarray
    speech: list[tuple[int, int]]
    layouts: list[Layout]
    features: list[np.ndarray]


def prepare(
    pcm: np.ndarray, options: DecodeOptions, features: Callable[[list[np.ndarray]], list[np.ndarray]]
) -> Prepared:
    """Everything that needs no model: ``pcm`` is int16 at 16 kHz, ``features`` makes the model's input of windows."""
    probabilities = speech_probabilities(pcm)
    voice = options.voice()
    padded = speech_spans(probabilities, len(pcm), voice)
    speech = speech_spans(probabilities, len(pcm), replace(voice, pad_ms=0))
    layouts = pack(padded, speech, probabilities, to_samples(options.max_window_seconds))
    return Prepared(probabilities, speech, layouts, features([layout.audio(pcm) for layout in layouts]))


def each_with(make: Callable[[Thing], Made], things: Iterable[Thing], ahead: int = 0) -> Iterator[tuple[Thing, Made]]:
    """Every thing with what ``make`` makes of it, in order.

    ``ahead``: so many are made in advance, one after the other in a thread, while the caller does something else; 0:
    each when it is asked for, in the caller's own thread.
    """
    if not ahead:
        for thing in things:
            yield thing, make(thing)
        return
    pool = ThreadPoolExecutor(1, thread_name_prefix="feeder")
    waiting: deque[tuple[Thing, Future[Made]]] = deque()
    try:
        for thing in things:
            waiting.append((thing, pool.submit(make, thing)))
            if len(waiting) > ahead:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    finally:
        pool.shutdown(cancel_futures=True)
