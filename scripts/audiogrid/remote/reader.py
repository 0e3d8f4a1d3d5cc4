"""Remote files opened like local ones: bytes are fetched as they are asked for, and nothing lies on a disk.

Reading forward is one streamed request; a jump opens another. A connection that breaks is taken up
again where it broke, a bounded number of times.
"""

from __future__ import annotations

import io
import time
from dataclasses import dataclass

from audiogrid.remote.address import Address
from audiogrid.remote.connections import facts_of, service
from audiogrid.remote.service_protocol import ByteStream, RemoteError

# Jumps ahead up to this far read on: a new request costs more than what lies between two pieces of sound in a video.
_READ_ON = 8 << 20
# The beginning of a file is read again and again while it is found out what it is; a small file is read whole.
_HEAD = 64 << 10
_SMALL = 1 << 20
# Times that a connection may break without this many bytes of progress in between, and the pauses after it.
TRIES = 5
_PROGRESS = 1 << 20
PAUSE_SECONDS = 0.5


@dataclass(frozen=True)
class Status:
    """What ``stat`` tells of a file, as far as it is used here."""

    st_size: int
    st_mtime_ns: int


class RemoteFile:
    """An object with facts; raises ``RemoteError`` when it cannot be looked at.

    ``expected``: size and time of an earlier look; another object is an error then.
    """

    def __init__(self, address: Address, expected: tuple[int, int] | None = None) -> None:
        self.address = address
        self._service = service(address.scheme)
        self.facts = facts_of(address)
        if expected is not None and expected != (self.facts.size, self.facts.stamp_ns):
            raise RemoteError("changed", "The object was changed after the run had looked at it: run again.")
        self._head = b""
        self.failure: RemoteError | None = None

    def stat(self) -> Status:
        """Size and time."""
        return Status(self.facts.size, self.facts.stamp_ns)

    def open(self, mode: str = "rb") -> RemoteReader:
        """The bytes of the object, to be read in any order."""
        if mode != "rb":
            raise ValueError("remote files are read only, in binary")
        return RemoteReader(self)

    def head(self, source: _Source) -> bytes:
        """The first bytes, fetched once: through ``source``, which then goes on behind them."""
        size = self.facts.size if self.facts.size <= _SMALL else _HEAD
        while len(self._head) < size:
            self._head += source.read(len(self._head), size - len(self._head))
        return self._head

    def raise_failure(self) -> None:
        """Raise the error that ended reading, if one did."""
        if self.failure is not None:
            raise self.failure

    def stream(self, start: int) -> tuple[ByteStream, int]:
        """What comes from ``start`` on, and where it really begins."""
        return self._service.read_from(self.address, start, self.facts)


class _Source:
    """Streams of one object, opened again where they broke."""

    def __init__(self, file: RemoteFile) -> None:
        self._file = file
        self._stream: ByteStream | None = None
        self._at = 0
        self._has_ranges = True
        self._failures = 0
        self._got_since = 0

    def read(self, position: int, size: int) -> bytes:
        """One to ``size`` bytes from ``position``, which lies before the end."""
        while True:
            # What fails here was tried several times by the service itself.
            stream = self._opened(position)
            try:
                data = self._from(stream, position, size)
                broken = "it ended early"
            except RemoteError as error:
                if error.kind != "unreachable":
                    raise
                data, broken = b"", str(error)
            if data:
                self._got_since += len(data)
                return data
            self.close()
            self._note_failure(position, broken)

    def _opened(self, position: int) -> ByteStream:
        ahead = position - self._at
        if self._stream is not None and (ahead < 0 or (ahead > _READ_ON and self._has_ranges)):
            self.close()
        if self._stream is None:
            self._stream, self._at = self._file.stream(position)
            # A server without ranges begins again at the start: what lies ahead is nearer from here.
            self._has_ranges = self._at == position
        return self._stream

    def _from(self, stream: ByteStream, position: int, size: int) -> bytes:
        """Some bytes from ``position``, passing over what lies before it; none where the stream has ended."""
        while self._at < position:
            passed = stream.read(min(position - self._at, 1 << 18))
            if not passed:
                return b""
            self._at += len(passed)
        data = stream.read(size)
        self._at += len(data)
        return data

    def _note_failure(self, position: int, what: str) -> None:
        self._failures = 1 if self._got_since >= _PROGRESS else self._failures + 1
        self._got_since = 0
        if self._failures >= TRIES:
            at = f"at byte {position:,} of {self._file.facts.size:,}"
            raise RemoteError("unreachable", f"Reading failed {self._failures} times {at} ({what}): run again.")
        time.sleep(PAUSE_SECONDS * 2 ** (self._failures - 1))

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None


class RemoteReader(io.RawIOBase):
    """A remote file like one opened with ``open(path, "rb")``, without a buffer of its own."""

    def __init__(self, file: RemoteFile) -> None:
        self._file = file
        self._source = _Source(file)
        self._position = 0
        # FFmpeg weighs a file's suffix when it finds out what it is.
        self.name = file.address.key

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Position in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move; nothing is fetched for that."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._file.facts.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill some of ``buffer``; 0 at the end of the file."""
        wanted = min(len(buffer), self._file.facts.size - self._position)
        if wanted <= 0:
            return 0
        # FFmpeg may take an error for the end, or try again and again: the first one stays.
        self._file.raise_failure()
        try:
            head = self._file.head(self._source)
            data = head[self._position : self._position + wanted] or self._source.read(self._position, wanted)
        except RemoteError as error:
            self._file.failure = error
            raise
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        """Close the connection."""
        self._source.close()
        super().close()
