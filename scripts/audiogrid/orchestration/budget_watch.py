"""Stops a run when its budget is used up: its jobs begin nothing new, and Snakemake starts no further ones.

A budget is that of one call of the command. Where a driver was killed, the next call on the same day goes on with what
was left, so that restarting it does not double what is spent.
"""

from __future__ import annotations

import datetime
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from audiogrid.core.atomic_files import write_json
from audiogrid.core.json_values import read_document, to_json
from audiogrid.core.stop_note import StopNote

# Before the first look at what was spent, and between two. With many jobs a look takes longer, and they are rarer.
_FIRST_SECONDS, _SECONDS, _SHARE_OF_TIME = 1.0, 2.0, 0.02


@dataclass(frozen=True)
class Spent:
    """Core-hours and GPU-hours that jobs have reserved. ``day``: of the call; ``is_open``: it has not ended yet."""

    core_hours: float = 0.0
    gpu_hours: float = 0.0
    day: str = ""
    is_open: bool = False

    def plus(self, core_hours: float, gpu_hours: float) -> Spent:
        """Returns what was spent with more."""
        return replace(self, core_hours=self.core_hours + core_hours, gpu_hours=self.gpu_hours + gpu_hours)


@dataclass(frozen=True)
class Limits:
    """What may be spent; ``None``: no limit. ``until``: when the run stops, as ``deadline_name`` says it."""

    core_hours: float | None = None
    gpu_hours: float | None = None
    until: datetime.datetime | None = None

    def reached(self, spent: Spent, seconds_left: float) -> str:
        """Returns which limit is reached, as a phrase; empty for none. ``seconds_left``: until the time to stop."""
        if self.core_hours is not None and spent.core_hours >= self.core_hours:
            return f"its budget of {self.core_hours:g} core-hours is used up"
        if self.gpu_hours is not None and spent.gpu_hours >= self.gpu_hours:
            return f"its budget of {self.gpu_hours:g} GPU-hours is used up"
        if self.until is not None and seconds_left <= 0:
            return f"its budget ends at {self.until:%Y-%m-%d %H:%M}"
        return ""


def _read(path: Path) -> Spent:
    try:
        return read_document(Spent, path)
    except (OSError, ValueError):
        return Spent()


class BudgetWatch:
    """Watches what a run spends, in a thread of its own, and stops the run at its limit.

    ``state``: file that says what was spent; ``note``: the file that tells jobs to end. ``used``: returns the
    core-hours and GPU-hours that jobs have reserved since the call began. ``stop``: called once at the limit.
    """

    def __init__(
        self,
        limits: Limits,
        state: Path,
        note: Path,
        used: Callable[[], tuple[float, float]],
        stop: Callable[[], None] = lambda: os.kill(os.getpid(), signal.SIGTERM),
        now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now().astimezone(),
    ) -> None:
        self._limits, self._state, self._note = limits, state, note
        self._used, self._stop = used, stop
        started = now()
        before = _read(state)
        # A call that has ended has had its budget. One that was killed hands on what it had left.
        goes_on = before.is_open and before.day == started.date().isoformat()
        self.before = before if goes_on else Spent(day=started.date().isoformat(), is_open=True)
        # From here on only this clock counts: it does not jump.
        left = (limits.until - started).total_seconds() if limits.until else 0.0
        self._ends = time.monotonic() + left
        self._over = threading.Event()
        # Nothing is written any more once the call has ended, however long a look takes.
        self._looking = threading.Lock()

    def start(self) -> None:
        """Begin to watch."""
        write_json(self._state, to_json(self.before))
        threading.Thread(target=self._run, name="budget", daemon=True).start()

    def look(self) -> str:
        """Look once, and note what was spent. Returns which limit is reached, and tells the jobs if one is.

        After ``end`` it does nothing.
        """
        with self._looking:
            if self._over.is_set():
                return ""
            try:
                spent = self.before.plus(*self._used())
            except (OSError, ValueError):
                # Journals that cannot be read now do not move the time at which the run ends.
                spent = None
            reached = self._limits.reached(spent or self.before, self._ends - time.monotonic())
            # On a full disk the run ends for other reasons; at the limit Snakemake begins no more jobs anyway.
            with suppress(OSError):
                if spent is not None:
                    write_json(self._state, to_json(spent))
            with suppress(OSError):
                if reached:
                    StopNote(reached).write(self._note)
            return reached

    def end(self) -> None:
        """Note that the call has ended: the next one has a budget of its own. Waits for a look that goes on."""
        with self._looking:
            self._over.set()
        with suppress(OSError):
            write_json(self._state, to_json(replace(_read(self._state), is_open=False)))

    def _run(self) -> None:
        pause = _FIRST_SECONDS
        while not self._over.wait(pause):
            began = time.monotonic()
            if self.look():
                self._stop()
                return
            pause = max(_SECONDS, (time.monotonic() - began) / _SHARE_OF_TIME)
            if self._limits.until is not None:
                pause = min(pause, max(0.1, self._ends - time.monotonic()))
