"""The application: all endpoints, their errors, and the page."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from audiogrid.serving.service import Refused, Service
from audiogrid.serving.tokens import Tokens
from audiogrid.serving.web import jobs_api, openai_api
from audiogrid.serving.web.answers import error_answer, read_rest
from audiogrid.serving.web.forms import short_body
from audiogrid.serving.web.guard import COOKIE, Guard, is_loopback
from audiogrid.serving.web.resumable import ResumableUploads

LOG = logging.getLogger("audiogrid.serving")
_LONGEST_TOKEN = 500
PAGE = Path(__file__).parent / "page.html"


def build(
    service: Service,
    tokens: Tokens,
    host: str,
    uploads: ResumableUploads,
    is_ready: Callable[[], str],
    loaded: Callable[[], int],
    *,
    needs_token: bool,
) -> Any:
    """Returns the ASGI application.

    ``is_ready``: returns why the service is not ready, or an empty string; ``loaded``: workers with models.
    """

    async def healthz(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(request: Request) -> Response:
        why = is_ready()
        return JSONResponse({"status": why or "ready"}, 503 if why else 200)

    async def metrics(request: Request) -> Response:
        text = service.metrics.render(service.queue.counts(), loaded())
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

    async def page(request: Request) -> Response:
        return HTMLResponse(PAGE.read_text(encoding="utf-8"))

    async def session(request: Request) -> Response:
        return await _session(request, tokens, needs_token=needs_token)

    app = Starlette(
        routes=[
            Route("/", page),
            Route("/session", session, methods=["GET", "POST", "DELETE"]),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
            *openai_api.routes(service),
            *jobs_api.routes(service, uploads),
            *uploads.routes(),
        ],
        exception_handlers={Refused: _refused, HTTPException: _http_error, Exception: _failed},
    )
    hosts = [*service.settings["hosts"], *([] if is_loopback(host) or host in ("0.0.0.0", "::") else [host])]
    return Guard(app, tokens, hosts, service.metrics, needs_token=needs_token)


async def _session(request: Request, tokens: Tokens, *, needs_token: bool) -> Response:
    """Says whether the page has to ask for a token; takes one and keeps it in a cookie that scripts cannot read."""
    if request.method == "DELETE":
        answer: Response = JSONResponse({"token": "removed"})
        answer.delete_cookie(COOKIE)
        return answer
    if request.method == "GET":
        owner = request.state.owner
        return JSONResponse({"needs_token": needs_token, "owner": owner or None})
    # Anybody may send this.
    body = await short_body(request, _LONGEST_TOKEN, "this is not a token")
    token = body.decode("utf-8", "replace").strip()
    if not needs_token:
        return JSONResponse({"token": "not needed"})
    if tokens.owner(token) is None:
        raise Refused(401, "this token is not known", code="invalid_api_key")
    answer = JSONResponse({"token": "accepted"})
    secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, token, max_age=30 * 86400, httponly=True, samesite="strict", secure=secure)
    return answer


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    headers = {"Retry-After": str(error.retry)} if error.retry else {}
    is_open = request.method in ("POST", "PUT") and not request.scope["state"].get("body_ended")
    if error.status not in (408, 499) and is_open:
        await read_rest(request.receive)
    return error_answer(error.status, error.message, error.param, error.code, headers)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    sentence = {404: "there is nothing here", 405: f"{request.method} is not possible here"}
    return error_answer(error.status_code, sentence.get(error.status_code, str(error.detail)), headers=error.headers)


async def _failed(request: Request, error: Exception) -> Response:
    LOG.error("a request failed", exc_info=error)
    return error_answer(500, "the service failed at this request: its log says why")
