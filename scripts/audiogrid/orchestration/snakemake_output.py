"""What a person at a terminal sees of Snakemake's own messages while a run goes on.

The commands say what happens (progress, reasons, the end); Snakemake's account of its scheduling is
for its log file. Warnings and errors always pass.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

# Everything else below a warning is about scheduling.
_KEPT = ("Nothing to be done", "Complete log", "Unlocking", "Dry-run", "This was a dry-run")
# The failed command has said what went wrong; the block that repeats its shell line stays in the log file.
_DROPPED_EVENTS = ("job_error", "group_error")
STREAM_HANDLER = "DefaultStreamHandler"


class TerminalFilter(logging.Filter):
    """Keeps warnings, errors and the few messages that mean something to a person."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to show a record."""
        event = str(getattr(record, "event", ""))
        if event in _DROPPED_EVENTS:
            return False
        return record.levelno >= logging.WARNING or record.getMessage().startswith(_KEPT)


def calm(handlers: Iterable[logging.Handler]) -> None:
    """Put the filter on the handlers that write to the terminal; log files keep everything."""
    for handler in handlers:
        if handler.name == STREAM_HANDLER:
            handler.addFilter(TerminalFilter())
