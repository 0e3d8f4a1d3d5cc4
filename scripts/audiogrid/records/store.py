"""The store: one file per transcribed or embedded chunk, named by the hash of everything that determines its result.

``<root>/<aa>/<key>.json`` holds the result, what made it, and a hash of both. Writers need no
locks: a file appears whole or not at all, and a valid one is never replaced. Readers treat a file
that is truncated, altered or foreign as absent.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from audiogrid.core.atomic_files import canonical_json, write_bytes, write_json, write_new_bytes
from audiogrid.core.errors import StoreError
from audiogrid.records.chunks import Chunk
from audiogrid.records.results import SCHEMA, ChunkResult
from audiogrid.records.voices import VOICES_SCHEMA, ChunkVoices


class Result(Protocol):
    """A result of a chunk that can be stored."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON value."""


R = TypeVar("R", bound=Result)


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


class ResultStore(Generic[R]):
    """Reads and writes results of one kind under ``root``. ``schema``: of that kind; ``parse``: from its JSON value."""

    def __init__(self, root: Path, schema: int, parse: Callable[[dict[str, Any]], R]) -> None:
        self.root = root
        self._schema = schema
        self._parse = parse

    def path(self, key: str) -> Path:
        """Where the result with this key lies, if it does."""
        return self.root / key[:2] / f"{key}.json"

    def error_path(self, key: str) -> Path:
        """Where the record of a chunk that failed for good lies."""
        return self.root / key[:2] / f"{key}.error.json"

    def get(self, key: str) -> Stored[R] | None:
        """The valid result with this key; ``None`` when it is absent, damaged or of another schema."""
        try:
            raw = json.loads(self.path(key).read_bytes())
            body = {"result": raw["result"], "made": raw["made"]}
            if raw["schema"] != self._schema or raw["key"] != key or raw["sha256"] != _seal(key, body):
                return None
            return Stored(self._parse(raw["result"]), raw["made"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def has(self, key: str) -> bool:
        """Whether a valid result with this key exists (the whole file is read and checked)."""
        return self.get(key) is not None

    def put(self, key: str, result: R, made: Mapping[str, Any]) -> bool:
        """Store a result; ``False`` when a valid one was there already, which stays as it is.

        Raises ``StoreError`` when it cannot be written (a full disk, say).
        """
        body = {"result": result.to_json(), "made": dict(made)}
        document = {"schema": self._schema, "key": key, "sha256": _seal(key, body), **body}
        data = (json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n").encode()
        path = self.path(key)
        try:
            if not write_new_bytes(path, data):
                if self.has(key):
                    return False
                write_bytes(path, data)
            self.error_path(key).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(
                f"cannot write {path}: {error.strerror or error}; free space or mend the folder, then run again"
            ) from error
        return True

    def put_error(self, key: str, record: Mapping[str, Any]) -> None:
        """Leave a record of a chunk that failed for good; it does not keep anyone from trying again."""
        try:
            write_json(self.error_path(key), dict(record), indent=1)
        except OSError as error:
            raise StoreError(f"cannot write {self.error_path(key)}: {error.strerror or error}") from error

    def get_error(self, key: str) -> dict[str, Any] | None:
        """The record left by ``put_error``, or ``None``."""
        try:
            record = json.loads(self.error_path(key).read_bytes())
        except (OSError, ValueError):
            return None
        return record if isinstance(record, dict) else None


class Store(ResultStore[ChunkResult]):
    """Results of decoding."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, SCHEMA, ChunkResult.from_json)


class VoiceStore(ResultStore[ChunkVoices]):
    """Results of embedding, in the same folder. They hold voice vectors, which are biometric data."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, VOICES_SCHEMA, ChunkVoices.from_json)


def storable_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as keys contain them: plain JSON values (lists, no tuples)."""
    value: dict[str, Any] = json.loads(canonical_json(dict(options)))
    return value
