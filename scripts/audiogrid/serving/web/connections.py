"""Connections on which nothing is asked are closed, so that they do not use up those that the service has."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

#: Seconds in which a request has to begin and its headers to be complete. Uvicorn limits only the time between
#: requests, and only until the first byte of the next one.
REQUEST_SECONDS = 20.0


class TimedConnection(AutoHTTPProtocol):  # type: ignore[misc,valid-type]
    """Uvicorn's protocol for one connection, with a limit on the time until there is a request."""

    _check: asyncio.TimerHandle | None = None
    _answered: Any = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """A client has connected."""
        super().connection_made(transport)
        self._check = self.loop.call_later(REQUEST_SECONDS, self._close_idle)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        if self._check is not None:
            self._check.cancel()
        super().connection_lost(exc)

    def _close_idle(self) -> None:
        """Close the connection if nothing was asked since the last look; else look again later."""
        cycle = self.cycle
        if cycle is self._answered and not self.transport.get_write_buffer_size():
            self.transport.close()
            return
        # A request that is being answered may take as long as it likes: the next one has to begin in time.
        self._answered = cycle if cycle is None or cycle.response_complete else None
        self._check = self.loop.call_later(REQUEST_SECONDS, self._close_idle)
