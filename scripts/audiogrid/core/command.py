"""How every command in ``scripts/`` starts and ends."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable

from audiogrid.core.errors import EXIT_RETRY, AudiogridError


def run(main: Callable[[list[str]], int | None]) -> None:
    """Call ``main`` with the arguments and leave with an honest exit code.

    An ``AudiogridError`` becomes one sentence on standard error; anything else keeps its
    traceback, because it is a bug.
    """
    try:
        code = main(sys.argv[1:]) or 0
    except AudiogridError as error:
        print(f"error: {error}", file=sys.stderr)
        # A job on a cluster has a standard error that few people find: its log says it, too.
        log = logging.getLogger("audiogrid")
        if log.handlers:
            log.error("%s", error)
        code = error.exit_code
    except BrokenPipeError:
        # The reader (`head`, a closed pager) went away: nothing to tell anybody.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_RETRY
    sys.exit(code)
