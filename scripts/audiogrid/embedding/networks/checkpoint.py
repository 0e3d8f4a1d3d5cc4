"""Reads the tensors of a PyTorch checkpoint without PyTorch and without running anything in it.

Such a file is a ZIP archive: ``<name>/data.pkl`` (a pickle) and one raw file per storage. A pickle is a program that
may call any function. Here its opcodes are checked against a list first; the only functions it then reaches are an
ordered dictionary and a constructor of NumPy views. Every other class becomes an inert object.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiogrid.core.errors import InputError

if TYPE_CHECKING:
    import numpy as np

#: The pickle of a checkpoint describes its tensors only: 133 kB in the larger of the two.
LARGEST_PICKLE = 4 << 20
#: Bytes of all storages together.
LARGEST_CHECKPOINT = 1 << 30

# Everything that `torch.save` writes for nested dictionaries of tensors. What is not here (INST, OBJ, EXT1,
# NEXT_BUFFER, ...) has no place in a checkpoint.
_OPCODES = frozenset(
    """PROTO FRAME STOP MARK EMPTY_DICT EMPTY_TUPLE EMPTY_LIST TUPLE TUPLE1 TUPLE2 TUPLE3 SETITEM SETITEMS APPEND
    APPENDS NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT BINUNICODE SHORT_BINUNICODE GLOBAL REDUCE BUILD
    NEWOBJ BINPERSID BINPUT LONG_BINPUT MEMOIZE BINGET LONG_BINGET""".split()
)
_DTYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "BoolStorage": "?",
}


class _Inert:
    """Stands for a class that is not needed: takes any arguments and any state, and does nothing with them."""

    def __init__(self, *arguments: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


class _StorageType:
    def __init__(self, dtype: str) -> None:
        self.dtype = dtype

    def __call__(self, *arguments: object) -> object:
        raise pickle.UnpicklingError("a storage type is not a function")


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_rest: object) -> np.ndarray:
    """A view of a storage. Raises ``UnpicklingError`` where it would reach outside of it."""
    import numpy as np

    numbers = [offset, *shape, *strides]
    if not isinstance(storage, np.ndarray) or any(type(number) is not int or number < 0 for number in numbers):
        raise pickle.UnpicklingError("a tensor is not described by a storage and whole numbers")
    if len(shape) != len(strides) or len(shape) > 8:
        raise pickle.UnpicklingError("a tensor has another number of sizes than of strides")
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if math.prod(shape) > storage.size or (math.prod(shape) and last >= storage.size):
        raise pickle.UnpicklingError("a tensor is larger than its storage")
    bytes_per_step = [stride * storage.itemsize for stride in strides]
    view = np.lib.stride_tricks.as_strided(storage[offset:], shape, bytes_per_step, writeable=False)
    return np.ascontiguousarray(view)


class _TensorReader(pickle.Unpickler):
    def __init__(self, data: bytes, archive: zipfile.ZipFile, prefix: str) -> None:
        super().__init__(io.BytesIO(data))
        self._archive = archive
        self._prefix = prefix
        self._storages: dict[str, np.ndarray] = {}

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for a class or function that the pickle names; nothing is imported."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in _DTYPES:
            return _StorageType(_DTYPES[name])
        return _Inert

    def persistent_load(self, pid: Any) -> np.ndarray:
        """The raw numbers of a storage, read from the archive."""
        import numpy as np

        if not isinstance(pid, tuple) or len(pid) != 5 or pid[0] != "storage" or not isinstance(pid[1], _StorageType):
            raise pickle.UnpicklingError("an object is stored that is not a tensor's storage")
        _, kind, key, _, _ = pid
        if key not in self._storages:
            data = self._archive.read(f"{self._prefix}data/{key}")
            self._storages[key] = np.frombuffer(data, dtype=kind.dtype)
        return self._storages[key]


def _check_opcodes(data: bytes) -> None:
    """Raises ``UnpicklingError`` on an opcode that no checkpoint needs, or a memo index that would take memory."""
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name not in _OPCODES:
            raise pickle.UnpicklingError(f"it uses the pickle operation {opcode.name}")
        if opcode.name in ("BINPUT", "LONG_BINPUT") and int(str(argument)) > len(data):
            raise pickle.UnpicklingError("it asks for more memory than it can need")


def _arrays(value: Any, prefix: str = "") -> dict[str, np.ndarray]:
    """All tensors in nested dictionaries; keys are joined by dots."""
    import numpy as np

    found: dict[str, np.ndarray] = {}
    if not isinstance(value, dict):
        return found
    for key, inner in value.items():
        name = f"{prefix}{key}"
        if isinstance(inner, np.ndarray):
            found[name] = inner
        else:
            found.update(_arrays(inner, f"{name}."))
    return found


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """All tensors of a checkpoint by name; names inside nested dictionaries are joined by dots.

    Raises ``InputError`` when the file is no checkpoint, is damaged, or holds a pickle that tries anything else than
    to describe tensors.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if sum(entry.file_size for entry in entries) > LARGEST_CHECKPOINT:
                raise pickle.UnpicklingError("it unpacks to more than a checkpoint of this kind can hold")
            pickles = [entry for entry in entries if entry.filename.endswith("/data.pkl")]
            if len(pickles) != 1 or pickles[0].file_size > LARGEST_PICKLE:
                raise pickle.UnpicklingError("it does not hold exactly one small data.pkl")
            data = archive.read(pickles[0])
            _check_opcodes(data)
            return _arrays(_TensorReader(data, archive, pickles[0].filename.removesuffix("data.pkl")).load())
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        EOFError,
        RecursionError,
        MemoryError,
        OverflowError,
        NotImplementedError,
        zipfile.BadZipFile,
        pickle.UnpicklingError,
    ) as error:
        raise InputError(f"{path} cannot be read as a PyTorch checkpoint: {error}. Fetch it again") from error
