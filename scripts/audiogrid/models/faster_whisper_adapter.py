"""The one module that uses faster-whisper, so that a new version of it is checked in one place.

faster-whisper's public classes decode whole files. audiogrid decodes windows, and for that it needs parts that
faster-whisper neither documents nor promises to keep: token suppression, word alignment, the merging of punctuation,
its tokenizer and the voice activity network in its package. ``KNOWN_VERSIONS`` names the versions in which these parts
were checked (``tests/unit/models/test_faster_whisper_adapter.py``).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audiogrid.core.errors import InputError

KNOWN_VERSIONS = ("1.2.1",)

_VOICE_MODEL = Path("assets") / "silero_vad_v6.onnx"
_OPENING = "\"'“¿([{-"
_CLOSING = "\"'.。,，!！?？:：”)]}、"


def load_whisper(folder: Path, device: str, compute_type: str, threads: int) -> Any:
    """Returns faster-whisper's ``WhisperModel``. Raises what CTranslate2 raises (``ValueError``, ``RuntimeError``)."""
    from faster_whisper import WhisperModel

    return WhisperModel(
        str(folder), device=device, compute_type=compute_type, cpu_threads=threads, local_files_only=True
    )


def make_tokenizer(whisper: Any, multilingual: bool, language: str, task: str) -> Any:
    """Returns faster-whisper's tokenizer for a language and a task."""
    from faster_whisper.tokenizer import Tokenizer

    return Tokenizer(whisper.hf_tokenizer, multilingual, task=task, language=language)


def pad_features(features: np.ndarray) -> np.ndarray:
    """Returns a log-mel spectrogram padded or cut to 30 s, shape ``(mels, 3000)``."""
    from faster_whisper.audio import pad_or_trim

    return np.asarray(pad_or_trim(features))


def suppressed_tokens(tokenizer: Any, wanted: Sequence[int]) -> list[int]:
    """Returns the tokens that must not be generated; -1 in ``wanted`` stands for the tokens of non-speech symbols."""
    from faster_whisper.transcribe import get_suppressed_tokens

    return list(get_suppressed_tokens(tokenizer, list(wanted)))


def align_words(whisper: Any, tokenizer: Any, tokens: Sequence[int], encoded: Any, frames: int) -> list[dict[str, Any]]:
    """Returns words with ``start`` and ``end`` in seconds, ``word``, ``tokens`` and ``probability``.

    Alignment is dynamic time warping over cross-attention. ``encoded``: encoder output of one window, as a
    ``StorageView``; ``frames``: its length in frames of 10 ms.
    """
    (found,) = whisper.find_alignment(tokenizer, [list(tokens)], encoded, frames)
    return list(found)


def force_tokens(
    whisper: Any, tokenizer: Any, tokens: Sequence[int], encoded: Any, frames: int, prompt: Sequence[int] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Returns when each token begins, and the end of the last (seconds, shape ``(tokens + 1,)``), and probabilities.

    As ``find_alignment`` of faster-whisper computes them, but for tokens that a caller has grouped, and without its
    median filter over 0.14 s. Measured with Whisper base on 837 synthesised words spelt in characters: starts within
    0.1 s of the truth 93.1 % with the filter and 95.2 % without it, which also takes a quarter less time.
    ``encoded`` and ``frames``: as for ``align_words``. ``prompt``: tokens of a text before, as decoding takes them.
    """
    start = [tokenizer.sot_prev, *prompt, *tokenizer.sot_sequence] if prompt else tokenizer.sot_sequence
    (found,) = whisper.model.align(encoded, start, [list(tokens)], frames, median_filter_width=1)
    pairs = np.array(found.alignments, dtype=np.int64).reshape(-1, 2)
    begins = np.pad(np.diff(pairs[:, 0]), (1, 0), constant_values=1).astype(bool)
    starts = pairs[begins, 1] / whisper.tokens_per_second
    # Every token has a place in the path; the path ends with that of the end of the text.
    starts = np.pad(starts, (0, max(0, len(tokens) + 1 - len(starts))), mode="edge")[: len(tokens) + 1]
    return starts, np.asarray(found.text_token_probs, dtype=np.float64)[: len(tokens)]


def merge_punctuation(words: list[dict[str, Any]]) -> None:
    """Joins punctuation in ``words``, in place, to the word it belongs to; its own entry becomes empty."""
    from faster_whisper.transcribe import merge_punctuations

    merge_punctuations(words, _OPENING, _CLOSING)


def voice_model_path() -> Path:
    """Returns the ONNX file of Silero VAD v6. Does not import faster-whisper, which takes 0.2 s.

    Raises ``InputError`` when faster-whisper or the file is missing.
    """
    spec = importlib.util.find_spec("faster_whisper")
    if spec is None or not spec.submodule_search_locations:
        raise InputError("faster-whisper is not installed: install this project's dependencies again")
    path = Path(spec.submodule_search_locations[0]) / _VOICE_MODEL
    if not path.is_file():
        raise InputError(f"{path} is missing (voice activity model): reinstall faster-whisper {KNOWN_VERSIONS[-1]}")
    return path
