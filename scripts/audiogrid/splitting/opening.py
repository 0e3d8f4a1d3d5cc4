"""Opens the audio of a recording for reading, as the plan describes it.

``split``, ``identify`` and the conditions of a comparison read recordings; all of them open them here.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from audiogrid.core.errors import InputError
from audiogrid.media.file_parts import MediaFile
from audiogrid.probing.tables import private_addresses
from audiogrid.remote.address import Address, is_remote, parse
from audiogrid.remote.reader import RemoteFile
from audiogrid.remote.service_protocol import RemoteError


class UnusableRecordingError(Exception):
    """A recording that cannot be read; the message is a sentence that names its path and says what to do.

    ``is_transient``: whether the same may go well the next time.
    """

    def __init__(self, sentence: str, *, is_transient: bool = False) -> None:
        super().__init__(sentence)
        self.is_transient = is_transient


class ListedRecording(Protocol):
    """Where a recording lies and how it looked when it was probed.

    ``address_table``: the table that holds the whole address of a remote recording, where ``path`` does not.
    """

    @property
    def path(self) -> str: ...  # noqa: D102
    @property
    def size(self) -> int: ...  # noqa: D102
    @property
    def mtime_ns(self) -> int: ...  # noqa: D102
    @property
    def address_table(self) -> str | None: ...  # noqa: D102


@dataclass
class Patience:
    """How long one job may wait in all for recordings, in seconds.

    A network file system may show a new file on another machine only after a minute, or still as it was before.
    """

    seconds: float
    sleep: Callable[[float], None] = time.sleep

    def wait(self) -> bool:
        """Wait for a second. Returns whether there was one left."""
        if self.seconds <= 0:
            return False
        step = min(1.0, self.seconds)
        self.seconds -= step
        self.sleep(step)
        return True


def open_recording(recording: ListedRecording, patience: Patience | None = None) -> MediaFile:
    """Returns the file or remote object of a recording. ``patience``: for a local file that is not as it was probed.

    Raises ``UnusableRecordingError`` when it is missing, has changed since it was probed, or has no usable address.
    """
    if not is_remote(recording.path):
        _wait_until_unchanged(recording, patience or Patience(0))
        return Path(recording.path)
    try:
        return RemoteFile(_address(recording), (recording.size, recording.mtime_ns))
    except InputError as error:
        raise UnusableRecordingError(str(error)) from None
    except RemoteError as error:
        raise UnusableRecordingError(f"{recording.path}: {error}", is_transient=error.is_transient) from None


def _wait_until_unchanged(recording: ListedRecording, patience: Patience) -> None:
    while True:
        try:
            check_unchanged(recording)
        except UnusableRecordingError:
            if not patience.wait():
                raise
            _renew(Path(recording.path))
        else:
            return


def _renew(path: Path) -> None:
    """Open a file and its folder: a network file system then asks its server instead of its memory."""
    for place in (path.parent, path):
        with suppress(OSError):
            # A pipe would otherwise be waited for.
            os.close(os.open(place, os.O_RDONLY | os.O_NONBLOCK))


def check_unchanged(recording: ListedRecording) -> None:
    """Raises ``UnusableRecordingError`` when a local file is missing or differs from the probed one in size or time."""
    if is_remote(recording.path):
        # Every request to a service already carries the condition that the object is the probed version.
        return
    try:
        facts = Path(recording.path).stat()
    except OSError as error:
        raise UnusableRecordingError(
            f"{recording.path} is gone ({error.strerror}): put it back and run again"
        ) from error
    if (facts.st_size, facts.st_mtime_ns) != (recording.size, recording.mtime_ns):
        raise UnusableRecordingError(f"{recording.path} was changed after the run had looked at it: run again")


def _address(recording: ListedRecording) -> Address:
    if not recording.address_table:
        return parse(recording.path)
    table = Path(recording.address_table)
    try:
        facts = table.stat()
    except OSError as error:
        raise InputError(f"{table} cannot be read ({error.strerror}): put it back and run again") from None
    address = _addresses(table, facts.st_size, facts.st_mtime_ns).get(recording.path)
    if address is None:
        raise InputError(
            f"{table} does not hold the whole address of {recording.path} any more: put the row back and run again"
        )
    return address


@lru_cache(maxsize=8)
def _addresses(table: Path, size: int, mtime_ns: int) -> dict[str, Address]:
    """Addresses of a table; it is parsed once per version, however many recordings it lists."""
    return private_addresses(table)
