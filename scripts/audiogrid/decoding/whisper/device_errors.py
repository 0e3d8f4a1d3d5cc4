"""Telling memory that ran out, and devices that are gone, from other failures of CTranslate2."""

from __future__ import annotations

from audiogrid.core.errors import RetryableError

# CTranslate2 raises plain RuntimeErrors; what they are only their text says.
_FULL = ("out of memory", "bad_alloc", "cublas_status_alloc_failed", "failed to allocate", "cannot allocate memory")
_OF_THE_GPU = ("cuda", "cublas", "cudnn", "gpu", "nvrtc")


class OutOfMemoryError(RetryableError):
    """A device has no room left, however little is asked of it at once."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether asking for less may help."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in _FULL)


def is_device_failure(error: BaseException) -> bool:
    """Whether the GPU failed, not the audio: it is gone, broke, or has no room at all."""
    if isinstance(error, OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in _OF_THE_GPU)
