"""How a transcribe job ends when it is told to: by a signal, or because its parent has ended."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Protocol

from audiogrid.core.stop_note import read_stop

# After SIGTERM, running tasks may go on for this long.
GRACE_SECONDS = 20.0
# Between two looks for the note that ends a run.
_LOOK_SECONDS = 1.0


class TerminatedError(Exception):
    """The job must end now, although chunks are still being decoded."""


class Stoppable(Protocol):
    """An object that begins no new task once ``stopped_by`` gives the reason."""

    stopped_by: str | None


def handle_signals(work: Stoppable, note: Path | None = None) -> Callable[[], None]:
    """Make SIGTERM stop ``work`` within the time of grace, and SIGINT stop it at once.

    A ``note`` that appears (``core.stop_note``) lets running tasks end in peace.

    Returns a check that must be called regularly; it raises ``TerminatedError`` when running tasks must be abandoned.
    The end of the parent (a Snakemake that was killed) ends the work, too: the next run would otherwise decode the
    same chunks at the same time.
    """
    received: list[float] = []
    parent = os.getppid()
    looked = [-math.inf]

    def on_signal(number: int, frame: FrameType | None) -> None:
        work.stopped_by = work.stopped_by or f"{signal.Signals(number).name} was received"
        received.append(time.monotonic() if number == signal.SIGTERM else -math.inf)

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)

    def look() -> None:
        if note is not None and work.stopped_by is None and time.monotonic() > looked[0] + _LOOK_SECONDS:
            looked[0] = time.monotonic()
            found = read_stop(note)
            work.stopped_by = found.reason if found else None

    def check() -> None:
        look()
        if os.getppid() != parent:
            work.stopped_by = work.stopped_by or "the process that started it has ended"
            raise TerminatedError
        if any(time.monotonic() > when + GRACE_SECONDS for when in received):
            raise TerminatedError

    return check
