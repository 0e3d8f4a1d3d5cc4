"""Runs the ``main`` function of a command in ``scripts/`` and turns errors into exit codes."""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Callable

from audiogrid.core.errors import EXIT_RETRY, AudiogridError, InputError, RetryableError
from audiogrid.core.log import steady
from audiogrid.core.secrets import masked

# No room, no quota left, a file system that is read only.
_REFUSED = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def run(main: Callable[[list[str]], int | None]) -> None:
    """Call ``main`` with the command line's arguments and exit with the code it returns.

    An ``AudiogridError`` is printed as one sentence and gives its own exit code, and so does a file system that is
    full or cannot be written. Any other exception keeps its traceback, because it is a bug. Raises ``SystemExit``.
    The command goes on where the program that reads its standard error has ended.
    """
    sys.stderr = steady(sys.stderr)
    try:
        code = main(sys.argv[1:]) or 0
    except AudiogridError as error:
        code = _told(error)
    except BrokenPipeError:
        # The program that reads our output (`head`, a closed pager) has ended: print nothing more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_RETRY
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        code = _told(_refusal(error))
    sys.exit(code)


def _told(error: AudiogridError) -> int:
    """Print an error; returns its exit code."""
    print(f"error: {masked(str(error))}", file=sys.stderr)
    # Few people find the standard error of a cluster job, so the sentence also goes to the log.
    log = logging.getLogger("audiogrid")
    if log.handlers:
        log.error("%s", error)
    return error.exit_code


def _refusal(error: OSError) -> AudiogridError:
    """What a file system refused, as a sentence with what to do."""
    place = f" {error.filename}" if error.filename else ""
    if error.errno == errno.EROFS:
        return InputError(f"cannot write{place} ({error.strerror}): choose a place that can be written")
    return RetryableError(f"cannot write{place} ({error.strerror}): make room and run the same command again")
