"""Requests to addresses that clients name: recordings to fetch, callbacks to tell.

A host is resolved once, every address that it has is checked, and the connection goes to the checked one, so that a
name that changes its address in between (DNS rebinding) reaches nothing inside. Redirects are followed one by one,
each checked anew. No proxy, no ``.netrc`` and no cookie of this machine takes part.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import urllib3

from audiogrid.core.errors import InputError, RetryableError

_REDIRECTS = 5
_CONNECT_SECONDS = 10.0
_READ_SECONDS = 60.0
# Slower than this, in bytes per second, after the first minute: the address never ends.
_SLOWEST = 2_000
_BLOCK = 1 << 18

IP = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_public(address: IP) -> bool:
    """Whether an address lies outside this machine and private networks."""
    if isinstance(address, ipaddress.IPv6Address):
        for inner in (address.ipv4_mapped, address.sixtofour, address.teredo and address.teredo[1]):
            if inner:
                return is_public(inner)
        if address in ipaddress.ip_network("64:ff9b::/96"):
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
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


@dataclass(frozen=True)
class Answer:
    """The answer of a server. ``url``: where it came from in the end."""

    status: int
    headers: Mapping[str, str]
    url: str
    response: Any

    def blocks(self) -> Iterator[bytes]:
        """Yields the content as it arrives."""
        while block := self.response.read(_BLOCK):
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
) -> Iterator[Answer]:
    """Ask a server. Raises ``InputError`` for what is refused, ``RetryableError`` for what may pass."""
    seen: list[str] = []
    while True:
        url = checked_url(url)
        if url in seen:
            raise InputError("the address redirects to itself: check it")
        seen.append(url)
        pool, response = _ask(method, url, body, headers or {}, allow_private)
        try:
            target = response.headers.get("Location")
            if response.status in (301, 302, 303, 307, 308) and target:
                if len(seen) > redirects:
                    raise InputError(f"the address redirects more than {redirects} times: name where it leads to")
                url = urljoin(url, target)
                continue
            try:
                yield Answer(response.status, response.headers, url, response)
            except (urllib3.exceptions.HTTPError, OSError) as error:
                raise RetryableError(f"reading from {urlsplit(url).hostname} failed ({_kind(error)})") from None
            return
        finally:
            response.close()
            pool.close()


def _ask(method: str, url: str, body: bytes | None, headers: Mapping[str, str], allow_private: bool) -> tuple[Any, Any]:
    parts = urlsplit(url)
    host = (parts.hostname or "").encode("idna").decode()
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
    sent = {
        "Host": parts.netloc.rpartition("@")[2],
        "User-Agent": "audiogrid",
        "Accept-Encoding": "identity",
        **headers,
    }
    if "@" in parts.netloc:
        sent |= urllib3.make_headers(basic_auth=parts.netloc.rpartition("@")[0])
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        response = pool.request(
            method, target, body=body, headers=sent, redirect=False, preload_content=False, assert_same_host=False
        )
    except (urllib3.exceptions.HTTPError, OSError) as error:
        pool.close()
        raise RetryableError(f"{host} cannot be reached ({_kind(error)})") from None
    return pool, response


def _kind(error: BaseException) -> str:
    """The kind of an error; their own texts may quote the address with its secrets."""
    return type(error).__name__


def fetch(url: str, target: Path, *, most: int, allow_private: bool, seconds: float = 6 * 3600.0) -> int:
    """Download ``url`` into ``target``, synced. Returns its size in bytes.

    Raises ``InputError`` when it is refused, too large or never ends, ``RetryableError`` when another try may work.
    """
    began = time.monotonic()
    size = 0
    with request("GET", url, allow_private=allow_private) as answer:
        if answer.status != 200:
            kind = RetryableError if answer.status >= 500 or answer.status == 429 else InputError
            raise kind(f"the server answers {answer.status} instead of a file: check the address")
        announced = answer.headers.get("Content-Length", "")
        if announced.isdigit() and int(announced) > most:
            raise InputError(f"the file has {int(announced) / 1e6:.0f} MB; at most {most / 1e6:.0f} are accepted")
        with target.open("wb") as file:
            for block in answer.blocks():
                size += len(block)
                if size > most:
                    raise InputError(f"the file has more than the {most / 1e6:.0f} MB that are accepted")
                file.write(block)
                spent = time.monotonic() - began
                if spent > seconds or (spent > 60 and size < _SLOWEST * spent):
                    raise InputError("the address sends too slowly, or never ends: copy the file and upload it")
            file.flush()
            os.fsync(file.fileno())
        if announced.isdigit() and size != int(announced):
            raise RetryableError(f"the connection ended after {size} of {announced} bytes")
    return size
