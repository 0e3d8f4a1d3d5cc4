"""Opens the log file of a command: the command line, versions, then one line per event."""

from __future__ import annotations

import logging
import platform
import shlex
import sys
from pathlib import Path

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
