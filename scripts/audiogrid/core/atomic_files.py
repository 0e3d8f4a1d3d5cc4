"""Write files so that a reader sees either the whole content or no file at all."""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

_HOST = socket.gethostname().split(".")[0]


def _write_temporary(path: Path, write: Callable[[BinaryIO], None], folder: Path | None = None) -> Path:
    """Returns a complete, synced temporary file for ``path``, in ``folder`` or beside it.

    Removes it again when ``write`` raises.
    """
    folder = folder or path.parent
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".tmp-{_HOST}-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            # What a user knows; a write that fails names no file at all.
            error.filename = str(path)
        raise
    return temporary


def sync_folder(folder: Path) -> None:
    """Make what was renamed in a folder survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        # Some network file systems refuse to sync a folder; the file itself is synced.
        pass
    finally:
        os.close(descriptor)


def write_atomically(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Write ``path`` by calling ``write`` with an open file: temporary name in the same folder, fsync, rename.

    Readers see the old file or the whole new one. Raises what ``write`` raises (a full disk, for example);
    the temporary file is removed then.
    """
    temporary = _write_temporary(path, write)
    try:
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _all_of(data: bytes) -> Callable[[BinaryIO], None]:
    def write(file: BinaryIO) -> None:
        file.write(data)

    return write


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` atomically."""
    write_atomically(path, _all_of(data))


def write_many(
    files: Sequence[tuple[Path, bytes]], prepared: Path, before: Callable[[Path], None] | None = None
) -> None:
    """Write several files, each of them atomically, for less than ``write_bytes`` takes for each.

    Files are written into the folder ``prepared``, which no other call uses at the same time and which is removed in
    the end; then each is moved to its place. They are synced in parallel, which takes a file system about as long as
    one of them, and each folder is synced once. ``before``: called with the path of a file directly before it is put
    into its place. Raises ``OSError``: then some of the files may be in their places.
    """
    folders = dict.fromkeys(path.parent for path, _ in files)
    try:
        with ThreadPoolExecutor(min(8, max(1, len(files)))) as pool:
            made = list(pool.map(lambda file: _write_temporary(file[0], _all_of(file[1]), prepared), files))
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        for (path, data), temporary in zip(files, made, strict=True):
            if before is not None:
                before(path)
            try:
                temporary.replace(path)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                # The folder is a link to another file system.
                write_bytes(path, data)
        for folder in folders:
            sync_folder(folder)
    finally:
        shutil.rmtree(prepared, ignore_errors=True)


def write_new_bytes(path: Path, data: bytes) -> bool:
    """Write ``data`` to ``path`` atomically unless it exists already. Returns whether it was written."""
    if path.exists():
        return False

    temporary = _write_temporary(path, _all_of(data))
    try:
        # A hard link fails when the name is taken; a rename would replace the file.
        path.hardlink_to(temporary)
    except FileExistsError:
        return False
    except OSError:
        # This file system has no hard links (vfat, some network ones). Two writers may race between check and rename.
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)
    return True


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` atomically, as UTF-8 with newlines as given."""
    write_bytes(path, text.encode())


def canonical_json(value: Any) -> str:
    """Returns the one JSON spelling of a value that hashes are taken of: sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def write_json(path: Path, value: Any, *, indent: int | None = None) -> None:
    """Atomically write ``value`` as JSON with a final newline; keys in the order given."""
    write_text(path, json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent) + "\n")


def read_json(path: Path) -> Any:
    """Returns the JSON value in ``path``. Raises ``OSError`` and ``ValueError``."""
    return json.loads(path.read_bytes())
