"""Callbacks: the address that a client gave is told when its job has ended, signed, and again if it does not answer."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from pathlib import Path
from typing import Any

from audiogrid.core.atomic_files import write_new_bytes
from audiogrid.core.errors import AudiogridError
from audiogrid.serving.addresses import request

# The answer to a callback has to come within this time.
_ANSWER_SECONDS = 30.0

#: Seconds after which a callback that failed is tried again; then it is given up.
PAUSES = (1, 5, 30, 120, 600, 3600, 4 * 3600)
SIGNATURE = "X-Audiogrid-Signature"


def signing_key(state: Path) -> bytes:
    """Returns the key that callbacks are signed with; it is made at the first call and only its owner may read it."""
    path = state / "callback.key"
    if not path.exists():
        write_new_bytes(path, secrets.token_hex(32).encode())
        path.chmod(0o600)
    return path.read_bytes().strip()


def key_of(state: Path, owner: str) -> str:
    """Returns the key with which the callbacks of an owner's jobs are signed."""
    return hmac.new(signing_key(state), owner.encode(), hashlib.sha256).hexdigest()


def signature(key: str, body: bytes, now: int) -> str:
    """Returns the value of the header: time in seconds, and the HMAC-SHA-256 of time, full stop and body."""
    digest = hmac.new(key.encode(), f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={now},v1={digest}"


def send(url: str, payload: dict[str, Any], key: str, *, allow_private: bool) -> str:
    """Tell ``url``. Returns an empty string, or why it did not take the news."""
    body = json.dumps(payload, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json", SIGNATURE: signature(key, body, int(time.time()))}
    try:
        with request(
            "POST",
            url,
            allow_private=allow_private,
            body=body,
            headers=headers,
            redirects=0,
            seconds=_ANSWER_SECONDS,
        ) as answer:
            return "" if 200 <= answer.status < 300 else f"it answered {answer.status}"
    except AudiogridError as error:
        return str(error)
