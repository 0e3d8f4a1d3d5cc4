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


def write_atomically(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Fill ``path`` through ``write``: temporary name in the same folder, fsync, rename.

    Readers see the old file or the whole new one. The temporary file is removed when
    ``write`` raises (a full disk, say).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".tmp-{_HOST}-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_bytes(path: Path, data: bytes) -> None:
    """Atomically make ``path`` hold ``data``."""

    def fill(file: BinaryIO) -> None:
        file.write(data)

    write_atomically(path, fill)


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
