"""Faults on request, so that tests can show what a crash, a hang or a bad chunk costs.

``AUDIOGRID_FAULTS`` names a JSON file: chunk id -> ``{"do": what, "times": n}`` (``times`` left out: always), with
``raise``, ``abort``, ``segv``, ``kill``, ``hang``, ``exit``, ``pause`` (for ``seconds``) or ``memory`` (that many
``megabytes``). Used by nothing but tests; without the variable nothing happens.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

VARIABLE = "AUDIOGRID_FAULTS"


def is_due(folder: Path, chunk: str, times: int | None) -> bool:
    """Whether a fault of ``chunk`` is still to happen; each happening leaves a mark beside the JSON file."""
    if times is None:
        return True
    for number in range(times):
        try:
            (folder / f"{chunk}.{number}.happened").touch(exist_ok=False)
            return True
        except FileExistsError:
            continue
    return False


def maybe_fail(chunk: str) -> None:
    """Do to this process what the fault file asks for ``chunk``."""
    name = os.environ.get(VARIABLE)
    if not name:
        return
    file = Path(name)
    fault = json.loads(file.read_text()).get(chunk)
    if fault is None or not is_due(file.parent, chunk, fault.get("times")):
        return
    match fault["do"]:
        case "raise":
            raise RuntimeError(f"fault on request in chunk {chunk}")
        case "abort":
            os.abort()
        case "segv":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            os._exit(3)
        case "hang":
            time.sleep(86_400)
        case "pause":
            time.sleep(fault["seconds"])
        case "memory":
            # Written to, or the pages would only be promised; then held for whoever watches limits.
            held = b"\x01" * (fault["megabytes"] << 20)
            time.sleep(20 if held else 0)
        case other:
            raise ValueError(f"unknown fault {other!r} for chunk {chunk}")
