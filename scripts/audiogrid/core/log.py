"""Where a command reports: its log file (command line, versions, then one line per event) and standard error."""

from __future__ import annotations

import logging
import os
import platform
import shlex
import sys
from pathlib import Path
from typing import Any, TextIO

from audiogrid import __version__
from audiogrid.core.secrets import masked, masked_words


class _MaskingFormatter(logging.Formatter):
    """Masks secrets that messages and tracebacks quote: logs are attached to bug reports."""

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


class _LogFile(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Nothing: where the disk is full, the command says so itself, and a traceback for each line would hide it."""


def open_log(path: Path | None) -> logging.Logger:
    """Returns a logger that appends to ``path`` (``None``: discards) and writes the command and versions first."""
    logger = logging.getLogger("audiogrid")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    if path is None:
        logger.addHandler(logging.NullHandler())
        return logger
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = _LogFile(path, encoding="utf-8")
    handler.setFormatter(_MaskingFormatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.info("command: %s", shlex.join(masked_words([sys.executable, *sys.argv])))
    logger.info(
        "audiogrid %s, Python %s, %s on %s",
        __version__,
        platform.python_version(),
        platform.platform(),
        platform.node(),
    )
    return logger


class SteadyStream:
    """A text stream to which writing does not fail because the program that reads it has ended.

    A closed pager, ``head`` or a lost connection is no reason to stop a run. What is written from then on is lost; the
    process and those that it starts later write to the null device instead. Other errors are raised as ever.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write ``text``. Returns its length."""
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            self._discard()
            return len(text)

    def flush(self) -> None:
        """Write what is buffered."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._discard()

    def _discard(self) -> None:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self._stream.fileno())
        os.close(null)

    def __getattr__(self, name: str) -> Any:
        """Returns what else the stream has."""
        return getattr(self._stream, name)


def steady(stream: TextIO) -> TextIO:
    """Returns ``stream`` as a ``SteadyStream``; one that is steady already, or none at all, is returned as it is."""
    return stream if stream is None or isinstance(stream, SteadyStream) else SteadyStream(stream)  # type: ignore[return-value]
