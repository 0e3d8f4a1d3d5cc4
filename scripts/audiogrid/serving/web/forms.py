"""Reads multipart forms as they arrive: files go to the disk block by block, fields stay in memory."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from audiogrid.serving.job_folder import TABLE
from audiogrid.serving.service import Refused
from audiogrid.serving.web.file_names import free_name, shown_name

_MOST_FIELDS = 64
_LONGEST_FIELD = 64 << 10
# Bytes of a request in JSON.
LONGEST_JSON = 64 << 10
_MOST_HEADERS = 16
# Seconds without a byte after which an upload is given up.
SILENCE_SECONDS = 60.0
# Bytes a second that must have arrived on average once so much time is over: a byte now and then is no upload.
SLOWEST_UPLOAD = 100.0
# Bytes that are written to the disk at once.
_BLOCK = 1 << 20


@dataclass(frozen=True)
class UploadedFile:
    """A file of a form. ``name``: as the client calls it; ``path``: where it lies."""

    name: str
    path: Path
    size: int


@dataclass
class Form:
    """Fields in their order, and files by field."""

    fields: list[tuple[str, str]] = field(default_factory=list)
    files: dict[str, UploadedFile] = field(default_factory=dict)

    def get(self, name: str, default: str = "") -> str:
        """Returns the last value of a field."""
        return next((value for key, value in reversed(self.fields) if key == name), default)

    def all(self, name: str) -> list[str]:
        """Returns all values of a field, which may also be written with brackets behind its name."""
        return [value for key, value in self.fields if key in (name, f"{name}[]")]


async def blocks_of(request: Request) -> AsyncIterator[bytes]:
    """Yields the body of a request. Raises ``Refused`` when the client falls silent or goes away."""
    stream = request.stream().__aiter__()
    began, received = time.monotonic(), 0
    while True:
        try:
            block = await asyncio.wait_for(anext(stream), SILENCE_SECONDS)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise Refused(408, "the upload stopped: send it again", code="upload_stopped") from None
        except ClientDisconnect:
            raise Refused(400, "the connection ended before the upload did", code="upload_stopped") from None
        received += len(block)
        waited = time.monotonic() - began
        if waited > SILENCE_SECONDS and received < SLOWEST_UPLOAD * waited:
            raise Refused(408, "the upload is too slow: send it again", code="upload_stopped")
        if block:
            yield block


async def short_body(request: Request, most: int, refusal: str) -> bytes:
    """Returns the body of a request. Raises ``Refused`` with ``refusal`` when it has more than ``most`` bytes."""
    body = b""
    async for block in blocks_of(request):
        body += block
        if len(body) > most:
            raise Refused(413, refusal, code="bad_request")
    return body


def content_length(request: Request) -> int:
    """Returns the announced size of a body; 0 where none is announced. Raises ``Refused``."""
    given = request.headers.get("content-length", "0")
    if not re.fullmatch(r"[0-9]{1,18}", given):
        raise Refused(400, "Content-Length is not a number", code="bad_request")
    return int(given)


class _Parts:
    """Takes the events of the parser. Files are collected in blocks until ``flush`` writes them."""

    def __init__(self, folder: Path, check_size: Callable[[int, int], None]) -> None:
        self.form = Form()
        self._written = 0
        self._folder = folder
        self._check_size = check_size
        self._header = b""
        self._value = b""
        self._headers: dict[str, bytes] = {}
        self._name = ""
        self._file: IO[bytes] | None = None
        self._given = ""
        self._data = bytearray()
        self._size = 0

    def begin(self) -> None:
        """A part begins."""
        self._headers, self._header, self._value, self._file = {}, b"", b"", None
        self._data = bytearray()

    def header_name(self, data: bytes, start: int, end: int) -> None:
        """Some of the name of a header."""
        self._header += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        """Some of the value of a header."""
        self._value += data[start:end]
        if len(self._value) + len(self._header) > 8192:
            raise Refused(400, "a header of a part is too long", code="bad_request")

    def header_end(self) -> None:
        """A header is complete."""
        self._headers[self._header.lower().decode("latin-1")] = self._value
        if len(self._headers) > _MOST_HEADERS:
            raise Refused(400, "a part has too many headers", code="bad_request")
        self._header = self._value = b""

    def headers_end(self) -> None:
        """The headers of a part are complete."""
        _, options = parse_options_header(self._headers.get("content-disposition", b""))
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        if not self._name:
            raise Refused(400, "a part of the form has no name", code="bad_request")
        if len(self.form.fields) + len(self.form.files) >= _MOST_FIELDS:
            raise Refused(400, f"the form has more than {_MOST_FIELDS} parts", code="bad_request")
        if b"filename" not in options:
            return
        self._given = options[b"filename"].decode("utf-8", "replace")
        if self._name in self.form.files:
            raise Refused(400, f"the form has several files called {self._name!r}: send one", self._name)
        self._folder.mkdir(parents=True, exist_ok=True)
        taken = {TABLE, *(known.path.name for known in self.form.files.values())}
        path = self._folder / free_name(self._given, taken)
        self._file = path.open("xb")
        self._size = 0
        self.form.files[self._name] = UploadedFile(shown_name(self._given), path, 0)

    def data(self, data: bytes, start: int, end: int) -> None:
        """Some of the content of a part."""
        self._data += data[start:end]
        if self._file is None and len(self._data) > _LONGEST_FIELD:
            raise Refused(400, f"the field {self._name!r} is too long", self._name)

    def end(self) -> None:
        """A part is complete."""
        if self._file is None:
            self.form.fields.append((self._name, self._data.decode("utf-8", "replace")))
        else:
            self.flush(0)
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            known = self.form.files[self._name]
            self.form.files[self._name] = UploadedFile(known.name, known.path, self._size)
        self._data = bytearray()
        self._file = None

    def flush(self, least: int = _BLOCK) -> None:
        """Write what has been collected of a file, if it is at least so many bytes."""
        if self._file is not None and len(self._data) >= max(1, least):
            self._file.write(self._data)
            self._size += len(self._data)
            # All files of the form together.
            self._written += len(self._data)
            self._data = bytearray()
            self._check_size(self._written, 0)

    def close(self) -> None:
        """Close what is open."""
        if self._file is not None:
            self._file.close()


async def read_form(request: Request, folder: Path, check_size: Callable[[int, int], None]) -> Form:
    """Returns the form of a request; its files lie in ``folder``, synced.

    ``check_size``: called with the bytes of the files so far, or as announced, and those of them that are not on the
    disk yet; raises ``Refused`` where they are too many. Raises ``Refused`` for a body that is no form, ends early or
    falls silent.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise Refused(
            415 if kind else 400,
            "send the recording as multipart/form-data with a part called file",
            code="bad_request",
        )
    announced = content_length(request)
    check_size(announced, announced)
    parts = _Parts(folder, check_size)
    parser = MultipartParser(
        boundary,
        {
            "on_part_begin": parts.begin,
            "on_header_field": parts.header_name,
            "on_header_value": parts.header_value,
            "on_header_end": parts.header_end,
            "on_headers_finished": parts.headers_end,
            "on_part_data": parts.data,
            "on_part_end": parts.end,
        },
    )

    def feed(block: bytes) -> None:
        parser.write(block)
        parts.flush()

    waiting = bytearray()
    try:
        async for block in blocks_of(request):
            waiting += block
            if len(waiting) >= _BLOCK:
                # Writing and syncing may wait for the disk; nobody else should.
                await asyncio.to_thread(feed, bytes(waiting))
                waiting.clear()
        await asyncio.to_thread(feed, bytes(waiting))
        parser.finalize()
    except FormParserError as error:
        raise Refused(400, f"the form cannot be read ({error})", code="bad_request") from None
    except OSError as error:
        raise Refused(507, f"the upload cannot be stored ({error.strerror})", code="disk_full") from None
    finally:
        parts.close()
    return parts.form
