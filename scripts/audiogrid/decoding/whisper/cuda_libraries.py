"""Loads NVIDIA's libraries from their wheels, so that users need not set LD_LIBRARY_PATH.

CTranslate2 opens cuBLAS by name when it first multiplies matrices on a GPU, long after its own import. If the process
has already loaded a library of that name, CTranslate2 gets that one; so those of the wheels are loaded first. (The
wheels of CTranslate2 4.8 need no cuDNN: it is not used for convolutions since 4.7.)
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from audiogrid.core.errors import InputError
from audiogrid.core.extras import install_command

LIBRARIES = ("libcublasLt.so.12", "libcublas.so.12")
"""The libraries that are needed, in order of loading: each after those it depends on."""

_WHEELS = Path("nvidia") / "cublas" / "lib"


class MissingLibraryError(InputError):
    """A library that GPUs need is neither installed as a wheel nor on the system."""


def _load(name: str) -> object:
    """Loads a library with its symbols visible to the whole process."""
    return ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)


def preload(
    folders: Iterable[Path] | None = None, load: Callable[[str], object] = _load, names: Iterable[str] = LIBRARIES
) -> list[str]:
    """Loads cuBLAS from the installed wheels, or else from the system; returns what was loaded.

    ``folders``: site-packages to search (default: those of this Python). Raises ``MissingLibraryError``, with the
    name of the library and what to install.
    """
    places = [Path(entry) for entry in sys.path if entry] if folders is None else list(folders)
    loaded = []
    for name in names:
        wheel = next((place / _WHEELS / name for place in places if (place / _WHEELS / name).is_file()), None)
        wanted = str(wheel) if wheel else name
        try:
            load(wanted)
        except OSError as error:
            found = "cannot be loaded" if wheel else "is not installed"
            raise MissingLibraryError(
                f"{name} (NVIDIA cuBLAS) {found}: {error}; run {install_command('cuda')}"
            ) from error
        loaded.append(wanted)
    return loaded
