"""The store: one file per result of a chunk (decoded, embedded, aligned), named by the hash of all that determines it.

``<root>/<aa>/<key>.json`` holds the result, what made it, and a hash of both. Writers need no
locks: a file appears whole or not at all, and a valid one is never replaced. Readers treat a file
that is truncated, altered or foreign as absent.

Several users may share a store: where its root may be written by a group (or by all), new folders and files take over
its mode and group, whatever a user's umask is. A store that a user may not write still serves as a source: what the
user decodes is then kept in a folder of the run.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from audiogrid.core.atomic_files import canonical_json, write_bytes, write_json, write_new_bytes
from audiogrid.core.errors import StoreError
from audiogrid.core.json_values import from_json, to_json
from audiogrid.core.visible import exists
from audiogrid.records.aligned import ALIGNED_SCHEMA, AlignedChunk
from audiogrid.records.chunks import Chunk
from audiogrid.records.results import SCHEMA, ChunkResult
from audiogrid.records.voices import VOICES_SCHEMA, ChunkVoices

R = TypeVar("R")


def chunk_key(chunk: Chunk, model_hash: str, options: Mapping[str, Any], revision: int) -> str:
    """Key of a chunk: SHA-256 over the decoded PCM, the owned span inside it, model, options, schema and revision.

    ``options``: every decoding option that changes text, defaults filled in. ``revision``: of the decoding code; keys
    of revision 0 do not contain it. Where the chunk lies in its recording is left out on purpose: the same audio
    elsewhere has the same result.
    """
    identity: dict[str, Any] = {"revision": revision} if revision else {}
    identity |= {
        "schema": SCHEMA,
        "pcm": chunk.pcm_sha256,
        "owned": [chunk.start - chunk.context_start, chunk.end - chunk.context_start],
        "model": model_hash,
        "options": dict(options),
    }
    return hashlib.sha256(canonical_json(identity).encode()).hexdigest()


@dataclass(frozen=True)
class Stored(Generic[R]):
    """A result as it was found: ``made`` records device, compute type, versions, host and seconds."""

    result: R
    made: dict[str, Any]


def _seal(key: str, body: dict[str, Any]) -> str:
    return hashlib.sha256(f"{key}\n{canonical_json(body)}".encode()).hexdigest()


# The file system, or its permissions, do not let this user write. A full disk is another matter.
_REFUSALS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def _path(root: Path, key: str) -> Path:
    return root / key[:2] / f"{key}.json"


def _error_path(root: Path, key: str) -> Path:
    return root / key[:2] / f"{key}.error.json"


def _make_folder(folder: Path, root: Path) -> None:
    """Create a folder of the store with the mode and group of ``root``, if that is shared."""
    root.mkdir(parents=True, exist_ok=True)
    if not folder.exists():
        folder.mkdir(exist_ok=True)
        _share(folder, root)


def _share(path: Path, root: Path) -> None:
    """Give a new file or folder the mode and group of ``root``, if a group may write there."""
    shared = root.stat()
    if not shared.st_mode & stat.S_IWGRP:
        return
    mode = stat.S_IMODE(shared.st_mode)
    try:
        if path.stat().st_gid != shared.st_gid:
            os.chown(path, -1, shared.st_gid)
        path.chmod(mode if path.is_dir() else mode & 0o666)
    except OSError:
        # Another user's file, or a group that this user is not in: the others may read it all the same.
        pass


class ResultStore(Generic[R]):
    """Reads and writes results of one kind under ``root``. ``kind``: its dataclass, ``schema``: of that kind.

    ``own``: the folder that takes results which ``root`` refuses; also read from. ``refused``: why it was used.
    """

    def __init__(self, root: Path, kind: type[R], schema: int, own: Path | None = None) -> None:
        self.root = root
        self.own = own
        self.refused = ""
        self._schema = schema
        self._kind = kind

    def path(self, key: str) -> Path:
        """Returns the path of the result with this key, whether it exists or not."""
        return _path(self.root, key)

    def error_path(self, key: str) -> Path:
        """Returns the path of the record of a chunk that failed for good, whether it exists or not."""
        return _error_path(self.root, key)

    def exists(self, key: str) -> bool:
        """Returns whether there is a file for this key that this user can see; it may be damaged."""
        return any(exists(_path(root, key)) for root in self._roots())

    def get(self, key: str) -> Stored[R] | None:
        """Returns the valid result with this key; ``None`` when it is absent, damaged or of another schema."""
        found = (self._read(_path(root, key), key) for root in self._roots())
        return next((stored for stored in found if stored is not None), None)

    def _roots(self) -> list[Path]:
        return [self.root] if self.own is None else [self.root, self.own]

    def _read(self, path: Path, key: str) -> Stored[R] | None:
        try:
            raw = json.loads(path.read_bytes())
            body = {"result": raw["result"], "made": raw["made"]}
            if raw["schema"] != self._schema or raw["key"] != key or raw["sha256"] != _seal(key, body):
                return None
            return Stored(from_json(self._kind, raw["result"]), raw["made"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def has(self, key: str) -> bool:
        """Returns whether a valid result with this key exists (the whole file is read and checked)."""
        return self.get(key) is not None

    def put(self, key: str, result: R, made: Mapping[str, Any]) -> bool:
        """Store a result; returns ``False`` when a valid one was there already, which stays as it is.

        Raises ``StoreError`` when it cannot be written (a full disk, for example).
        """
        body = {"result": to_json(result), "made": dict(made)}
        document = {"schema": self._schema, "key": key, "sha256": _seal(key, body), **body}
        data = (json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n").encode()

        def write(root: Path) -> bool:
            path = _path(root, key)
            if not write_new_bytes(path, data):
                if self.has(key):
                    return False
                # Another user's file that may not be read is not known to be damaged.
                path.open("rb").close()
                write_bytes(path, data)
            _share(path, root)
            _error_path(root, key).unlink(missing_ok=True)
            return True

        return self._in_first_writable(_path(self.root, key), write)

    def put_error(self, key: str, record: Mapping[str, Any]) -> None:
        """Leave a record of a chunk that failed for good; another attempt is made all the same."""

        def write(root: Path) -> bool:
            path = _error_path(root, key)
            write_json(path, dict(record), indent=1)
            _share(path, root)
            return True

        self._in_first_writable(_error_path(self.root, key), write)

    def _in_first_writable(self, path: Path, write: Callable[[Path], bool]) -> bool:
        """Returns what ``write`` returns for ``root``, or for ``own`` if ``root`` refuses it. Raises ``StoreError``."""
        try:
            try:
                _make_folder(path.parent, self.root)
                return write(self.root)
            except OSError as error:
                if self.own is None or error.errno not in _REFUSALS:
                    raise
                self.refused = f"{path.parent}: {error.strerror}"
                return write(self.own)
        except OSError as error:
            raise StoreError(
                f"cannot write {error.filename or path}: {error.strerror or error}; free space or correct the folder, "
                "then run again"
            ) from error

    def get_error(self, key: str) -> dict[str, Any] | None:
        """Returns the record left by ``put_error``, or ``None``."""
        for root in self._roots():
            try:
                record = json.loads(_error_path(root, key).read_bytes())
            except (OSError, ValueError):
                continue
            if isinstance(record, dict):
                return record
        return None


class Store(ResultStore[ChunkResult]):
    """Results of decoding."""

    def __init__(self, root: Path, own: Path | None = None) -> None:
        super().__init__(root, ChunkResult, SCHEMA, own)


class VoiceStore(ResultStore[ChunkVoices]):
    """Results of embedding, in the same folder. They hold voice vectors, which are biometric data."""

    def __init__(self, root: Path, own: Path | None = None) -> None:
        super().__init__(root, ChunkVoices, VOICES_SCHEMA, own)


class AlignedStore(ResultStore[AlignedChunk]):
    """Results of aligning, in the same folder."""

    def __init__(self, root: Path, own: Path | None = None) -> None:
        super().__init__(root, AlignedChunk, ALIGNED_SCHEMA, own)


def storable_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as keys contain them: plain JSON values (lists, no tuples)."""
    value: dict[str, Any] = json.loads(canonical_json(dict(options)))
    return value
