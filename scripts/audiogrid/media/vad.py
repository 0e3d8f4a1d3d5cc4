"""Finds speech: frame probabilities of a small neural detector, and spans made of them.

The network is Silero VAD v6 (MIT licence), the ONNX file that faster-whisper ships. It is run
here without importing faster-whisper, whose own caller needs the whole signal as floats at once
and costs 0.2 s of imports. The network takes a frame of 512 samples together with the last 64 samples
of the frame before, and carries an LSTM state from frame to frame. Both are kept from block to block
here, so that the result does not depend on how the signal is divided (bit for bit).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.models.faster_whisper_adapter import voice_model_path

FRAME = 512
"""Samples per probability: 32 ms."""

_CONTEXT = 64
_STATE = 128
# Frames per call of the network: 256 (8 s) take as long per frame as 2,000, in a fraction of the memory.
_BLOCK = 256


@dataclass(frozen=True)
class VoiceOptions:
    """How probabilities become spans of speech.

    Speech begins in the first frame at or above ``threshold`` and ends before the first frame
    below ``neg_threshold`` that is not followed, within ``min_silence_ms``, by another one at or
    above ``threshold``. Spans shorter than ``min_speech_ms`` are dropped; the others grow by
    ``pad_ms`` on both sides, but never into one another: neighbours share a short pause in the middle.
    """

    threshold: float = 0.5
    neg_threshold: float = 0.35
    min_silence_ms: int = 160
    min_speech_ms: int = 0
    pad_ms: int = 400

    def certain(self) -> VoiceOptions:
        """Returns the same options with the thresholds from which speech is certain, unless theirs are higher."""
        return replace(self, threshold=max(0.5, self.threshold), neg_threshold=max(0.35, self.neg_threshold))


@lru_cache(maxsize=1)
def _session() -> Any:
    """The network, on one thread: a call of 8 s of audio is too small to share out."""
    path = voice_model_path()
    import onnxruntime  # type: ignore[import-untyped]

    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = 1
    # The arena keeps its largest block for ever, for a gain within noise.
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"], sess_options=options)


class VoiceDetector:
    """Speech probabilities of one signal that arrives in pieces of any length."""

    def __init__(self) -> None:
        self._h = np.zeros((1, 1, _STATE), dtype=np.float32)
        self._c = np.zeros((1, 1, _STATE), dtype=np.float32)
        self._tail: np.ndarray = np.zeros(_CONTEXT, dtype=np.float32)
        self._rest: np.ndarray = np.zeros(0, dtype=np.int16)

    def feed(self, pcm: np.ndarray) -> np.ndarray:
        """Probabilities (float32) of the frames that ``pcm`` (int16 at 16 kHz, 1-D) completes."""
        pcm = np.concatenate([self._rest, pcm]) if len(self._rest) else pcm
        whole = len(pcm) // FRAME
        self._rest = pcm[whole * FRAME :].copy()
        found = [
            self._run(pcm[start * FRAME : min(start + _BLOCK, whole) * FRAME]) for start in range(0, whole, _BLOCK)
        ]
        return np.concatenate(found) if found else np.zeros(0, dtype=np.float32)

    def finish(self) -> np.ndarray:
        """Probability of the last, incomplete frame (filled up with silence), if there is one."""
        if not len(self._rest):
            return np.zeros(0, dtype=np.float32)
        return self.feed(np.zeros(FRAME - len(self._rest), dtype=np.int16))

    def _run(self, pcm: np.ndarray) -> np.ndarray:
        frames = (pcm.astype(np.float32) / 32768).reshape(-1, FRAME)
        before = np.vstack([self._tail, frames[:-1, -_CONTEXT:]])
        output, self._h, self._c = _session().run(
            None, {"input": np.hstack([before, frames]), "h": self._h, "c": self._c}
        )
        self._tail = frames[-1, -_CONTEXT:]
        return np.asarray(output, dtype=np.float32).reshape(-1)


def speech_probabilities(pcm: np.ndarray) -> np.ndarray:
    """Probability of speech in every 512-sample frame of a signal.

    ``pcm``: int16 at 16 kHz, shape ``(samples,)``. Returns float32, shape ``(ceil(samples / 512),)``;
    a last, incomplete frame is filled up with silence. Memory beside the arguments: a few MB.
    Cost: 65 ms of one core per minute of audio. Raises ``InputError`` when the model is missing.
    """
    detector = VoiceDetector()
    return np.concatenate([detector.feed(pcm), detector.finish()])


def speech_spans(probabilities: np.ndarray, samples: int, options: VoiceOptions | None = None) -> list[tuple[int, int]]:
    """Spans ``[start, end)`` of speech, in samples, increasing and disjoint.

    ``probabilities`` belong to a signal of ``samples`` samples. The rule is that of
    faster-whisper's ``get_speech_timestamps`` (after silero-vad) without its limit on length.
    """
    options = options or VoiceOptions()
    spans = _raw_spans(probabilities.tolist(), samples, options)
    return with_pads(spans, samples, options.pad_ms * SAMPLE_RATE // 1000)


def _raw_spans(probabilities: list[float], samples: int, options: VoiceOptions) -> list[tuple[int, int]]:
    min_silence = options.min_silence_ms * SAMPLE_RATE // 1000
    min_speech = options.min_speech_ms * SAMPLE_RATE // 1000
    spans: list[tuple[int, int]] = []
    start: int | None = None
    silent_from: int | None = None
    for index, probability in enumerate(probabilities):
        at = index * FRAME
        if probability >= options.threshold:
            silent_from = None
            if start is None:
                start = at
        elif start is not None and probability < options.neg_threshold:
            if silent_from is None:
                silent_from = at
            if at - silent_from >= min_silence:
                spans.append((start, silent_from))
                start = silent_from = None
    if start is not None:
        spans.append((start, samples))
    return [(begin, end) for begin, end in spans if end - begin > min_speech]


def trimmed(spans: list[tuple[int, int]], certain: list[tuple[int, int]], pad: int) -> list[tuple[int, int]]:
    """Returns the spans of ``certain`` speech, and the speech in ``spans`` that pads of ``pad`` samples do not reach.

    ``spans``: speech from a low threshold on, which holds all of ``certain``. Both in samples, without pads, increasing
    and disjoint; so is the result. With its pads it covers all of ``spans``. It has more gaps, at which audio can be
    divided into windows.
    """
    found: list[tuple[int, int]] = []
    at = 0
    for start, end in spans:
        while at < len(certain) and certain[at][1] <= start:
            at += 1
        reached = start
        while at < len(certain) and certain[at][0] < end:
            first, last = max(start, certain[at][0]), min(end, certain[at][1])
            begin = reached + (pad if reached > start else 0)
            if first - pad > begin:
                found.append((begin, first - pad))
            found.append((first, last))
            reached = last
            at += 1
        if reached == start:
            found.append((start, end))
        elif end > reached + pad:
            found.append((reached + pad, end))
    return found


def with_pads(spans: list[tuple[int, int]], samples: int, pad: int) -> list[tuple[int, int]]:
    """Returns ``spans`` of a signal of ``samples`` samples, grown by ``pad`` on both sides as in ``VoiceOptions``."""
    padded = list(spans)
    for index, (start, end) in enumerate(spans):
        before = spans[index - 1][1] if index else None
        after = spans[index + 1][0] if index + 1 < len(spans) else None
        # A pause too short for two pads is halved; the odd sample goes to the right-hand span.
        left = pad if before is None or start - before >= 2 * pad else start - before - (start - before) // 2
        right = pad if after is None or after - end >= 2 * pad else (after - end) // 2
        padded[index] = (max(0, start - left), min(samples, end + right))
    return padded
