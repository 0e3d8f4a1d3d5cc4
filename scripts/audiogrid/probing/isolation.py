"""Inspects media files in child processes, so that a decoder that crashes or hangs costs one file only."""

from __future__ import annotations

import signal
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiogrid.core.child_process import ChildDiedError, ChildProcess
from audiogrid.core.errors import RetryableError
from audiogrid.core.json_values import to_json
from audiogrid.media.audio_tracks import AUTO, TrackWish
from audiogrid.remote.address import is_remote, parse

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

    ``is_transient``: a remote file could not be reached; a later attempt may succeed. ``state``: size, time and inode
    of a local file that was read to its end, and whose contents are the reason.
    """

    facts: dict[str, Any] | None
    reason: str | None
    is_transient: bool = False
    state: tuple[int, int, int] | None = None


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
        return FileOutcome(None, str(error)) if is_remote(path) else _refused(path, str(error), wish, language)
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


# Larger files are not read to their end only to know that a disk is not the reason why they are rejected.
_LARGEST_READ = 1 << 28


def _refused(path: str, reason: str, wish: TrackWish, language: str | None) -> FileOutcome:
    """Returns what came of a file that was rejected, once it is sure that all of it can be read.

    FFmpeg does not tell a failing disk from damaged contents. So the file is read, and then looked at once more.
    """
    from audiogrid.media.demux import MediaError
    from audiogrid.probing.media_facts import probe_media

    try:
        before = _state_of(path)
        # To open a pipe would wait for a writer.
        if Path(path).is_file() and before[0] <= _LARGEST_READ:
            with Path(path).open("rb") as file:
                while file.read(1 << 20):
                    pass
            try:
                return FileOutcome(to_json(probe_media(path, wish, language)), None)
            except MediaError as error:
                if str(error) == reason and _state_of(path) == before:
                    return FileOutcome(None, reason, state=before)
    except (OSError, ValueError):
        pass
    return FileOutcome(None, reason)


def _state_of(path: str) -> tuple[int, int, int]:
    found = Path(path).stat()
    return found.st_size, found.st_mtime_ns, found.st_ino


# The function that this process runs for paths, if it is a child process.
_inspect: Callable[[str], FileOutcome]


def _start(inspect: Callable[[str], FileOutcome]) -> None:
    """Prepare a child process. An interrupt from the keyboard is its parent's affair."""
    global _inspect
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _inspect = inspect


def _answer(path: str) -> FileOutcome:
    return _inspect(path)


def reading_seconds(path: str, sizes: Mapping[str, int]) -> float:
    """Returns the seconds that reading a whole file may take. ``sizes``: bytes of remote files."""
    if is_remote(path):
        return _RETRY_SECONDS + sizes.get(path, 0) / _SLOWEST_NETWORK
    try:
        return Path(path).stat().st_size / _SLOWEST_DISK
    except (OSError, ValueError):
        return 0.0


class _Child:
    """A child process and the file that it works on."""

    def __init__(self, inspect: Callable[[str], FileOutcome], sizes: Mapping[str, int]) -> None:
        self._process = ChildProcess(_start, (inspect,))
        self._sizes = sizes
        self._allowance = _START
        self.path = ""
        self.answer: Future[FileOutcome] = Future()
        self.deadline = 0.0

    def give(self, path: str, timeout: float) -> None:
        """Let the process look at a file; ``deadline`` is when it is taken to hang."""
        self.path = path
        self.answer = self._process.submit(_answer, path)
        self.deadline = time.monotonic() + self._allowance + timeout + reading_seconds(path, self._sizes)
        self._allowance = 0.0

    def is_due(self) -> bool:
        """Returns whether the process has answered or ended, or is taken to hang."""
        return self.answer.done() or time.monotonic() >= self.deadline

    def outcome(self) -> tuple[FileOutcome | None, bool]:
        """Returns what came of the file, and whether the process can go on; ends the process if not.

        The outcome is ``None`` where the process had ended before it was given the file.
        """
        if not self.answer.done():
            self.end()
            return FileOutcome(None, "The decoder hangs on this file: convert it to WAV, FLAC or MP3."), False
        try:
            return self.answer.result(), True
        except ChildDiedError as error:
            self.end()
            if error.was_idle:
                return None, False
            return FileOutcome(None, "The decoder crashes on this file: convert it to WAV, FLAC or MP3."), False

    def end(self) -> None:
        self._process.close()


def run_isolated(
    paths: Sequence[str],
    *,
    processes: int,
    inspect: Callable[[str], FileOutcome] = probe_file,
    timeout: float = TIMEOUT,
    sizes: Mapping[str, int] | None = None,
    is_long: bool = False,
    on_outcome: Callable[[str, FileOutcome], None] = lambda path, outcome: None,
) -> dict[str, FileOutcome]:
    """Call ``inspect`` for every path in up to ``processes`` child processes. Returns the outcomes by path.

    A file that ends its process, or takes more than ``timeout`` seconds (plus reading it at 5 MB/s), gets a reason
    instead of facts, and a new process continues with the next file. ``sizes``: bytes of remote files, which
    lengthen their time limit. ``is_long``: each file is much work, so that a process for each is worth its start.
    ``on_outcome`` is called in this process with every outcome as it arrives.
    Raises ``RetryableError`` if processes keep ending although they work on no file.
    """
    count = min(max(1, processes), len(paths)) if is_long else _process_count(paths, processes)
    waiting = deque(paths)
    found: dict[str, FileOutcome] = {}
    idle: list[_Child] = []
    busy: list[_Child] = []
    ended = 0
    try:
        while waiting or busy:
            while waiting and len(busy) < count:
                child = idle.pop() if idle else _Child(inspect, sizes or {})
                busy.append(child)
                child.give(waiting.popleft(), timeout)
            pause = max(0.0, min(child.deadline for child in busy) - time.monotonic())
            wait([child.answer for child in busy], pause, FIRST_COMPLETED)
            for child in [child for child in busy if child.is_due()]:
                busy.remove(child)
                outcome, goes_on = child.outcome()
                if goes_on:
                    idle.append(child)
                if outcome is None:
                    ended += 1
                    if ended > _MOST_ENDED:
                        raise RetryableError(
                            "processes that look at files keep ending by themselves: check this machine's memory"
                        )
                    waiting.appendleft(child.path)
                else:
                    found[child.path] = outcome
                    on_outcome(child.path, outcome)
    finally:
        for child in [*idle, *busy]:
            child.end()
    return found


def _process_count(paths: Sequence[str], processes: int) -> int:
    """Returns how many child processes are worth their start for files that take milliseconds."""
    remote = sum(map(is_remote, paths))
    count = min(max(1, processes), -(-(len(paths) - remote) // _FILES_PER_CHILD))
    return max(count, min(max(processes, _REMOTE_CHILDREN), -(-remote // _REMOTE_FILES_PER_CHILD)))
