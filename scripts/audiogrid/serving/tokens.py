"""Tokens: who may use the service. The file holds names and hashes, never a token."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from pathlib import Path
from typing import Any

from audiogrid.core.atomic_files import read_json, write_json
from audiogrid.core.errors import InputError

NAME = "tokens.json"
_NAMES = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
#: The owner of jobs where no tokens are asked for.
NOBODY = "local"
#: The owner of jobs of the watched folder.
WATCHER = "watch"


class Tokens:
    """The tokens of a state folder. The file is read again when it has changed."""

    def __init__(self, state: Path) -> None:
        self._path = state / NAME
        self._stamp: tuple[int, int] | None = None
        self._by_hash: dict[str, str] = {}

    def _entries(self) -> dict[str, dict[str, Any]]:
        try:
            found = read_json(self._path)["tokens"]
            return {str(name): dict(entry) for name, entry in found.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{self._path} cannot be read ({type(error).__name__}): restore or remove it") from None

    def owner(self, token: str) -> str | None:
        """Returns the name of a token; ``None`` for one that is not known."""
        try:
            facts = self._path.stat()
        except OSError:
            return None
        if (facts.st_mtime_ns, facts.st_ino) != self._stamp:
            self._by_hash = {str(entry["sha256"]): name for name, entry in self._entries().items()}
            self._stamp = (facts.st_mtime_ns, facts.st_ino)
        wanted = _digest(token)
        # Every hash is compared, so that the time tells nothing.
        found = [name for known, name in self._by_hash.items() if hmac.compare_digest(known, wanted)]
        return found[0] if found else None

    def names(self) -> dict[str, float]:
        """Returns name -> time of making, in seconds since 1970."""
        return {name: float(entry.get("made", 0)) for name, entry in self._entries().items()}

    def add(self, name: str) -> str:
        """Make a token. Returns it; it is nowhere else. Raises ``InputError`` for a bad name or one that is taken."""
        if not _NAMES.fullmatch(name) or name in (NOBODY, WATCHER):
            raise InputError(
                f"{name!r} is not a name for a token: use letters, digits, dots and dashes, not {NOBODY} or {WATCHER}"
            )
        entries = self._entries()
        if name in entries:
            raise InputError(f"there is a token {name!r} already: remove it first, or choose another name")
        # 256 random bits need no slow hash.
        token = f"ag-{secrets.token_urlsafe(32)}"
        entries[name] = {"sha256": _digest(token), "made": round(time.time())}
        self._write(entries)
        return token

    def remove(self, name: str) -> None:
        """Remove a token; a server that is running refuses it from now on. Raises ``InputError`` if there is none."""
        entries = self._entries()
        if name not in entries:
            raise InputError(f"there is no token {name!r}; known: {', '.join(entries) or 'none'}")
        del entries[name]
        self._write(entries)

    def _write(self, entries: dict[str, Any]) -> None:
        # Recordings and transcripts will lie in it.
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_json(self._path, {"tokens": entries}, indent=1)
        self._path.chmod(0o600)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
