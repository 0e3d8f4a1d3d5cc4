"""The service for a scheme of addresses, and facts of single objects."""

from __future__ import annotations

import time
from functools import cache
from importlib import import_module

from audiogrid.core.errors import InputError
from audiogrid.core.extras import install_command
from audiogrid.remote.address import Address
from audiogrid.remote.service_protocol import RemoteError, RemoteFacts, Service, unreachable
from audiogrid.remote.storage_services import STORAGE, WEB


@cache
def service(scheme: str) -> Service:
    """The service for addresses of ``scheme``; raises ``InputError`` that names the package when it is missing."""
    # Connections are not shared between processes: sub-processes are spawned and open their own.
    if scheme in WEB:
        from audiogrid.remote.web import WebService

        return WebService()
    known = STORAGE[scheme]
    try:
        made: Service = getattr(import_module(known.module), known.service)()
        return made
    except ImportError as error:
        raise InputError(
            f"{scheme}:// needs a package that is not installed ({error.name}): run {install_command(known.extra)}"
        ) from error


# Service -> how often in a row it has failed to answer this process, and when it did so last.
_silence: dict[str, tuple[int, float]] = {}
# After this many failures it is not asked again for this many seconds: each failure may take a minute.
_DOWN_AFTER = 4
_DOWN_SECONDS = 120.0


def facts_of(address: Address) -> RemoteFacts:
    """Facts of one object; a service that has not answered several times is not asked for every recording."""
    times, last = _silence.get(address.root, (0, 0.0))
    if times >= _DOWN_AFTER and time.monotonic() - last < _DOWN_SECONDS:
        raise unreachable(f"it has not answered {times} times")
    try:
        facts = service(address.scheme).facts(address)
    except RemoteError as error:
        if error.kind == "unreachable":
            _silence[address.root] = (_silence.get(address.root, (0, 0.0))[0] + 1, time.monotonic())
        raise
    _silence.pop(address.root, None)
    return facts
