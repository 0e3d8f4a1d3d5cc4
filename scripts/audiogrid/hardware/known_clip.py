"""Decodes a known clip in a child process, to check that this machine transcribes.

That a model can be loaded proves little: CTranslate2 on old drivers returned empty text without an error, and a
wrong cuDNN aborts the process. So the clip is really decoded, and in a process of its own.
"""

from __future__ import annotations

import difflib
import os
import platform
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from audiogrid.core.errors import RetryableError
from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.hardware.isolated_call import call_isolated

# The first 20 s of the sample recording "field_notes", and its whole text.
CLIP = Path(__file__).parent / "clip" / "known_clip.wav"
CLIP_TEXT = Path(__file__).parent / "clip" / "known_clip.txt"
# One window: enough for a check, and half a second of work for the base model.
CLIP_SECONDS = 20
# Share of the clip's words that even the smallest model finds.
MIN_LIKENESS = 0.75
# Fewer words than this mean a broken device: the whole clip is speech.
MIN_WORDS = 5


class Decoder(Protocol):
    """What this module uses of an engine."""

    @property
    def device(self) -> str: ...  # noqa: D102
    @property
    def compute_type(self) -> str: ...  # noqa: D102
    def decode(self, chunks: Any) -> Iterator[tuple[int, Any]]: ...  # noqa: D102


@dataclass(frozen=True)
class ClipResult:
    """The text of the clip. ``error``: why there is none. ``seconds``: of decoding; ``load_seconds``: of loading.

    ``gpu``: name, UUID and memory of the GPU, if one was used.
    """

    text: str = ""
    likeness: float = 0.0
    seconds: float = 0.0
    load_seconds: float = 0.0
    device: str = ""
    compute_type: str = ""
    gpu: str = ""
    error: str = ""

    @property
    def is_right(self) -> bool:
        """Whether enough of the words are right."""
        return not self.error and self.likeness >= MIN_LIKENESS


def likeness(text: str, reference: str) -> float:
    """Returns the share (0 to 1) of the words of ``text`` that begin ``reference``, in the same order.

    Numbers are left out: models write them in digits or in words.
    """
    heard, said = _words(text), _words(reference)
    # The clip ends somewhere in the reference, so only as many words and a few more are compared.
    said = said[: len(heard) + 5]
    if len(heard) < 10:
        return 0.0
    matched = sum(
        block.size for block in difflib.SequenceMatcher(None, heard, said, autojunk=False).get_matching_blocks()
    )
    return matched / len(heard)


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def read_clip() -> Any:
    """Returns the samples of the clip: int16 at 16 kHz, shape ``(CLIP_SECONDS * 16000,)``."""
    import wave

    import numpy as np

    with wave.open(str(CLIP), "rb") as file:
        return np.frombuffer(file.readframes(CLIP_SECONDS * SAMPLE_RATE), dtype="<i2")


def transcribe_clip(engine: Decoder, encoder: str = "auto") -> str:
    """Returns the text that a loaded model writes for the clip. ``encoder``: as in ``DecodeOptions``."""
    from audiogrid.decoding.engine import ChunkAudio
    from audiogrid.decoding.options import DecodeOptions

    pcm = read_clip()
    chunk = ChunkAudio(pcm, (0, len(pcm)), DecodeOptions(language="en", encoder=encoder))
    return " ".join(segment.text.strip() for _, result in engine.decode([chunk]) for segment in result.segments)


def check_model(engine: Decoder, encoder: str = "auto") -> None:
    """Raise ``RetryableError`` that names this machine when a loaded model finds nearly no words in the clip.

    The words themselves are not compared: a model may be for another language.
    """
    text = transcribe_clip(engine, encoder)
    if len(text.split()) < MIN_WORDS:
        raise RetryableError(
            f"{platform.node()} does not transcribe correctly: it reads {text!r} in {CLIP_SECONDS} s of speech "
            f"({engine.device}, {engine.compute_type}); run `audiogrid doctor` there, and keep jobs off it until then"
        )


def _decode(model_dir: str, device: str, compute_type: str, threads: int, gpu: str, warm: bool) -> dict[str, Any]:
    """Load the model and decode the clip; runs in the child process. Returns fields of ``ClipResult``."""
    if gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    try:
        from audiogrid.decoding.memory_fallback import AdaptiveEngine, EngineSettings

        began = time.perf_counter()
        engine = AdaptiveEngine(Path(model_dir), EngineSettings(device, compute_type, threads, batch_size=1))
        if warm:
            # A GPU loads its kernels when they are first used. That takes seconds, of the start, not of the speed.
            transcribe_clip(engine)
        loaded = time.perf_counter()
        text = transcribe_clip(engine)
        return {
            "text": text,
            "seconds": time.perf_counter() - loaded,
            "load_seconds": loaded - began,
            "device": engine.device,
            "compute_type": engine.compute_type,
            "gpu": str(engine.gpu or ""),
        }
    except Exception as error:
        return {"error": " ".join(f"{type(error).__name__}: {error}".split())}


def try_clip(
    model_dir: Path,
    device: str,
    compute_type: str,
    threads: int = 1,
    timeout: float = 300.0,
    gpu: str = "",
    *,
    warm: bool = False,
) -> ClipResult:
    """Decode the clip in a process of its own; a crash or a hang (``timeout`` seconds) becomes an ``error``.

    ``device``: ``cpu`` or ``cuda``; ``gpu``: the UUID of the one to use (default: the first that is visible).
    ``warm``: whether the clip is decoded once before, so that ``seconds`` tell the speed.
    """
    answer = call_isolated(_decode, (str(model_dir), device, compute_type, threads, gpu, warm), timeout)
    if "error" in answer:
        return ClipResult(error=answer["error"])
    return ClipResult(likeness=likeness(answer["text"], CLIP_TEXT.read_text()), **answer)
