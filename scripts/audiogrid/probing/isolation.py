"""Looking at media files in child processes: a codec that crashes or hangs costs one file."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from audiogrid.remote.address import is_remote, parse

# Files per message to a child: enough that nobody waits for a message.
_BATCH = 32
_REMOTE_BATCH = 2
# A child more pays off from this many files on (it takes 0.2 s to start, a file 2 ms).
_FILES_PER_CHILD = 100
# Seconds a file may take, and the reading speed (bytes per second) that large ones are granted on top.
PATIENCE = 60.0
_SLOWEST_DISK = 5e6
# The same for a network, and seconds for broken connections, which are taken up again a number of times.
_SLOWEST_NETWORK = 2e5
_RETRIES = 600.0
# Remote files are waited for: more children than cores, and each for fewer files.
_REMOTE_CHILDREN = 8
_REMOTE_FILES_PER_CHILD = 8
# Seconds a child may take to start, which count towards its first file.
_START = 60.0


@dataclass(frozen=True)
class Looked:
    """Media facts of a file (fields of ``MediaFacts``), or the reason why there are none.

    ``is_transient``: a remote one could not be reached, which may go well the next time.
    """

    facts: dict[str, Any] | None
    reason: str | None
    is_transient: bool = False


def probe_one(path: str) -> Looked:
    """Facts of one file or address; never raises for what is wrong with the file."""
    from audiogrid.probing.media_facts import MediaError, probe_media
    from audiogrid.remote.reader import RemoteFile
    from audiogrid.remote.service import RemoteError

    try:
        return Looked(asdict(probe_media(RemoteFile(parse(path)) if is_remote(path) else path)), None)
    except RemoteError as error:
        return Looked(None, str(error), error.is_transient)
    except MediaError as error:
        return Looked(None, str(error))
    except FileNotFoundError:
        return Looked(None, "The file vanished while it was looked at: check the path.")
    except OSError as error:
        return Looked(None, f"The file cannot be read ({error.strerror or error}): check the disk or copy it again.")
    except Exception as error:
        # What libraries say about an address may quote it with its secrets.
        what = type(error).__name__ if is_remote(path) else " ".join(f"{type(error).__name__}: {error}".split())
        return Looked(None, f"The decoder failed on this file ({what}): convert it to WAV, FLAC or MP3.")


def _child(link: Connection, look: Callable[[str], Looked]) -> None:
    """Answer batches of paths file by file until the parent hangs up."""
    try:
        while True:
            for path in link.recv():
                link.send(look(path))
    except (EOFError, BrokenPipeError, ConnectionResetError, KeyboardInterrupt):
        return


class _Child:
    """A process and the files it still owes, the first of which it is looking at."""

    def __init__(self, look: Callable[[str], Looked], sizes: Mapping[str, int]) -> None:
        self._sizes = sizes
        context = get_context("spawn")
        self.link, other = context.Pipe()
        self.process = context.Process(target=_child, args=(other, look), daemon=True)
        self.process.start()
        other.close()
        self.owed: deque[str] = deque()
        self.deadline = 0.0
        self._allowance = _START

    def hand(self, paths: list[str], patience: float) -> None:
        self.owed.extend(paths)
        self.set_deadline(patience + self._allowance)
        self._allowance = 0.0
        self.link.send(paths)

    def set_deadline(self, patience: float) -> None:
        """From now on the clock runs for the next file."""
        if self.owed:
            self.deadline = time.monotonic() + patience + self._reading(self.owed[0])

    def _reading(self, path: str) -> float:
        """Seconds that reading all of a file may take."""
        if is_remote(path):
            return _RETRIES + self._sizes.get(path, 0) / _SLOWEST_NETWORK
        try:
            return Path(path).stat().st_size / _SLOWEST_DISK
        except (OSError, ValueError):
            return 0.0

    def end(self) -> None:
        self.link.close()
        self.process.kill()
        self.process.join()
        self.process.close()


def look_at(
    paths: Sequence[str],
    *,
    processes: int,
    look: Callable[[str], Looked] = probe_one,
    patience: float = PATIENCE,
    sizes: Mapping[str, int] | None = None,
    one_by_one: bool = False,
    note: Callable[[str, Looked], None] = lambda path, looked: None,
) -> dict[str, Looked]:
    """``look`` at every path in up to ``processes`` children.

    A file whose child dies, or that takes more than ``patience`` seconds (and what reading it
    at 5 MB/s takes), gets a reason; a new child goes on with the next file. ``sizes``: bytes of
    remote files, which take as long as they do. ``one_by_one``: where a file is much work, every
    process is worth starting, and no file waits behind another. ``note`` is called here with every
    answer as it comes.
    """
    waiting = deque(paths)
    found: dict[str, Looked] = {}
    remote = sum(map(is_remote, paths))
    count = min(max(1, processes), -(-(len(waiting) - remote) // _FILES_PER_CHILD))
    count = max(count, min(max(processes, _REMOTE_CHILDREN), -(-remote // _REMOTE_FILES_PER_CHILD)))
    batch = _REMOTE_BATCH if remote else _BATCH
    if one_by_one:
        count, batch = min(max(1, processes), len(waiting)), 1
    children = [_Child(look, sizes or {}) for _ in range(count)]
    try:
        while len(found) < len(paths):
            for child in children:
                if not child.owed and waiting:
                    child.hand([waiting.popleft() for _ in range(min(batch, len(waiting)))], patience)
            busy = [child for child in children if child.owed]
            pause = max(0.0, min(child.deadline for child in busy) - time.monotonic())
            ready = set(wait([child.link for child in busy], timeout=pause))
            for child in busy:
                reason = None
                if child.link in ready:
                    reason = _receive(child, found, patience, note)
                elif time.monotonic() >= child.deadline:
                    reason = "The decoder hangs on this file: convert it to WAV, FLAC or MP3."
                if reason is not None:
                    found[child.owed.popleft()] = Looked(None, reason)
                    waiting.extendleft(reversed(child.owed))
                    child.end()
                    children[children.index(child)] = _Child(look, sizes or {})
    finally:
        for child in children:
            child.end()
    return found


def _receive(
    child: _Child, found: dict[str, Looked], patience: float, note: Callable[[str, Looked], None]
) -> str | None:
    """Take every answer that is there; the reason if the child died over the next file."""
    try:
        while child.owed and child.link.poll():
            found[child.owed[0]] = child.link.recv()
            path = child.owed.popleft()
            note(path, found[path])
        child.set_deadline(patience)
    except (EOFError, OSError):
        return "The decoder crashes on this file: convert it to WAV, FLAC or MP3."
    return None
