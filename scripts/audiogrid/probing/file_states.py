"""Looks at many files without opening them: one after another on a fast disk, many at a time on a slow one."""

from __future__ import annotations

import errno
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

State = os.stat_result | OSError | ValueError
"""What a file is, or why that cannot be known."""

_BLOCK = 64
# Seconds per file from which on looking is mostly waiting; threads would only be in the way of a fast disk.
_SLOW = 0.001
_THREADS = 16
# What a disk or a network file system says when it fails, rather than about rights.
_FAILING = frozenset({errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.ENOTCONN})


def is_failing(state: os.stat_result | Exception) -> bool:
    """Returns whether a file or folder cannot be looked at because its disk or file server fails."""
    return isinstance(state, OSError) and state.errno in _FAILING


def look_at(paths: Iterable[str]) -> Iterator[State]:
    """Yields for every path, in order, what ``os.stat`` says of it."""
    waiting = iter(paths)
    is_slow = False
    while not is_slow and (block := list(islice(waiting, _BLOCK))):
        began = time.monotonic()
        found = _states(block)
        is_slow = time.monotonic() - began > _SLOW * len(block)
        yield from found
    if not is_slow:
        return
    with ThreadPoolExecutor(_THREADS) as pool:
        ahead: deque[Future[list[State]]] = deque()
        while block := list(islice(waiting, _BLOCK)):
            ahead.append(pool.submit(_states, block))
            if len(ahead) >= 2 * _THREADS:
                yield from ahead.popleft().result()
        while ahead:
            yield from ahead.popleft().result()


def _states(paths: Iterable[str]) -> list[State]:
    return [_state(path) for path in paths]


def _state(path: str) -> State:
    try:
        return os.stat(path)  # noqa: PTH116
    except (OSError, ValueError) as error:
        return error
