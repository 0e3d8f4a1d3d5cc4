"""Calls a function in a process of its own, so that a crash or a hang becomes an error message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from audiogrid.core.child_process import ChildDiedError, ChildProcess


def call_isolated(
    function: Callable[..., dict[str, Any]], arguments: tuple[Any, ...], timeout: float
) -> dict[str, Any]:
    """Returns the mapping that ``function(*arguments)`` returns in a spawned child process.

    If it returns none, returns ``{"error": ...}``: how the child died, or that ``timeout`` seconds have passed.
    """
    child = ChildProcess()
    try:
        found: dict[str, Any] = child.submit(function, *arguments).result(timeout)
    except TimeoutError:
        found = {"error": f"no answer in {timeout:.0f} s"}
    except ChildDiedError as error:
        found = {"error": str(error)}
    finally:
        child.close()
    return found
