"""The shape of answers: errors as OpenAI's clients expect them, events as they are streamed."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import Receive

from audiogrid.core.secrets import masked

_KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def error_answer(
    status: int,
    message: str,
    param: str | None = None,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Returns an error with a sentence, in the shape of OpenAI's."""
    kind = _KINDS.get(status, "invalid_request_error" if status < 500 else "server_error")
    error = {"message": masked(message), "type": kind, "param": param, "code": code}
    return JSONResponse({"error": error}, status, headers)


def event(name: str, data: Any) -> bytes:
    """Returns a server-sent event; without a name, as OpenAI's clients read them, where ``name`` is empty."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


# What a client still sends when it is refused is read up to here, so that it sees the answer and not a broken
# connection.
_MOST_READ = 64 << 20
_SECONDS = 5.0


async def read_rest(receive: Receive) -> None:
    """Read and drop what is left of a request's body, as far as that is not too much."""
    ends, left = time.monotonic() + _SECONDS, _MOST_READ
    while left > 0 and (wait := ends - time.monotonic()) > 0:
        try:
            message = await asyncio.wait_for(receive(), wait)
        except TimeoutError:
            return
        if message["type"] != "http.request" or not message.get("more_body"):
            return
        left -= len(message.get("body", b""))
