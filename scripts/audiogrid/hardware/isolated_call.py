"""Calls a function in a process of its own, so that a crash or a hang becomes an error message."""

from __future__ import annotations

import signal
from collections.abc import Callable
from multiprocessing import get_context
from typing import Any


def call_isolated(function: Callable[..., None], arguments: tuple[Any, ...], timeout: float) -> dict[str, Any]:
    """Returns the mapping that ``function(connection, *arguments)`` sends from a spawned child process.

    If it sends none, returns ``{"error": ...}``: how the child died, or that ``timeout`` seconds have passed.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=function, args=(theirs, *arguments), daemon=True)
    child.start()
    theirs.close()
    try:
        found: dict[str, Any] = ours.recv() if ours.poll(timeout) else {"error": f"no answer in {timeout:.0f} s"}
    except EOFError:
        child.join(5)
        found = {"error": _death(child.exitcode)}
    finally:
        ours.close()
        child.kill()
        child.join()
    return found


def _death(code: int | None) -> str:
    """Returns how a process ended without an answer, in words."""
    if code is not None and code < 0:
        return f"the process was ended by {signal.Signals(-code).name}"
    return f"the process ended with exit code {code}"
