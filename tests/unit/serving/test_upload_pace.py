"""Uploads that fall silent, trickle or break are given up; one that takes its time is not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from starlette.requests import Request

from audiogrid.serving.service import Refused
from audiogrid.serving.web import forms


def receive(blocks: Sequence[tuple[float, bytes]], *, breaks: bool = False) -> bytes:
    """What arrives of an upload. ``blocks``: seconds before a block, and its bytes."""
    left = list(blocks)

    async def message() -> dict[str, object]:
        if not left:
            if breaks:
                return {"type": "http.disconnect"}
            await asyncio.sleep(10)
        pause, body = left.pop(0)
        await asyncio.sleep(pause)
        return {"type": "http.request", "body": body, "more_body": bool(left) or breaks}

    async def read() -> bytes:
        request = Request({"type": "http", "method": "POST", "headers": []}, message)
        return b"".join([block async for block in forms.blocks_of(request)])

    return asyncio.run(read())


@pytest.fixture(autouse=True)
def short_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "SILENCE_SECONDS", 0.3)


def test_one_that_takes_its_time_arrives() -> None:
    assert receive([(0.1, b"0" * 100)] * 6) == b"0" * 600


@pytest.mark.parametrize(
    ("blocks", "word"),
    [([(0.0, b"0" * 1000), (0.6, b"0")], "stopped"), ([(0.05, b"0")] * 40, "too slow")],
    ids=["silent", "a byte now and then"],
)
def test_one_that_does_not_go_on_is_refused(blocks: list[tuple[float, bytes]], word: str) -> None:
    with pytest.raises(Refused, match=word) as refused:
        receive(blocks)
    assert refused.value.status == 408


def test_one_whose_connection_ends_is_refused() -> None:
    with pytest.raises(Refused, match="connection ended"):
        receive([(0.0, b"0" * 1000)], breaks=True)
