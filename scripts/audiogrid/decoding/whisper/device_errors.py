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
# What the allocator of CTranslate2 4.8 leaves behind when a GPU is out of memory: CUDA keeps it as its last error, and
# the next kernel of Thrust takes it for its own. It is raised once, and has nothing to do with that kernel.
_LEFT_OVER = "cudaerrorinvaliddevice"
_GPU_ERRORS = ("cuda", "cublas", "cudnn", "gpu", "nvrtc")


class OutOfMemoryError(RetryableError):
    """A device has too little memory even for one window at a time."""


def is_out_of_memory(error: BaseException) -> bool:
    """Returns whether a smaller batch or compute type may help."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in _MEMORY_ERRORS)


def is_left_over(error: BaseException) -> bool:
    """Returns whether an error belongs to an earlier call that ran out of memory, so that the call is made again.

    Seen on an H100: half of a batch that had not fitted failed with "parallel_for failed: cudaErrorInvalidDevice".
    """
    return isinstance(error, RuntimeError) and _LEFT_OVER in str(error).lower()


def is_device_failure(error: BaseException) -> bool:
    """Returns whether the GPU is the cause of an error: it is lost, broken or out of memory."""
    if isinstance(error, OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in _GPU_ERRORS)
