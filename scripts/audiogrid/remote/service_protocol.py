"""What every kind of remote storage can do, and in which ways it fails.

The services drive the clients that Snakemake's storage plugins set up, so that settings and
credentials are those of the plugins and of the usual environment. They ask for objects themselves,
because the plugins' own calls alter names (``..`` and ``//`` are resolved, ``?`` and ``#`` cut off:
snakemake-storage-plugin-s3 0.3.6), load whole objects into memory (azure 0.4.4), give sizes in KiB
(gcs 1.1.4) or wait for ever (http 0.3.1).
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from logging import getLogger
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from audiogrid.remote.address import Address

Answer = TypeVar("Answer")
Kind = Literal["missing", "anonymous", "refused", "changed", "unreachable"]
# Seconds to wait for a connection, and for the next byte.
CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0


class RemoteError(Exception):
    """One sentence (what, and what to do) without secrets. ``kind``: what went wrong."""

    def __init__(self, kind: Kind, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.kind, str(self))

    @property
    def is_transient(self) -> bool:
        """Whether the same may go well the next time."""
        return self.kind in ("unreachable", "changed")


@dataclass(frozen=True)
class RemoteFacts:
    """What tells whether an object is still the same. ``size`` in bytes.

    ``stamp_ns``: modification time to the second; its last nine digits come from the entity tag, so
    that a change within a second shows, too. ``tag``: the entity tag without quotes, empty where there is none.
    """

    size: int
    stamp_ns: int
    tag: str = ""

    @classmethod
    def of(cls, size: int, seconds: float, tag: str | None) -> RemoteFacts:
        """Facts as services report them: bytes, seconds since 1970, entity tag."""
        # Some services quote it in one answer and not in the other.
        tag = (tag or "").removeprefix("W/").strip('"')
        below = int.from_bytes(hashlib.sha256(tag.encode()).digest()[:8]) % 1_000_000_000 if tag else 0
        return cls(size, int(seconds) * 1_000_000_000 + below, tag)


class ByteStream(Protocol):
    """A stream of bytes. ``read`` may raise ``RemoteError``."""

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes; none at the end, or where the connection broke off."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class Service(Protocol):
    """One kind of remote storage. All calls raise ``RemoteError``; what can be retried has been, in bounds."""

    def facts(self, address: Address) -> RemoteFacts:
        """Facts of one object."""
        ...

    def list(self, address: Address) -> Iterator[tuple[str, RemoteFacts]]:
        """Keys that begin with the key of ``address``, in order, with facts."""
        ...

    def read_from(self, address: Address, start: int, facts: RemoteFacts) -> tuple[ByteStream, int]:
        """The bytes from ``start`` on of the object as it was when ``facts`` were taken, and where they begin.

        Some web servers begin at 0 whatever they are asked for.
        """
        ...

    def put(self, path: Path, address: Address, media_type: str) -> str:
        """Store a file completely or not at all. Returns its entity tag."""
        ...


def plugin_settings(module: Any, name: str, **defaults: Any) -> Any:
    """Settings of a storage plugin: ``defaults``, then its own variables ``SNAKEMAKE_STORAGE_<NAME>_<FIELD>``."""
    cls = module.StorageProviderSettings
    given = {}
    for field, info in cls.__dataclass_fields__.items():
        value = os.environ.get(f"SNAKEMAKE_STORAGE_{name}_{field}".upper())
        if value and info.metadata.get("env_var"):
            given[field] = value
    return cls(**{**defaults, **given})


class LibraryCalls:
    """Calls functions of a library and turns their errors into ``RemoteError`` with ``explained``."""

    def __init__(self, explained: Callable[[Exception], RemoteError]) -> None:
        self._explained = explained

    def __call__(self, call: Callable[[], Answer]) -> Answer:
        """Returns what ``call`` returns. Its error is replaced, because its text may quote secrets."""
        try:
            return call()
        except RemoteError:
            raise
        except Exception as error:
            raise self._explained(error) from None

    def provider(self, module: Any, settings: Any) -> Any:
        """Returns the provider object of a storage plugin. The folder it asks for is never written to."""
        folder = Path(tempfile.gettempdir())
        return self(lambda: module.StorageProvider(folder, getLogger("audiogrid"), settings=settings))


class Body:
    """A library's readable object as a ``ByteStream``."""

    def __init__(self, source: Any, calls: LibraryCalls) -> None:
        self._source = source
        self._call = calls

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes."""
        return self._call(lambda: bytes(self._source.read(size)))

    def close(self) -> None:
        """Close the connection, if the library keeps one open."""
        if hasattr(self._source, "close"):
            self._source.close()


def missing() -> RemoteError:
    """The object is not there."""
    return RemoteError("missing", "The object does not exist (any more): check its address.")


def changed() -> RemoteError:
    """The object has changed since its facts were read."""
    return RemoteError("changed", "The object was changed after the run had looked at it: run again.")


def anonymous(what: str, remedy: str) -> RemoteError:
    """There are no credentials."""
    return RemoteError("anonymous", f"Access is refused ({what}): {remedy}.")


def refused(answer: str, remedy: str) -> RemoteError:
    """The service refuses the request."""
    return RemoteError("refused", f"Access is refused ({answer}): {remedy}.")


def unreachable(what: str, remedy: str = "check the network and the address") -> RemoteError:
    """The service does not answer, or with an error of its own."""
    return RemoteError("unreachable", f"The storage cannot be reached ({what}): {remedy}, then run again.")
