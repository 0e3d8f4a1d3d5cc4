"""What Snakemake writes to the terminal: its scheduling messages are hidden, and it outlives who reads them.

The commands of the rules report progress, failures and results themselves. Snakemake's log file keeps
its scheduling messages; warnings and errors are always shown.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable

from audiogrid.core.log import steady

# Everything else below a warning is about scheduling.
_KEPT = ("Nothing to be done", "Complete log", "Unlocking", "Dry-run", "This was a dry-run")
# The failed command has printed its own message; the block with its shell line goes to the log file only.
_DROPPED_EVENTS = ("job_error", "group_error")
STREAM_HANDLER = "DefaultStreamHandler"


class TerminalFilter(logging.Filter):
    """Passes warnings, errors and the few messages that a user needs."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to show a record."""
        event = str(getattr(record, "event", ""))
        if event in _DROPPED_EVENTS:
            return False
        return record.levelno >= logging.WARNING or record.getMessage().startswith(_KEPT)


def hide_scheduling(handlers: Iterable[logging.Handler]) -> None:
    """Put the filter on the handlers that write to the terminal. Log files keep everything."""
    for handler in handlers:
        if handler.name == STREAM_HANDLER:
            handler.addFilter(TerminalFilter())


def outlive_reader(handlers: Iterable[logging.Handler]) -> None:
    """Let Snakemake go on where the program that reads its messages has ended.

    It (9.27) would wait for ever: the message that a job has ended raises before the scheduler hears of it.
    """
    sys.stderr = steady(sys.stderr)
    for handler in handlers:
        if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
            handler.stream = steady(handler.stream)
