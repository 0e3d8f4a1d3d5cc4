"""A child process that runs one call after another and may crash, hang or be killed without harm to its parent.

It is the one mechanism for all code that is not trusted to return: media files, decoding, CUDA drivers, the known clip.
Only a pipe connects the two processes. The executors of the standard library (and pebble's) also need semaphores,
which do not exist where ``/dev/shm`` is missing or read-only.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from typing import Any

# A process that has closed its pipe ends at once, but its exit code is known a moment later only.
_EXIT_SECONDS = 5.0


class ChildDiedError(Exception):
    """The child process ended before it answered; the message says how.

    ``was_idle``: it had ended before it was given the call, which is thus not the cause.
    """

    def __init__(self, message: str, was_idle: bool = False) -> None:
        super().__init__(message)
        self.was_idle = was_idle


def describe_exit(code: int | None) -> str:
    """Returns how a process ended, in words."""
    if code is None:
        return "the process was lost"
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        hint = " (out of memory?)" if -code == signal.SIGKILL else ""
        return f"the process died of {name}{hint}"
    return f"the process ended by itself with exit code {code}"


class ChildProcess:
    """A spawned process that runs functions of importable modules, one at a time. It ends at once with its parent.

    ``initializer``: called once in the new process, with ``arguments``; it must not raise.
    """

    def __init__(self, initializer: Callable[..., None] | None = None, arguments: tuple[Any, ...] = ()) -> None:
        context = get_context("spawn")
        self._link, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, initializer, arguments), daemon=True)
        self._process.start()
        theirs.close()
        self._caller: threading.Thread | None = None

    @property
    def exit_code(self) -> int | None:
        """Exit code of the process; ``None`` while it runs."""
        return self._process.exitcode

    @property
    def pid(self) -> int:
        """Id of the process."""
        return int(self._process.pid or 0)

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Call ``function(*arguments)`` in the process. Only one call may be running.

        Returns a future with what it returns or raises, or with a ``ChildDiedError`` if the process ends first, also
        if it has ended already.
        """
        future: Future[Any] = Future()
        # From here on nobody can cancel it: the answer to a call that was given up has to go somewhere.
        future.set_running_or_notify_cancel()
        self._caller = threading.Thread(target=self._call, args=(future, function, arguments), daemon=True)
        self._caller.start()
        return future

    def _call(self, future: Future[Any], function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        is_sent = False
        try:
            self._link.send((function, arguments))
            is_sent = True
            is_right, answer = self._link.recv()
        except (OSError, EOFError):
            # A pipe that is closed or reset is the end of the process, whichever side notices it.
            self._process.join(_EXIT_SECONDS)
            future.set_exception(ChildDiedError(describe_exit(self._process.exitcode), was_idle=not is_sent))
        except Exception as error:
            # What was sent or received cannot be pickled.
            future.set_exception(error)
        else:
            if is_right:
                future.set_result(answer)
            else:
                future.set_exception(answer)

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()

    def close(self) -> None:
        """End the process and release its resources; a running call gets a ``ChildDiedError``."""
        self.kill()
        self._process.join()
        if self._caller is not None:
            self._caller.join()
        self._link.close()


def _serve(link: Connection, initializer: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    """Answer calls until the parent closes the pipe; runs in the child process."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if initializer is not None:
        initializer(*arguments)
    with contextlib.suppress(EOFError, OSError):
        while True:
            function, given = link.recv()
            try:
                answer = (True, function(*given))
            except Exception as error:
                answer = (False, _picklable(error))
            _send(link, answer)


def _send(link: Connection, answer: tuple[bool, Any]) -> None:
    try:
        link.send(answer)
    except OSError:
        raise
    except Exception as error:
        # What the function returned cannot be pickled. Nothing of it was sent.
        link.send((False, _picklable(error)))


def _end_with_parent() -> None:
    """Wait for the end of the parent, however it ends, and end this process, whatever it is doing.

    Otherwise a call that hangs would live for ever, and one that goes on would write into files that a successor of
    the parent has taken over.
    """
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _picklable(error: Exception) -> Exception:
    """Returns ``error``, or its text as a ``RuntimeError`` if it cannot travel to the parent."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
