"""Files that are either complete or absent."""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

_HOST = socket.gethostname().split(".")[0]


def _write_temporary(path: Path, write: Callable[[BinaryIO], None]) -> Path:
    """A complete, synced file beside ``path`` with a name of its own; removed again when ``write`` raises."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".tmp-{_HOST}-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        # Some network file systems refuse to sync a folder; the file itself is synced.
        pass
    finally:
        os.close(descriptor)


def write_atomically(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Fill ``path`` through ``write``: temporary name in the same folder, fsync, rename.

    Readers see the old file or the whole new one. The temporary file is removed when
    ``write`` raises (a full disk, say).
    """
    temporary = _write_temporary(path, write)
    try:
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def write_bytes(path: Path, data: bytes) -> None:
    """Atomically make ``path`` hold ``data``."""

    def fill(file: BinaryIO) -> None:
        file.write(data)

    write_atomically(path, fill)


def write_new_bytes(path: Path, data: bytes) -> bool:
    """Like ``write_bytes``, but never replaces: ``False`` when ``path`` exists already."""
    if path.exists():
        return False

    def fill(file: BinaryIO) -> None:
        file.write(data)

    temporary = _write_temporary(path, fill)
    try:
        # A hard link fails where the name is taken, a rename would replace it.
        path.hardlink_to(temporary)
    except FileExistsError:
        return False
    except OSError:
        # No hard links on this file system (vfat, some network ones): the gap is a rename wide.
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)
    return True


def write_text(path: Path, text: str) -> None:
    """Atomically make ``path`` hold ``text`` (UTF-8, newlines as given)."""
    write_bytes(path, text.encode())


def canonical_json(value: Any) -> str:
    """One spelling per value: sorted keys, no spaces, no NaN. What hashes are taken of."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def write_json(path: Path, value: Any, *, indent: int | None = None) -> None:
    """Atomically write ``value`` as JSON with a final newline; keys in the order given."""
    write_text(path, json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent) + "\n")


def read_json(path: Path) -> Any:
    """The JSON value in ``path``."""
    return json.loads(path.read_bytes())
