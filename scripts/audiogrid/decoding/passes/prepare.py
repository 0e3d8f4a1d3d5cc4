"""Prepares the audio of chunks for the model, in threads of their own while a GPU is busy."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from audiogrid.core.timebase import to_samples
from audiogrid.decoding.options import DecodeOptions
from audiogrid.decoding.passes.levelling import frame_energies, level_speech
from audiogrid.decoding.passes.quiet_speech import add_quiet_speech, split_at
from audiogrid.decoding.windows import Layout, pack
from audiogrid.media.vad import speech_probabilities, speech_spans, trimmed, with_pads

Item = TypeVar("Item")
Value = TypeVar("Value")

# Chunks prepared in advance: on one core that takes longer than to decode them on a fast GPU with a small model (0.9
# and 0.6 s for five minutes, H100, base), so the worker's threads share it. More than threads evens out short ones.
CHUNKS_AHEAD = 5


@dataclass(frozen=True)
class Prepared:
    """Voice activity and windows of a chunk.

    ``audio``: what the windows are made of: the chunk's samples, with quiet speakers raised. ``features``: the model's
    input for each window.
    """

    audio: np.ndarray
    probabilities: np.ndarray
    speech: list[tuple[int, int]]
    layouts: list[Layout]
    features: list[np.ndarray]


def prepare(
    pcm: np.ndarray,
    options: DecodeOptions,
    features: Callable[[list[np.ndarray]], list[np.ndarray]],
) -> Prepared:
    """Returns voice activity, windows and features of a chunk; needs no model.

    Speech from a low threshold on is kept, and divided where it is not certain: people pause there, and a window that
    ends inside a sentence costs words at its edges (BENCHMARKS.md, "Passes and short windows").

    ``pcm``: int16 at 16 kHz. ``features``: turns the audio of windows into the model's input.
    """
    probabilities = speech_probabilities(pcm)
    voice = options.voice()
    without_pads = replace(voice, pad_ms=0)
    audio, levelled = pcm, options.levelling == "relative"
    if levelled:
        energies = frame_energies(pcm)
        probabilities, quiet = add_quiet_speech(pcm, energies, probabilities, without_pads)
    spans = speech_spans(probabilities, len(pcm), without_pads)
    if levelled:
        audio = level_speech(pcm, energies, split_at(spans, quiet))
    pad = to_samples(voice.pad_ms / 1000)
    parts = trimmed(spans, speech_spans(probabilities, len(pcm), without_pads.certain()), pad)
    layouts = pack(with_pads(parts, len(pcm), pad), parts, probabilities, to_samples(options.max_window_seconds))
    return Prepared(audio, probabilities, spans, layouts, features([layout.audio(audio) for layout in layouts]))


def map_ahead(
    function: Callable[[Item], Value], items: Iterable[Item], ahead: int = 0, threads: int = 1
) -> Iterator[tuple[Item, Value]]:
    """Yields every item with ``function(item)``, in order.

    ``ahead``: how many values are computed in advance, in so many ``threads``; 0: each is computed when it is asked
    for, in the caller's thread. An exception is raised where its item would have come.
    """
    if not ahead:
        for item in items:
            yield item, function(item)
        return
    pool = ThreadPoolExecutor(max(1, min(ahead, threads)), thread_name_prefix="prepare")
    waiting: deque[tuple[Item, Future[Value]]] = deque()
    try:
        for item in items:
            waiting.append((item, pool.submit(function, item)))
            if len(waiting) > ahead:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    finally:
        pool.shutdown(cancel_futures=True)
