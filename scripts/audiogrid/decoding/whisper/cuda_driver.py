"""Asks NVIDIA's driver for the GPUs that this process may use.

It is asked through its own library, because only that counts and orders GPUs exactly as CUDA will: within
CUDA_VISIBLE_DEVICES, with slices of a divided GPU (MIG) as devices of their own. Names of functions and numbers are
those of the CUDA Driver API (12.x reference). The driver keeps memory of the device until the process ends: ask in a
process that will use the GPU, or that ends soon.

Why not nvidia-ml-py: NVML lists the GPUs of the node in the order of the PCI bus, whatever CUDA_VISIBLE_DEVICES and
CUDA_DEVICE_ORDER say, and knows neither which of them CUDA will use nor what is free in its context. It could replace
the listing of slices (``hardware/node_share.py``) only, for about as many lines.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

from audiogrid.core.errors import RetryableError

LIBRARY = "libcuda.so.1"
# CTranslate2's wheels are built with CUDA 12; every driver of that generation runs them, no older one does.
LEAST_CUDA = (12, 0)
LEAST_DRIVER = "525.60"

_SUCCESS = 0
_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76
# The errors that users meet, explained; the driver has names for the others.
_CAUSES = {
    2: "the GPU is out of memory",
    3: "the driver is shutting down",
    100: "the driver finds no GPU that this process may use",
    101: "the GPU in CUDA_VISIBLE_DEVICES does not exist",
    214: "the GPU reports an uncorrectable memory (ECC) error",
    802: "the system is not ready (fabric manager?)",
    803: "the driver's kernel module and its library are of different versions (reboot after an update?)",
    804: "the driver is too old for the CUDA compatibility library beside it",
    999: "the driver fails for a reason it does not know",
}


class DriverError(RetryableError):
    """The driver, or a GPU, does not answer as it should."""


@dataclass(frozen=True)
class Gpu:
    """A GPU, or a slice of one. ``uuid``: as CUDA_VISIBLE_DEVICES takes it. Memory in bytes, ``free`` just now."""

    uuid: str
    name: str
    capability: tuple[int, int]
    total: int
    free: int

    def __str__(self) -> str:
        """Name, UUID and memory, for messages."""
        return f"{self.name} ({self.uuid}, {self.free / 1e9:.1f} of {self.total / 1e9:.1f} GB free)"


def has_driver() -> bool:
    """Returns whether the driver's library can be loaded (cheap, and touches no GPU)."""
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        return False
    return True


def visible_gpus(library: Any = None) -> list[Gpu]:
    """Returns the GPUs that CUDA would use in this process, in its order.

    ``library``: used in place of the driver's. Raises ``DriverError`` with the cause: no driver, a driver too old for
    CTranslate2, a GPU that does not answer.
    """
    try:
        cuda = library or ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise DriverError(f"there is no NVIDIA driver here ({error})") from error
    driver = _Driver(cuda)
    # The version can be asked for even where nothing else works.
    version = driver.number("cuDriverGetVersion")
    check_version((version // 1000, version % 1000 // 10))
    driver.call("cuInit", 0)
    return [driver.gpu(index) for index in range(driver.number("cuDeviceGetCount"))]


def check_version(version: tuple[int, int]) -> None:
    """Raises ``DriverError`` when a driver that knows CUDA ``version`` is too old for CTranslate2."""
    if version >= LEAST_CUDA:
        return
    known, needed = (".".join(map(str, pair)) for pair in (version, LEAST_CUDA))
    raise DriverError(
        f"the NVIDIA driver is too old for the libraries: it knows CUDA {known}, CTranslate2 needs {needed} "
        f"(driver {LEAST_DRIVER} or newer)"
    )


class _Driver:
    """Calls of the driver's library, with errors as exceptions."""

    def __init__(self, cuda: Any) -> None:
        self._cuda = cuda

    def call(self, name: str, *arguments: Any) -> None:
        code = int(getattr(self._cuda, name)(*arguments))
        if code == _SUCCESS:
            return
        text = ctypes.c_char_p()
        known = _CAUSES.get(code)
        if known is None and self._cuda.cuGetErrorString(code, ctypes.byref(text)) == _SUCCESS and text.value:
            known = text.value.decode(errors="replace")
        raise DriverError(f"{known or 'unknown error'} ({name} answers {code})")

    def number(self, name: str, *arguments: Any) -> int:
        value = ctypes.c_int()
        self.call(name, ctypes.byref(value), *arguments)
        return value.value

    def gpu(self, index: int) -> Gpu:
        device = self.number("cuDeviceGet", index)
        name = ctypes.create_string_buffer(256)
        self.call("cuDeviceGetName", name, len(name), device)
        text = name.value.decode(errors="replace")
        uuid = (ctypes.c_ubyte * 16)()
        # The second version tells slices of one GPU apart.
        self.call("cuDeviceGetUuid_v2", ctypes.byref(uuid), device)
        major = self.number("cuDeviceGetAttribute", _CAPABILITY_MAJOR, device)
        minor = self.number("cuDeviceGetAttribute", _CAPABILITY_MINOR, device)
        free, total = self._memory(device)
        return Gpu(spell_uuid(bytes(uuid), is_slice=" MIG " in f"{text} "), text, (major, minor), total, free)

    def _memory(self, device: int) -> tuple[int, int]:
        context = ctypes.c_void_p()
        self.call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        try:
            self.call("cuCtxPushCurrent_v2", context)
            free, total = ctypes.c_size_t(), ctypes.c_size_t()
            self.call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
            self.call("cuCtxPopCurrent_v2", ctypes.byref(ctypes.c_void_p()))
        finally:
            self.call("cuDevicePrimaryCtxRelease_v2", device)
        return free.value, total.value


def spell_uuid(raw: bytes, *, is_slice: bool) -> str:
    """Returns a UUID of 16 bytes as nvidia-smi and CUDA_VISIBLE_DEVICES spell it."""
    digits = raw.hex()
    parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return ("MIG-" if is_slice else "GPU-") + "-".join(parts)
