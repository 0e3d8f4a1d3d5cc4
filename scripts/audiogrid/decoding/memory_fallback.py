"""An engine that goes on with less when a device runs out of memory.

First ``Model`` halves the number of windows at once, down to one. Then a smaller compute type is tried, unless the
user named one; then the CPU, unless the user named a GPU. Finished chunks stay finished, unfinished ones start again,
and the batch size that fitted is kept for the next job.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audiogrid.core.errors import InputError
from audiogrid.decoding.engine import ChunkAudio, Engine
from audiogrid.decoding.known_words import KnownText
from audiogrid.decoding.options import DecodeOptions
from audiogrid.decoding.whisper.batch_size_cache import read_batch_size, write_batch_size
from audiogrid.decoding.whisper.compute_type import (
    CPU_BATCH,
    batch_that_fits,
    check_type,
    choose_type,
    smaller_types,
    supported_types,
)
from audiogrid.decoding.whisper.cuda_driver import Gpu
from audiogrid.decoding.whisper.device_access import device_access
from audiogrid.decoding.whisper.device_errors import OutOfMemoryError, is_out_of_memory
from audiogrid.decoding.whisper.weights import model_size
from audiogrid.records.aligned import AlignedChunk
from audiogrid.records.results import ChunkResult


@dataclass(frozen=True)
class EngineSettings:
    """How an engine is to be set up.

    ``device``: ``cpu`` or ``cuda``; ``compute_type``: a name or ``auto``; ``batch_size``: 0 = choose;
    ``may_use_cpu``: whether the CPU may stand in for a GPU without room; ``sharers``: processes that share the GPU.
    """

    device: str
    compute_type: str = "auto"
    threads: int = 1
    batch_size: int = 0
    may_use_cpu: bool = False
    sharers: int = 1


class AdaptiveEngine:
    """Decodes like ``Engine``, on what turns out to work.

    ``adapted``: sentences that say what was reduced, in order. Raises ``InputError`` for a compute type that the
    device lacks, ``OutOfMemoryError`` when nothing is left to try.
    """

    def __init__(self, model_dir: Path, settings: EngineSettings) -> None:
        self._folder = Path(model_dir)
        self._settings = settings
        self._size = model_size(self._folder)
        self._reductions: list[str] = []
        self._gpu: Gpu | None = None
        self._first_batch_size = 0
        self._engine: Engine | None = None
        self._open(settings.device, settings.compute_type)

    @property
    def gpu(self) -> Gpu | None:
        """The GPU that is used, as it was before the model was loaded."""
        return self._gpu

    @property
    def device(self) -> str:
        """``cpu`` or ``cuda``: what it turned out to be."""
        return self._current.device

    @property
    def compute_type(self) -> str:
        """What it turned out to be."""
        return self._current.compute_type

    def encoder_name(self, wanted: str) -> str:
        """Returns what the option ``encoder`` became on the present device."""
        return self._current.encoder_name(wanted)

    @property
    def batch_size(self) -> int:
        """Windows that are decoded at once, at this moment."""
        return self._current.batch_size

    @property
    def adapted(self) -> list[str]:
        """What was reduced so far, in sentences."""
        return [*self._reductions, *(self._current.adapted if self._engine else [])]

    @property
    def _current(self) -> Engine:
        assert self._engine is not None
        return self._engine

    def decode(self, chunks: Sequence[ChunkAudio]) -> Iterator[tuple[int, ChunkResult]]:
        """Yields results with the index of their chunk, as ``Engine.decode``; none is lost or made twice."""
        left = dict(enumerate(chunks))
        while left:
            order = list(left)
            cause = ""
            try:
                for position, result in self._current.decode(list(left.values())):
                    del left[order[position]]
                    yield order[position], result
            except OutOfMemoryError as error:
                cause = str(error)
            if not cause:
                break
            # Not in the handler: its traceback would keep the old model in memory.
            self._step_down(cause)
        self._remember()

    def align(self, pcm: np.ndarray, asked: KnownText, options: DecodeOptions) -> AlignedChunk:
        """Returns what ``Engine.align`` does."""
        while True:
            cause = ""
            try:
                return self._current.align(pcm, asked, options)
            except OutOfMemoryError as error:
                cause = str(error)
            self._step_down(cause)

    def _open(self, device: str, compute_type: str) -> None:
        """Loads the model, with a smaller compute type or on the CPU if necessary."""
        supported = supported_types(device)
        check_type(compute_type, device, supported, self._folder)
        self._gpu = device_access().gpus()[0] if device == "cuda" else None
        free = self._free(self._gpu) if self._gpu else None
        chosen = choose_type(device, supported, self._size, free) if compute_type == "auto" else compute_type
        self._load(device, chosen)

    def _free(self, gpu: Gpu) -> int:
        """Returns the bytes of a GPU's memory that this process may count on: the others start at the same time."""
        return gpu.free // self._settings.sharers

    def _load(self, device: str, compute_type: str) -> None:
        cause = ""
        try:
            self._engine = Engine(
                self._folder,
                device=device,
                compute_type=compute_type,
                threads=self._settings.threads,
                batch_size=self._first_batch(device, compute_type),
            )
            self._first_batch_size = self._engine.batch_size
        except (RuntimeError, MemoryError, OutOfMemoryError) as error:
            if not isinstance(error, OutOfMemoryError) and not is_out_of_memory(error):
                raise
            cause = str(error) or type(error).__name__
        if cause:
            self._step_from(device, compute_type, cause)

    def _first_batch(self, device: str, compute_type: str) -> int:
        if device == "cpu" or self._gpu is None:
            return self._settings.batch_size or CPU_BATCH
        known = read_batch_size(self._gpu, self._size, compute_type)
        wanted = self._settings.batch_size or max(1, batch_that_fits(self._size, compute_type, self._free(self._gpu)))
        return min(wanted, known) if known else wanted

    def _step_down(self, cause: str) -> None:
        """Replaces the engine by one that needs less memory."""
        device, compute_type = self._current.device, self._current.compute_type
        self._reductions = self.adapted
        self._current.close()
        self._engine = None
        gc.collect()
        self._step_from(device, compute_type, cause)

    def _step_from(self, device: str, compute_type: str, cause: str) -> None:
        """Loads with the next smaller type, or else on the CPU, or else raises ``OutOfMemoryError``."""
        named = self._settings.compute_type
        smaller = []
        if named == "auto":
            smaller = smaller_types(device, supported_types(device), compute_type, self._size)
        if smaller:
            self._reductions.append(f"{compute_type} on {self._where(device)}: {cause}; went on with {smaller[0]}")
            self._load(device, smaller[0])
        elif device == "cuda" and self._settings.may_use_cpu:
            self._reductions.append(f"{compute_type} on {self._where(device)}: {cause}; went on with the CPU")
            try:
                self._open("cpu", named)
            except InputError as error:
                raise OutOfMemoryError(f"{self._reductions[-1]}, but {error}") from error
        else:
            raise OutOfMemoryError(
                f"{self._where(device)} has no memory left, even for one window at a time as {compute_type}: {cause}; "
                + self._advice(device)
            )

    def _where(self, device: str) -> str:
        return str(self._gpu) if device == "cuda" and self._gpu else "the CPU"

    def _advice(self, device: str) -> str:
        if device == "cpu":
            return "ask for more memory, fewer workers: {processes}, or a smaller model"
        smaller = "" if self._settings.compute_type == "auto" else "compute_type: auto, "
        return f"use {smaller}a smaller model, device: auto (which may go on with the CPU), or a GPU that is free"

    def _remember(self) -> None:
        """Keeps the batch size that fitted, if it is smaller than the first one."""
        if self._gpu and self._current.device == "cuda" and self._current.batch_size < self._first_batch_size:
            self._first_batch_size = self._current.batch_size
            write_batch_size(self._gpu, self._size, self._current.compute_type, self._first_batch_size)


def open_engine(model_dir: Path, settings: EngineSettings) -> AdaptiveEngine:
    """Returns an engine that is ready to decode. Raises as ``AdaptiveEngine`` does."""
    return device_access().wrap_engine(AdaptiveEngine(model_dir, settings))
