"""NVIDIA's libraries, taken from their wheels, so that nobody has to set LD_LIBRARY_PATH.

CTranslate2 opens cuBLAS by name when the first matrix is multiplied on a GPU, long after its own import. A library
that the process holds already under that name is what it gets, so it is enough to load those of the wheels
first. (Its wheels of version 4.8 name no cuDNN: convolutions are done without it since 4.7.)
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from audiogrid.core.errors import InputError

LIBRARIES = ("libcublasLt.so.12", "libcublas.so.12")
"""What is needed, each after what it needs itself."""

REMEDY = "run .venv/bin/pip install -c constraints.txt -e '.[cuda]' in the clone"

_WHEELS = Path("nvidia") / "cublas" / "lib"


class MissingLibraryError(InputError):
    """A library without which no GPU can be used is neither installed as a wheel nor on the system."""


def _load(name: str) -> object:
    """Into the process, for everybody in it."""
    return ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)


def preload(
    folders: Iterable[Path] | None = None, load: Callable[[str], object] = _load, names: Iterable[str] = LIBRARIES
) -> list[str]:
    """Load cuBLAS from the installed wheels, else from wherever the system has it; answers with what was loaded.

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
            raise MissingLibraryError(f"{name} (NVIDIA cuBLAS) {found}: {error}; {REMEDY}") from error
        loaded.append(wanted)
    return loaded
