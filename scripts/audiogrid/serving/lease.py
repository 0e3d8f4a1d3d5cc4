"""One server per state folder: a lease that names its host and process.

On one host the lease is a lock on a file, which ends with the process however it ends. Locks do not reach across
hosts on some network file systems, so the lease also has a heartbeat that a server on another host looks at.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import signal
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from audiogrid.core.atomic_files import read_json
from audiogrid.core.errors import InputError

LOG = logging.getLogger("audiogrid.serving")
NAME = "server.json"
_BEAT_SECONDS = 5.0
# A lease of another host counts as abandoned after this time.
_ABANDONED_SECONDS = 60.0


class Lease:
    """Held from construction on. Raises ``InputError`` that names the host and process of the server that holds it."""

    def __init__(self, state: Path, now: float | None = None) -> None:
        state.mkdir(parents=True, exist_ok=True)
        self._path = state / NAME
        self._file = (state / "server.lock").open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_locked = True
        except BlockingIOError:
            self._file.close()
            raise InputError(self._taken(_read(self._path))) from None
        except OSError:
            # A network file system without locks: the heartbeat alone decides.
            is_locked = False
        held = _read(self._path)
        age = (now or time.time()) - float(held.get("beat", 0.0))
        is_elsewhere = held.get("host") != socket.gethostname()
        if held and age < _ABANDONED_SECONDS and (is_elsewhere or (not is_locked and _lives(held.get("pid")))):
            self._file.close()
            raise InputError(self._taken(held))
        self._done = threading.Event()
        self._beat()
        threading.Thread(target=self._keep, daemon=True).start()

    def _taken(self, held: dict[str, Any]) -> str:
        who = f"process {held.get('pid', '?')} on {held.get('host', 'this host')}"
        return (
            f"a server works in {self._path.parent} already ({who}): use it, end it, or give this one a folder of its "
            "own with --state"
        )

    def _beat(self) -> None:
        # Not through a temporary name and a sync: the lease is worth nothing after a power failure.
        text = json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "beat": time.time()})
        temporary = self._path.with_suffix(".new")
        temporary.write_text(text)
        temporary.replace(self._path)

    def _keep(self) -> None:
        while not self._done.wait(_BEAT_SECONDS):
            if self._is_lost():
                # This host stood still for so long that a server elsewhere has taken over.
                LOG.error("another server has taken over %s: this one ends", self._path.parent)
                os.kill(os.getpid(), signal.SIGTERM)
                return
            with suppress(OSError):
                self._beat()

    def _is_lost(self) -> bool:
        held = _read(self._path)
        return bool(held) and (held.get("host"), held.get("pid")) != (socket.gethostname(), os.getpid())

    def release(self) -> None:
        """Let another server take over at once."""
        self._done.set()
        if not self._is_lost():
            self._path.unlink(missing_ok=True)
        self._file.close()


def _lives(pid: Any) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (OSError, TypeError, ValueError, OverflowError):
        return True
    return int(pid) != os.getpid()


def _read(path: Path) -> dict[str, Any]:
    try:
        found = read_json(path)
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError):
        return {}
