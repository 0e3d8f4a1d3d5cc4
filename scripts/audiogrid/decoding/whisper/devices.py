"""The devices that a model can run on: the only way from decoding to drivers, CUDA libraries and the model loader."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from audiogrid.decoding.whisper import cuda_driver
from audiogrid.decoding.whisper.cuda_libraries import preload
from audiogrid.models.faster_whisper_adapter import load_whisper

AnyEngine = TypeVar("AnyEngine")


class Devices:
    """The devices of this machine. ``fault_injection.FaultyDevices`` takes its place in tests of failures.

    ``has_nvidia_smi``: whether nvidia-smi can list slices of divided GPUs.
    """

    has_nvidia_smi = True

    def has_driver(self) -> bool:
        """Returns whether NVIDIA's driver can be loaded; touches no GPU."""
        return cuda_driver.has_driver()

    def gpus(self) -> list[cuda_driver.Gpu]:
        """Returns the GPUs that CUDA would use in this process. Raises ``DriverError``."""
        return cuda_driver.visible_gpus()

    def load_cuda_libraries(self) -> None:
        """Loads the libraries that CTranslate2 needs on a GPU. Raises ``MissingLibraryError``."""
        preload()

    def compute_types(self, device: str) -> set[str]:
        """Returns the compute types of ``device`` (``cpu`` or ``cuda``), as CTranslate2 names them."""
        import ctranslate2

        return set(ctranslate2.get_supported_compute_types(device))

    def load_whisper(self, folder: Path, device: str, compute_type: str, threads: int) -> Any:
        """Returns faster-whisper's model. Raises what CTranslate2 raises."""
        return load_whisper(folder, device, compute_type, threads)

    def wrap_engine(self, engine: AnyEngine) -> AnyEngine:
        """Returns the engine to decode with."""
        return engine

    def before_chunk(self, chunk: str) -> None:
        """Called before work on a chunk that is not decoded: tests let it fail here."""
