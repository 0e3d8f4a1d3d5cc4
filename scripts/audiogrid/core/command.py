"""Runs the ``main`` function of a command in ``scripts/`` and turns errors into exit codes."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable

from audiogrid.core.errors import EXIT_RETRY, AudiogridError
from audiogrid.core.secrets import masked


def run(main: Callable[[list[str]], int | None]) -> None:
    """Call ``main`` with the command line's arguments and exit with the code it returns.

    An ``AudiogridError`` is printed as one sentence and gives its own exit code. Any other exception keeps its
    traceback, because it is a bug. Raises ``SystemExit``.
    """
    try:
        code = main(sys.argv[1:]) or 0
    except AudiogridError as error:
        print(f"error: {masked(str(error))}", file=sys.stderr)
        # Few people find the standard error of a cluster job, so the sentence also goes to the log.
        log = logging.getLogger("audiogrid")
        if log.handlers:
            log.error("%s", error)
        code = error.exit_code
    except BrokenPipeError:
        # The program that reads our output (`head`, a closed pager) has ended: print nothing more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_RETRY
    sys.exit(code)
