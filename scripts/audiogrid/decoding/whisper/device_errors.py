"""Tells out-of-memory errors and lost devices from other failures of CTranslate2."""

from __future__ import annotations

from audiogrid.core.errors import RetryableError

# CTranslate2 raises plain RuntimeErrors; only their text tells them apart.
_MEMORY_ERRORS = (
    "out of memory",
    "bad_alloc",
    "cublas_status_alloc_failed",
    "failed to allocate",
    "cannot allocate memory",
)
_GPU_ERRORS = ("cuda", "cublas", "cudnn", "gpu", "nvrtc")


class OutOfMemoryError(RetryableError):
    """A device has too little memory even for one window at a time."""


def is_out_of_memory(error: BaseException) -> bool:
    """Returns whether a smaller batch or compute type may help."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in _MEMORY_ERRORS)


def is_device_failure(error: BaseException) -> bool:
    """Returns whether the GPU is the cause of an error: it is lost, broken or out of memory."""
    if isinstance(error, OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in _GPU_ERRORS)
