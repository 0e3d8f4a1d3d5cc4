"""Storage on this machine for tests: a web server that misbehaves on request, and a real S3 protocol server."""

from __future__ import annotations

import re
import threading
import time
import urllib.request
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from require import require

KEYS = {"AWS_ACCESS_KEY_ID": "tester", "AWS_SECRET_ACCESS_KEY": "not-to-be-seen-0815"}


@dataclass
class Shelf:
    """Files of a web server by path. ``breaks``: path -> connections that break after ``after`` bytes of the body.

    ``status``: path -> answer instead of the file; ``needs``: path -> query without which it is forbidden.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    breaks: Counter = field(default_factory=Counter)
    after: int = 10_000
    status: dict[str, int] = field(default_factory=dict)
    needs: dict[str, str] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    ranges: bool = True
    head: bool = True
    tag: str = "v1"
    seen: list[tuple[str, str, str]] = field(default_factory=list)
    sent: Counter = field(default_factory=Counter)
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    shelf: Shelf

    def log_message(self, *_):
        pass

    def handle(self):
        # Readers hang up when they have seen enough.
        with suppress(ConnectionError):
            super().handle()

    def do_HEAD(self):
        self._answer(body=False)

    def do_GET(self):
        self._answer(body=True)

    def _status(self, path, query):
        shelf = self.shelf
        if path in shelf.status:
            return shelf.status[path]
        if path not in shelf.files:
            return 404
        if shelf.needs.get(path, "") not in query:
            return 403
        return 405 if self.command == "HEAD" and not shelf.head else 200

    def _answer(self, *, body):
        shelf, parts = self.shelf, urlsplit(self.path)
        path = parts.path
        shelf.seen.append((self.command, path, self.headers.get("Range", "")))
        if path in shelf.silent:
            time.sleep(3)
            self.close_connection = True
            return
        if path in shelf.redirects:
            self._send(302, b"", {"Location": shelf.redirects[path]}, body)
            return
        status = self._status(path, parts.query)
        if status != 200:
            self._send(status, b"<html>no</html>", {"Content-Type": "text/html"}, body)
            return
        data, headers = shelf.files[path], {"ETag": f'"{shelf.tag}"'}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked and shelf.ranges:
            start, end = int(asked[1]), int(asked[2] or len(data) - 1)
            if start >= len(data):
                self._send(416, b"", {}, body)
                return
            headers["Content-Range"] = f"bytes {start}-{min(end, len(data) - 1)}/{len(data)}"
            status, data = 206, data[start : end + 1]
        if body and shelf.breaks[path] > 0:
            shelf.breaks[path] -= 1
            self._send(status, data, headers, body, cut=shelf.after)
            self.close_connection = True
            return
        self._send(status, data, headers, body)

    def _send(self, status, data, headers, body, cut=None):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            if body:
                self.wfile.write(data if cut is None else data[:cut])
                self.shelf.sent[urlsplit(self.path).path] += len(data if cut is None else data[:cut])
        except OSError:
            # The reader has seen enough.
            self.close_connection = True


@contextmanager
def web_server():
    """A ``Shelf`` that is being served at its ``url``."""
    shelf = Shelf()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"shelf": shelf}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    shelf.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield shelf
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(frozen=True)
class Buckets:
    """An S3 service. ``client``: a boto3 client for it; ``environment``: what reaches it from other processes."""

    client: object
    environment: dict[str, str]

    def names(self, bucket: str) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


@contextmanager
def s3_server():
    """A real S3 protocol server (moto) on a free port."""
    try:
        import boto3
        import snakemake_storage_plugin_s3  # noqa: F401
        from moto.server import ThreadedMotoServer
    except ImportError as error:
        require("s3", False, f"{error}; pip install -e '.[test]'")
        raise
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    # All servers of one process share what they hold: an earlier test's buckets are none of ours.
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST"), timeout=30).close()
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
    )
    try:
        yield Buckets(client, {**KEYS, "AWS_ENDPOINT_URL": endpoint, "AWS_EC2_METADATA_DISABLED": "true"})
    finally:
        server.stop()
