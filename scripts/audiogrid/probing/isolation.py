"""Inspects media files in child processes, so that a decoder that crashes or hangs costs one file only."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from audiogrid.core.errors import RetryableError
from audiogrid.core.json_values import to_json
from audiogrid.media.audio_tracks import AUTO, TrackWish
from audiogrid.remote.address import is_remote, parse

# Files per message to a child process.
_BATCH = 32
_REMOTE_BATCH = 2
# Files that justify another child process (it takes 0.2 s to start, a file 2 ms).
_FILES_PER_CHILD = 100
# Seconds a file may take, and the slowest reading speed (bytes per second), which gives large files more time.
TIMEOUT = 60.0
_SLOWEST_DISK = 5e6
# The same for a network, and seconds for retries after broken connections.
_SLOWEST_NETWORK = 2e5
_RETRY_SECONDS = 600.0
# Processes mostly wait for remote files: more of them than cores, and each for fewer files.
_REMOTE_CHILDREN = 8
_REMOTE_FILES_PER_CHILD = 8
# Processes that may end between two files before something must be wrong with the machine.
_MOST_ENDED = 100
# Seconds a child process may take to start, added to the time of its first file.
_START = 60.0


@dataclass(frozen=True)
class FileOutcome:
    """Facts about a file as plain values, or the reason why there are none.

    ``is_transient``: a remote file could not be reached; a later attempt may succeed.
    """

    facts: dict[str, Any] | None
    reason: str | None
    is_transient: bool = False


@dataclass(frozen=True)
class ProbeTask:
    """The function that child processes run for a path. ``wish``, ``language``: as in ``probe_media``."""

    wish: TrackWish = (AUTO,)
    language: str | None = None

    def __call__(self, path: str) -> FileOutcome:
        """Returns ``MediaFacts`` of a file or address, or the reason why there are none; raises nothing."""
        return probe_file(path, self.wish, self.language)


def probe_file(path: str, wish: TrackWish = (AUTO,), language: str | None = None) -> FileOutcome:
    """Returns ``MediaFacts`` of a file or address, or the reason why there are none; raises nothing."""
    from audiogrid.media.demux import MediaError
    from audiogrid.probing.media_facts import probe_media
    from audiogrid.remote.reader import RemoteFile
    from audiogrid.remote.service_protocol import RemoteError

    try:
        return FileOutcome(
            to_json(probe_media(RemoteFile(parse(path)) if is_remote(path) else path, wish, language)), None
        )
    except RemoteError as error:
        return FileOutcome(None, str(error), error.is_transient)
    except MediaError as error:
        return FileOutcome(None, str(error))
    except FileNotFoundError:
        return FileOutcome(None, "The file vanished while it was looked at: check the path.")
    except OSError as error:
        return FileOutcome(
            None, f"The file cannot be read ({error.strerror or error}): check the disk or copy it again."
        )
    except Exception as error:
        # Error messages of libraries may quote an address with its secrets.
        what = type(error).__name__ if is_remote(path) else " ".join(f"{type(error).__name__}: {error}".split())
        return FileOutcome(None, f"The decoder failed on this file ({what}): convert it to WAV, FLAC or MP3.")


def _serve(link: Connection, inspect: Callable[[str], FileOutcome]) -> None:
    """Run in the child: receive batches of paths, send one outcome per path, until the parent closes the pipe."""
    try:
        while True:
            for path in link.recv():
                link.send(inspect(path))
    except (EOFError, BrokenPipeError, ConnectionResetError, KeyboardInterrupt):
        return


class _ChildProcess:
    """A child process and the files it was sent and has not answered yet; it works on the first of them."""

    def __init__(self, inspect: Callable[[str], FileOutcome], sizes: Mapping[str, int]) -> None:
        self._sizes = sizes
        context = get_context("spawn")
        self.link, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other, inspect), daemon=True)
        self.process.start()
        other.close()
        self.pending: deque[str] = deque()
        self.deadline = 0.0
        self._allowance = _START

    def send(self, paths: list[str], timeout: float) -> bool:
        """Give the process its next files. Returns false if it has ended."""
        try:
            self.link.send(paths)
        except (BrokenPipeError, ConnectionResetError):
            return False
        self.pending.extend(paths)
        self.set_deadline(timeout + self._allowance)
        self._allowance = 0.0
        return True

    def set_deadline(self, timeout: float) -> None:
        """Start the time limit of the next file."""
        if self.pending:
            self.deadline = time.monotonic() + timeout + self._reading(self.pending[0])

    def _reading(self, path: str) -> float:
        """Seconds that reading a whole file may take."""
        if is_remote(path):
            return _RETRY_SECONDS + self._sizes.get(path, 0) / _SLOWEST_NETWORK
        try:
            return Path(path).stat().st_size / _SLOWEST_DISK
        except (OSError, ValueError):
            return 0.0

    def end(self) -> None:
        self.link.close()
        self.process.kill()
        self.process.join()
        self.process.close()


def run_isolated(
    paths: Sequence[str],
    *,
    processes: int,
    inspect: Callable[[str], FileOutcome] = probe_file,
    timeout: float = TIMEOUT,
    sizes: Mapping[str, int] | None = None,
    one_by_one: bool = False,
    on_outcome: Callable[[str, FileOutcome], None] = lambda path, outcome: None,
) -> dict[str, FileOutcome]:
    """Call ``inspect`` for every path in up to ``processes`` child processes. Returns the outcomes by path.

    A file that ends its process, or takes more than ``timeout`` seconds (plus reading it at 5 MB/s), gets a reason
    instead of facts, and a new process continues with the next file. ``sizes``: bytes of remote files, which
    lengthen their time limit. ``one_by_one``: each file is much work, so start all processes and send them one file
    at a time. ``on_outcome`` is called in this process with every outcome as it arrives.
    Raises ``RetryableError`` if processes keep ending although they work on no file.
    """
    waiting = deque(paths)
    found: dict[str, FileOutcome] = {}
    remote = sum(map(is_remote, paths))
    count = min(max(1, processes), -(-(len(waiting) - remote) // _FILES_PER_CHILD))
    count = max(count, min(max(processes, _REMOTE_CHILDREN), -(-remote // _REMOTE_FILES_PER_CHILD)))
    batch = _REMOTE_BATCH if remote else _BATCH
    if one_by_one:
        count, batch = min(max(1, processes), len(waiting)), 1
    children = [_ChildProcess(inspect, sizes or {}) for _ in range(count)]
    ended = 0
    try:
        while len(found) < len(paths):
            for child in children:
                if not child.pending and waiting:
                    some = [waiting.popleft() for _ in range(min(batch, len(waiting)))]
                    if not child.send(some, timeout):
                        # It ended between two files: none of them is to blame.
                        ended += 1
                        if ended > _MOST_ENDED:
                            raise RetryableError(
                                "processes that look at files keep ending by themselves: check this machine's memory"
                            )
                        waiting.extendleft(reversed(some))
                        children[children.index(child)] = _replaced(child, inspect, sizes or {})
            busy = [child for child in children if child.pending]
            if not busy:
                continue
            pause = max(0.0, min(child.deadline for child in busy) - time.monotonic())
            ready = set(wait([child.link for child in busy], timeout=pause))
            for child in busy:
                reason = None
                if child.link in ready:
                    reason = _receive(child, found, timeout, on_outcome)
                elif time.monotonic() >= child.deadline:
                    reason = "The decoder hangs on this file: convert it to WAV, FLAC or MP3."
                if reason is not None:
                    found[child.pending.popleft()] = FileOutcome(None, reason)
                    waiting.extendleft(reversed(child.pending))
                    children[children.index(child)] = _replaced(child, inspect, sizes or {})
    finally:
        for child in children:
            child.end()
    return found


def _replaced(child: _ChildProcess, inspect: Callable[[str], FileOutcome], sizes: Mapping[str, int]) -> _ChildProcess:
    """End a process and start another."""
    child.end()
    return _ChildProcess(inspect, sizes)


def _receive(
    child: _ChildProcess, found: dict[str, FileOutcome], timeout: float, on_outcome: Callable[[str, FileOutcome], None]
) -> str | None:
    """Receive all outcomes that are there. Returns a reason if the process died while it worked on the next file."""
    try:
        while child.pending and child.link.poll():
            found[child.pending[0]] = child.link.recv()
            path = child.pending.popleft()
            on_outcome(path, found[path])
        child.set_deadline(timeout)
    except (EOFError, OSError):
        return "The decoder crashes on this file: convert it to WAV, FLAC or MP3."
    return None
