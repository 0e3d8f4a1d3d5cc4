"""Connections on which nothing is asked."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from audiogrid.serving.web import connections


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answers in two pieces with a pause that is longer than the limit."""
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": b"ab", "more_body": True})
    await asyncio.sleep(0.5)
    await send({"type": "http.response.body", "body": b"cd"})


async def exchange(*pieces: bytes, pause: float = 0.0) -> bytes:
    """Everything that a server sends to a client that sends ``pieces`` and then waits."""
    import uvicorn

    config = uvicorn.Config(app, port=0, http=connections.TimedConnection, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await asyncio.sleep(pause)
    try:
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()
        server.should_exit = True
        await serving


@pytest.fixture(autouse=True)
def short_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.15)


def test_a_connection_without_a_request_is_closed() -> None:
    assert asyncio.run(exchange()) == b""


def test_so_is_one_whose_headers_never_end() -> None:
    assert asyncio.run(exchange(b"GET / HTTP/1.1\r\nHost: x\r\n", *[b"a: b\r\n"] * 3, pause=0.05)) == b""


def test_an_answer_may_take_longer_and_the_next_request_has_to_begin() -> None:
    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    answered = asyncio.run(exchange(request, request, b"GET / HT", pause=0.55))
    assert answered.count(b"abcd") == 2
