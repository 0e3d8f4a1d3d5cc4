"""A known clip, decoded in a child process, as proof that a machine transcribes at all.

Loading a model proves little: wheels of CTranslate2 on old drivers gave empty text without an
error, and a wrong cuDNN ends the whole process. So the clip is decoded for real, far away from
the process that wants to know.
"""

from __future__ import annotations

import difflib
import os
import platform
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

from audiogrid.core.errors import RetryableError
from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.hardware.isolated_call import ask

# The first 20 s of the sample recording "field_notes", and its whole text.
CLIP = Path(__file__).parent / "clip" / "known_clip.wav"
CLIP_TEXT = Path(__file__).parent / "clip" / "known_clip.txt"
# One window: enough to know, and half a second of work for the base model.
CLIP_SECONDS = 20
# Share of the clip's words that even the smallest model finds.
ENOUGH = 0.75
# Words without which a device is broken: somebody speaks through all of the clip.
LEAST_WORDS = 5


class Decoder(Protocol):
    """What the clip is decoded with: an engine, as far as it matters here."""

    @property
    def device(self) -> str: ...  # noqa: D102
    @property
    def compute_type(self) -> str: ...  # noqa: D102
    def decode(self, chunks: Any) -> Iterator[tuple[int, Any]]: ...  # noqa: D102


@dataclass(frozen=True)
class ClipResult:
    """How it went. ``error``: why there is no text. ``seconds``: decoding alone; ``load_seconds``: the model.

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
        """Whether the words are those that were said."""
        return not self.error and self.likeness >= ENOUGH


def likeness(text: str, reference: str) -> float:
    """Share (0 to 1) of the words of ``text`` that stand in ``reference``'s beginning, in the same order.

    Numbers are left out: models write them in digits or in words.
    """
    heard, said = _words(text), _words(reference)
    # The clip ends somewhere in the reference; a few words more than were heard are given for comparison.
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
    """Int16 samples of the clip's first seconds, at 16 kHz."""
    import wave

    import numpy as np

    with wave.open(str(CLIP), "rb") as file:
        return np.frombuffer(file.readframes(CLIP_SECONDS * SAMPLE_RATE), dtype="<i2")


def hear_clip(engine: Decoder) -> str:
    """What a loaded model makes of the clip."""
    from audiogrid.decoding.engine import ChunkAudio
    from audiogrid.decoding.options import DecodeOptions

    pcm = read_clip()
    chunk = ChunkAudio(pcm, (0, len(pcm)), DecodeOptions(language="en"))
    return " ".join(segment.text.strip() for _, result in engine.decode([chunk]) for segment in result.segments)


def trust(engine: Decoder) -> None:
    """Raise ``RetryableError`` with this machine's name when a loaded model hears next to nothing in the clip.

    What exactly it hears is not judged here: a model may be for another language.
    """
    text = hear_clip(engine)
    if len(text.split()) < LEAST_WORDS:
        raise RetryableError(
            f"{platform.node()} is not to be trusted: of a clip with {CLIP_SECONDS} s of speech it reads {text!r} "
            f"({engine.device}, {engine.compute_type}); run scripts/doctor.py there, and keep jobs off it until then"
        )


def _decode(link: Connection, model_dir: str, device: str, compute_type: str, threads: int, gpu: str) -> None:
    """In the child: load, decode, answer with plain values."""
    if gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    answer: dict[str, Any]
    try:
        from audiogrid.decoding.memory_fallback import AdaptiveEngine, EngineSettings

        began = time.perf_counter()
        engine = AdaptiveEngine(Path(model_dir), EngineSettings(device, compute_type, threads, batch_size=1))
        loaded = time.perf_counter()
        text = hear_clip(engine)
        answer = {
            "text": text,
            "seconds": time.perf_counter() - loaded,
            "load_seconds": loaded - began,
            "device": engine.device,
            "compute_type": engine.compute_type,
            "gpu": str(engine.gpu or ""),
        }
    except Exception as error:
        answer = {"error": " ".join(f"{type(error).__name__}: {error}".split())}
    link.send(answer)


def try_clip(
    model_dir: Path, device: str, compute_type: str, threads: int = 1, patience: float = 300.0, gpu: str = ""
) -> ClipResult:
    """Decode the clip in a process of its own; a crash or a hang (``patience`` seconds) becomes an ``error``.

    ``device``: ``cpu`` or ``cuda``; ``gpu``: the UUID of the one to use (default: the first that is visible).
    """
    answer = ask(_decode, (str(model_dir), device, compute_type, threads, gpu), patience)
    if "error" in answer:
        return ClipResult(error=answer["error"])
    return ClipResult(likeness=likeness(answer["text"], CLIP_TEXT.read_text()), **answer)
