"""Whom the service answers: known names, no foreign web pages, holders of tokens; and one line of log a request."""

from __future__ import annotations

import ipaddress
import json
import logging
import time
from collections.abc import Collection, Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from audiogrid.core.secrets import masked
from audiogrid.serving.metrics import Metrics
from audiogrid.serving.tokens import NOBODY, Tokens
from audiogrid.serving.web.answers import error_answer, read_rest

LOG = logging.getLogger("audiogrid.requests")
COOKIE = "audiogrid"
# What may be seen without a token: whether the service lives, and the page that asks for the token.
_OPEN = frozenset(("/healthz", "/readyz", "/", "/session", "/favicon.ico"))
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, as it calls itself."""
    if host in _LOOPBACK:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def host_of(header: str) -> str:
    """Returns the name in a ``Host`` header, without the port, in lower case."""
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].lower().rstrip(".")


class Guard:
    """ASGI middleware. ``hosts``: names of the service beside those of loopback; ``needs_token``: of all clients."""

    def __init__(
        self, app: ASGIApp, tokens: Tokens, hosts: Collection[str], metrics: Metrics, *, needs_token: bool
    ) -> None:
        self._app = app
        self._tokens = tokens
        self._hosts = {host.lower() for host in hosts}
        self._metrics = metrics
        self._needs_token = needs_token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        began = time.perf_counter()
        seen = {"status": 0, "sent": 0, "received": 0}

        async def counted_receive() -> Message:
            message = await receive()
            # Nothing follows: whoever waited for more would wait for the end of the connection.
            scope["state"]["body_ended"] = not message.get("more_body", False)
            seen["received"] += len(message.get("body", b""))
            return message

        async def counted_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen["status"] = message["status"]
                message = {**message, "headers": [*message.get("headers", []), *_SAFE_HEADERS]}
            else:
                seen["sent"] += len(message.get("body", b""))
            await send(message)

        scope.setdefault("state", {})
        refusal = self._refusal(scope, headers)
        try:
            if refusal is not None:
                if scope["method"] in ("POST", "PUT"):
                    await read_rest(receive)
                await refusal(scope, receive, counted_send)
            else:
                await self._app(scope, counted_receive, counted_send)
        finally:
            self._log(scope, seen, time.perf_counter() - began)

    def _refusal(self, scope: Scope, headers: Headers) -> Any:
        host = host_of(headers.get("host", ""))
        if not is_loopback(host) and host not in self._hosts:
            return error_answer(
                421, f"this service does not answer to the name {host[:80]!r}: name it under service: {{hosts: [...]}}"
            )
        origin = headers.get("origin")
        is_foreign = origin is not None and _authority(origin) != headers.get("host", "").lower()
        # A link to the page is followed, from wherever.
        is_link = scope["path"] == "/" and scope["method"] == "GET" and headers.get("sec-fetch-mode") == "navigate"
        is_elsewhere = headers.get("sec-fetch-site", "").lower() in ("cross-site", "same-site")
        if is_foreign or (is_elsewhere and not is_link):
            return error_answer(403, "requests from other web pages are refused", code="foreign_origin")
        owner = NOBODY
        if self._needs_token:
            found = self._tokens.owner(_token(headers))
            if found is None and scope["path"] not in _OPEN:
                return error_answer(
                    401,
                    "a token is needed: Authorization: Bearer TOKEN",
                    code="invalid_api_key",
                    headers={"WWW-Authenticate": "Bearer"},
                )
            owner = found or ""
        scope["state"]["owner"] = owner
        return None

    def _log(self, scope: Scope, seen: Mapping[str, int], seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")
        # Clients make methods up, and every value of a label is kept.
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.requests.labels(method, route, str(seen["status"])).observe(seconds)
        line = {
            "time": round(time.time(), 3),
            "method": scope["method"][:20],
            # The query may hold a secret.
            "path": masked(scope["path"])[:200],
            "status": seen["status"],
            "ms": round(seconds * 1000, 1),
            "received": seen["received"],
            "sent": seen["sent"],
            "client": scope["client"][0] if scope.get("client") else "",
            "owner": scope["state"].get("owner", ""),
            **({"job": scope["state"]["job"]} if "job" in scope["state"] else {}),
        }
        LOG.info(json.dumps(line, ensure_ascii=True))


_SAFE_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'self' 'unsafe-inline' data: blob:; connect-src 'self'"),
]


def _authority(origin: str) -> str:
    return origin.partition("://")[2].lower()


def _token(headers: Headers) -> str:
    kind, _, token = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return token.strip()
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return cookie.value if cookie else ""
