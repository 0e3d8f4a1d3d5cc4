"""Single files on web servers, through requests (its ``.netrc``, proxies and certificates).

snakemake-storage-plugin-http 0.3.1 waits for ever where a server says nothing, and stores an error
page as if it were the file; so it is not used.
"""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import NoReturn

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from audiogrid.remote.address import Address
from audiogrid.remote.service_protocol import (
    CONNECT_SECONDS,
    READ_SECONDS,
    RemoteError,
    RemoteFacts,
    changed,
    missing,
    refused,
    unreachable,
)
from audiogrid.remote.storage_services import storage_addresses

# 0.5, 1 and 2 seconds between the tries.
_TRIES = Retry(
    total=3,
    backoff_factor=0.5,
    status_forcelist=(429, 500, 502, 503, 504),
    allowed_methods=("GET", "HEAD"),
    raise_on_status=False,
    backoff_max=30,
)
# Servers that know no HEAD, or whose signed addresses are good for GET alone.
_NO_HEAD = {400, 401, 403, 404, 405, 501}


def _explained(error: Exception) -> RemoteError:
    """What an exception of requests means; their own texts quote the address with all its secrets."""
    if isinstance(error, RemoteError):
        return error
    if isinstance(error, requests.exceptions.SSLError):
        return refused("the server's certificate is not valid", "check the address, or set REQUESTS_CA_BUNDLE")
    if isinstance(error, requests.exceptions.TooManyRedirects):
        return refused("it redirects in circles", "check the address")
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        return RemoteError("missing", "This is not a valid web address: check it.")
    if isinstance(error, requests.exceptions.Timeout):
        return unreachable("no answer in time")
    if isinstance(error, requests.exceptions.ConnectionError):
        return unreachable("no connection")
    return unreachable(type(error).__name__)


def _check(answer: requests.Response) -> None:
    status = answer.status_code
    if status in (200, 206):
        return
    if status in (404, 410):
        raise missing()
    if status in (412, 416):
        raise changed()
    if status in (401, 403, 407):
        raise refused(f"status {status}", "check the address and its signature, or the credentials in ~/.netrc")
    if status in (408, 425, 429) or status >= 500:
        raise unreachable(f"it answers {status}", "wait a little")
    raise refused(f"status {status}", "check the address")


def _facts(answer: requests.Response) -> RemoteFacts:
    """Raises ``RemoteError`` when the server does not say how long the file is."""
    total = answer.headers.get("Content-Range", "").rpartition("/")[2]
    if answer.status_code != 206:
        total = answer.headers.get("Content-Length", "")
    if not total.isdigit() or answer.headers.get("Content-Encoding", "identity") != "identity":
        raise RemoteError("refused", "The server does not say how long the file is: download it and name the copy.")
    try:
        seconds = parsedate_to_datetime(answer.headers["Last-Modified"]).timestamp()
    except (KeyError, ValueError, TypeError):
        seconds = 0.0
    return RemoteFacts.of(int(total), seconds, answer.headers.get("ETag"))


class _Body:
    def __init__(self, answer: requests.Response) -> None:
        self._answer = answer

    def read(self, size: int) -> bytes:
        try:
            return bytes(self._answer.raw.read(size, decode_content=False))
        except Exception as error:
            # Whatever it was, the same bytes may come through the next time.
            raise RemoteError("unreachable", f"the connection broke, {type(error).__name__}") from None

    def close(self) -> None:
        self._answer.close()


class WebService:
    """A session with bounded waiting and bounded retries."""

    def __init__(self) -> None:
        self._session = requests.Session()
        for prefix in ("https://", "http://"):
            self._session.mount(prefix, HTTPAdapter(max_retries=_TRIES, pool_maxsize=16))

    def _ask(self, verb: str, address: Address, headers: dict[str, str]) -> requests.Response:
        try:
            return self._session.request(
                verb,
                address.url,
                headers={"Accept-Encoding": "identity", **headers},
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=True,
                stream=True,
            )
        except Exception as error:
            raise _explained(error) from None

    def facts(self, address: Address) -> RemoteFacts:
        """From HEAD; from the beginning of a GET where the server does not answer that."""
        with self._ask("HEAD", address, {}) as answer:
            if answer.status_code not in _NO_HEAD and answer.headers.get("Content-Length", "0") != "0":
                _check(answer)
                return _facts(answer)
        with self._ask("GET", address, {"Range": "bytes=0-0"}) as answer:
            if answer.status_code == 416:
                # Nothing to give a range of.
                return RemoteFacts.of(0, 0.0, answer.headers.get("ETag"))
            _check(answer)
            return _facts(answer)

    def list(self, address: Address) -> Iterator[tuple[str, RemoteFacts]]:
        """Web servers have no listing."""
        raise refused("a web server lists no files", "write the address of every file into a table")

    def read_from(self, address: Address, start: int, facts: RemoteFacts) -> tuple[_Body, int]:
        """An open-ended range; the whole file from a server without ranges."""
        answer = self._ask("GET", address, {"Range": f"bytes={start}-"})
        try:
            _check(answer)
            now = _facts(answer)
            if now.size != facts.size or (facts.tag and now.tag and now.tag != facts.tag):
                raise changed()
        except BaseException:
            answer.close()
            raise
        return _Body(answer), start if answer.status_code == 206 else 0

    def put(self, path: Path, address: Address, media_type: str) -> NoReturn:
        """Web servers take no files."""
        raise refused("nothing can be stored on a web server", f"use {storage_addresses()}")
