"""Requests to addresses that clients name: recordings to fetch, callbacks to tell.

A host is resolved once, every address that it has is checked, and the connection goes to the checked one, so that a
name that changes its address in between (DNS rebinding) reaches nothing inside. Redirects are followed one by one,
each checked anew. No proxy, no ``.netrc`` and no cookie of this machine takes part.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import urllib3

from audiogrid.core.errors import InputError, RetryableError

_REDIRECTS = 5
_CONNECT_SECONDS = 10.0
_READ_SECONDS = 60.0
# Until the headers of an answer are complete, and between two blocks of its content. A server that sends a byte now and
# then never runs into the limits of single reads.
_ANSWER_SECONDS = 90.0
# Slower than this, in bytes per second, after the first minute: the address never ends.
_SLOWEST = 2_000
_BLOCK = 1 << 18

_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")

IP = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_public(address: IP) -> bool:
    """Whether an address lies outside this machine and private networks."""
    if isinstance(address, ipaddress.IPv6Address):
        for inner in (address.ipv4_mapped, address.sixtofour, address.teredo and address.teredo[1]):
            if inner:
                return is_public(inner)
        if address in ipaddress.ip_network("64:ff9b::/96"):
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        # Python takes old forms such as ::127.0.0.1 and fec0::/10 for public ones.
        if address not in _GLOBAL_UNICAST:
            return False
    return address.is_global and not address.is_multicast


def resolve(host: str, port: int, *, allow_private: bool) -> str:
    """Returns an address of ``host`` to connect to.

    Raises ``InputError`` when any of its addresses is private, ``RetryableError`` when the name is not known.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise RetryableError(f"the host {host} is not known: check the address") from None
    addresses = [ipaddress.ip_address(entry[4][0].split("%")[0]) for entry in found]  # type: ignore[union-attr]
    if not allow_private and not all(is_public(address) for address in addresses):
        raise InputError(
            f"the host {host} lies inside a private network: such addresses are refused here "
            "(service: {private_addresses: true} allows them)"
        )
    return str(addresses[0])


class _Patience:
    """Ends a connection at which nothing has come of a wait, however slowly the other side goes on sending.

    ``seconds``: for each step: the headers of the answer, and each block of the content.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._socket: socket.socket | None = None
        self._ended = threading.Event()
        self.is_over = False
        self.renew()

    def renew(self) -> None:
        """A step was taken."""
        self._until = time.monotonic() + self._seconds

    def watch(self, connected: socket.socket) -> None:
        """Watch a connection from now on."""
        # A copy: TLS takes the socket itself over.
        self._socket = connected.dup()
        threading.Thread(target=self._wait, daemon=True).start()

    def _wait(self) -> None:
        while (left := self._until - time.monotonic()) > 0:
            if self._ended.wait(left):
                break
        else:
            self.is_over = True
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]
        self._socket.close()  # type: ignore[union-attr]

    def end(self) -> None:
        """The connection is not needed any more."""
        self._ended.set()


@dataclass(frozen=True)
class Answer:
    """The answer of a server. ``url``: where it came from in the end."""

    status: int
    headers: Mapping[str, str]
    url: str
    response: Any
    patience: _Patience

    def blocks(self) -> Iterator[bytes]:
        """Yields the content as it arrives."""
        # `read` would wait until the block is full.
        while block := self.response.read1(_BLOCK):
            self.patience.renew()
            yield block


def checked_url(url: str) -> str:
    """Returns a web address without its fragment. Raises ``InputError`` (without secrets) for anything else."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme.lower() not in ("http", "https") or any(ord(char) < 33 for char in url):
        raise InputError("this is not a web address: write https://host/path")
    if port == 0:
        raise InputError("this address has no valid port: write https://host/path")
    return parts._replace(fragment="").geturl()


@contextmanager
def request(
    method: str,
    url: str,
    *,
    allow_private: bool,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    redirects: int = _REDIRECTS,
    seconds: float = _ANSWER_SECONDS,
) -> Iterator[Answer]:
    """Ask a server. Raises ``InputError`` for what is refused, ``RetryableError`` for what may pass.

    ``seconds``: that the headers of the answer may take, and each block of its content.
    """
    seen: list[str] = []
    while True:
        url = checked_url(url)
        if url in seen:
            raise InputError("the address redirects to itself: check it")
        seen.append(url)
        patience = _Patience(seconds)
        pool, response = _ask(method, url, body, headers or {}, allow_private, patience)
        try:
            target = response.headers.get("Location")
            if response.status in (301, 302, 303, 307, 308) and target:
                if len(seen) > redirects:
                    raise InputError(f"the address redirects more than {redirects} times: name where it leads to")
                url = urljoin(url, target)
                continue
            try:
                yield Answer(response.status, response.headers, url, response, patience)
            except (urllib3.exceptions.HTTPError, OSError) as error:
                why = "it is too slow" if patience.is_over else _kind(error)
                raise RetryableError(f"reading from {urlsplit(url).hostname} failed ({why})") from None
            return
        finally:
            patience.end()
            response.close()
            pool.close()


def _ask(
    method: str, url: str, body: bytes | None, headers: Mapping[str, str], allow_private: bool, patience: _Patience
) -> tuple[Any, Any]:
    parts = urlsplit(url)
    try:
        host = (parts.hostname or "").encode("idna").decode()
    except UnicodeError:
        raise InputError("the host of this address is no valid name: check it") from None
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = resolve(host, port, allow_private=allow_private)
    timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS)
    pool: Any
    if parts.scheme == "https":
        pool = urllib3.HTTPSConnectionPool(
            address, port, timeout=timeout, retries=False, server_hostname=host, assert_hostname=host
        )
    else:
        pool = urllib3.HTTPConnectionPool(address, port, timeout=timeout, retries=False)
    _watch_connections(pool, patience)
    shown = f"[{host}]" if ":" in host else host
    sent = {
        "Host": shown if parts.port is None else f"{shown}:{parts.port}",
        "User-Agent": "audiogrid",
        "Accept-Encoding": "identity",
        **headers,
    }
    if "@" in parts.netloc:
        user = unquote(parts.netloc.rpartition("@")[0]).encode()
        sent["Authorization"] = f"Basic {base64.b64encode(user).decode()}"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        response = pool.request(
            method, target, body=body, headers=sent, redirect=False, preload_content=False, assert_same_host=False
        )
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        patience.end()
        pool.close()
        why = "it is too slow" if patience.is_over else _kind(error)
        raise RetryableError(f"{host} cannot be reached ({why})") from None
    if patience.is_over:
        # Headers that are cut off count as complete there.
        pool.close()
        raise RetryableError(f"{host} cannot be reached (it is too slow)")
    return pool, response


def _watch_connections(pool: Any, patience: _Patience) -> None:
    kind = pool.ConnectionCls

    class Watched(kind):  # type: ignore[misc,valid-type]
        def _new_conn(self) -> socket.socket:
            connected: socket.socket = super()._new_conn()
            patience.watch(connected)
            return connected

    pool.ConnectionCls = Watched


def _kind(error: BaseException) -> str:
    """The kind of an error; their own texts may quote the address with its secrets."""
    return type(error).__name__


def fetch(
    url: str,
    target: Path,
    *,
    most: int,
    allow_private: bool,
    seconds: float = 6 * 3600.0,
    is_wanted: Callable[[], bool] = lambda: True,
) -> int:
    """Download ``url`` into ``target``, synced. Returns its size in bytes.

    ``most``: bytes that are accepted; ``is_wanted``: asked now and then whether to go on. Raises ``InputError`` when it
    is refused, too large or never ends, ``RetryableError`` when another try may work.
    """
    began = time.monotonic()
    size = 0
    with request("GET", url, allow_private=allow_private) as answer:
        if answer.status != 200:
            kind = RetryableError if answer.status >= 500 or answer.status == 429 else InputError
            raise kind(f"the server answers {answer.status} instead of a file: check the address")
        length = answer.headers.get("Content-Length", "")
        announced = int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None
        if announced is not None and announced > most:
            raise InputError(f"the file has {announced / 1e6:.0f} MB; at most {most / 1e6:.0f} are accepted")
        asked = 0.0
        with target.open("wb") as file:
            for block in answer.blocks():
                size += len(block)
                if size > most:
                    raise InputError(f"the file has more than the {most / 1e6:.0f} MB that are accepted")
                file.write(block)
                spent = time.monotonic() - began
                if spent > asked + 1:
                    asked = spent
                    if not is_wanted():
                        raise InputError("it is not wanted any more")
                if spent > seconds or (spent > 60 and size < _SLOWEST * spent):
                    raise InputError("the address sends too slowly, or never ends: copy the file and upload it")
            file.flush()
            os.fsync(file.fileno())
        if answer.patience.is_over:
            raise RetryableError(f"the connection was silent after {size} bytes")
        if announced is not None and size != announced:
            raise RetryableError(f"the connection ended after {size} of {announced} bytes")
    return size
