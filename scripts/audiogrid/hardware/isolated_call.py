"""A question answered in a process of its own: what crashes or hangs there is an answer, too."""

from __future__ import annotations

import signal
from collections.abc import Callable
from multiprocessing import get_context
from typing import Any


def ask(answer: Callable[..., None], arguments: tuple[Any, ...], patience: float) -> dict[str, Any]:
    """What ``answer(link, *arguments)`` sends, a mapping, from a spawned child.

    Where it sends nothing, ``{"error": how the child died, or that ``patience`` seconds were over}``.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=answer, args=(theirs, *arguments), daemon=True)
    child.start()
    theirs.close()
    try:
        found: dict[str, Any] = ours.recv() if ours.poll(patience) else {"error": f"no answer in {patience:.0f} s"}
    except EOFError:
        child.join(5)
        found = {"error": _death(child.exitcode)}
    finally:
        ours.close()
        child.kill()
        child.join()
    return found


def _death(code: int | None) -> str:
    """In words: how a process ended without an answer."""
    if code is not None and code < 0:
        return f"the process was ended by {signal.Signals(-code).name}"
    return f"the process ended with exit code {code}"
