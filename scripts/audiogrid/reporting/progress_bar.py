"""Shows the progress of a run: a bar on a terminal, otherwise a line every 30 seconds."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

from audiogrid.reporting.progress import RunProgress

LINE_SECONDS = 30.0
BAR_SECONDS = 1.0


class ProgressDisplay:
    """Shows the progress of a run on standard error. Use as a context manager and call ``tick`` often."""

    def __init__(self, progress: RunProgress) -> None:
        self._progress = progress
        self._next = time.monotonic() + BAR_SECONDS
        self._bar: Any = None
        self._task: Any = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as RichProgress

            columns = (BarColumn(bar_width=28), TextColumn("{task.description}", markup=False))
            self._bar = RichProgress(*columns, console=Console(stderr=True), transient=True)

    def __enter__(self) -> ProgressDisplay:
        if self._bar is not None:
            self._task = self._bar.add_task("loading the model", total=1.0)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        self._print(self._progress.now().line())

    def _print(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    def say(self, sentence: str) -> None:
        """Print a sentence above the bar."""
        if self._bar is not None:
            self._bar.console.print(sentence, markup=False, highlight=False)
        else:
            self._print(sentence)

    def tick(self) -> None:
        """Update the display if its interval has passed."""
        now = time.monotonic()
        if now < self._next:
            return
        progress = self._progress.now()
        if self._bar is not None:
            self._bar.update(self._task, completed=progress.share, description=progress.line())
            self._next = now + BAR_SECONDS
        else:
            self._print(progress.line())
            self._next = now + LINE_SECONDS
