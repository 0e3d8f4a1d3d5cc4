"""Uploads that can be resumed where a connection broke, with plain ``Content-Range``.

``POST /v1/uploads`` with ``{"name": ..., "size": ...}`` gives an address; ``PUT`` of ``Content-Range: bytes
first-last/size`` to it adds to what is there; the answer 308 has a header ``Range`` with what has arrived, as does the
answer to an empty ``PUT`` with ``Content-Range: bytes */size``. The finished upload is named in ``POST /v1/jobs``.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from audiogrid.core.atomic_files import read_json, write_json
from audiogrid.serving.job_folder import TABLE
from audiogrid.serving.service import Refused, Service
from audiogrid.serving.web.file_names import free_name, shown_name
from audiogrid.serving.web.forms import LONGEST_JSON, blocks_of, short_body

_RANGE = re.compile(r"bytes (?:(\d{1,15})-(\d{1,15})|\*)/(\d{1,15})")
_ID = re.compile(r"[0-9a-f]{24}")
# Unfinished uploads are removed after this time.
_KEPT_SECONDS = 3 * 86400.0
# Uploads that one client may have begun and not handed in.
_MOST = 100


class ResumableUploads:
    """The folder ``uploads/`` below the state folder: a folder per upload with its facts and its data."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._root = service.state / "uploads"
        self._writing: set[str] = set()

    def routes(self) -> list[Route]:
        """Returns the endpoints."""
        return [
            Route("/v1/uploads", self.create, methods=["POST"]),
            Route("/v1/uploads/{upload}", self.put, methods=["PUT"]),
            Route("/v1/uploads/{upload}", self.delete, methods=["DELETE"]),
        ]

    def remove_old(self) -> None:
        """Remove uploads that nobody went on with."""
        for path in self._root.glob("*"):
            with suppress(OSError):
                newest = max(one.stat().st_mtime for one in (path, *path.iterdir()))
                if time.time() - newest > _KEPT_SECONDS:
                    shutil.rmtree(path, ignore_errors=True)

    def _refuse_many(self, owner: str) -> None:
        """Raise ``Refused`` when a client has begun too many uploads."""
        own = 0
        for path in self._root.glob("*/facts.json"):
            with suppress(OSError, ValueError):
                own += read_json(path).get("owner") == owner
        if own >= _MOST:
            raise Refused(429, "this client has too many unfinished uploads", code="too_many_uploads", retry=60)

    def _facts(self, owner: str, upload: str) -> dict[str, Any]:
        try:
            facts: dict[str, Any] = read_json(self._root / upload / "facts.json") if _ID.fullmatch(upload) else {}
        except (OSError, ValueError):
            facts = {}
        if facts.get("owner") != owner:
            raise Refused(404, "there is no such upload", "upload", "not_found")
        return facts

    def _data(self, upload: str) -> Path:
        return self._root / upload / "data"

    def _arrived(self, upload: str) -> int:
        try:
            return self._data(upload).stat().st_size
        except OSError:
            return 0

    async def create(self, request: Request) -> Response:
        """Begin an upload."""
        owner: str = request.state.owner
        body = await short_body(request, LONGEST_JSON, "the request is too long")
        try:
            given = json.loads(body)
            name, size = shown_name(str(given["name"])), int(given["size"])
        except (ValueError, KeyError, TypeError, RecursionError):
            raise Refused(400, 'send {"name": "talk.mp3", "size": 123456}', code="bad_request") from None
        if size <= 0:
            raise Refused(400, "size is the number of bytes of the file", "size")
        self._service.refuse_early(owner)
        self._service.refuse_size(size, size)
        await asyncio.to_thread(self._refuse_many, owner)
        upload = secrets.token_hex(12)
        await asyncio.to_thread(
            write_json, self._root / upload / "facts.json", {"owner": owner, "name": name, "size": size}
        )
        return JSONResponse({"id": upload, "size": size}, 201, {"Location": f"/v1/uploads/{upload}"})

    async def put(self, request: Request) -> Response:
        """Add to an upload, or ask how much has arrived."""
        upload = request.path_params["upload"]
        facts = self._facts(request.state.owner, upload)
        found = _RANGE.fullmatch(request.headers.get("content-range", ""))
        if found is None or int(found[3]) != facts["size"]:
            raise Refused(400, f"Content-Range: bytes first-last/{facts['size']} is missing", code="bad_request")
        if found[1] is not None and self._arrived(upload) == facts["size"] and upload not in self._writing:
            # Sent again because the answer was lost. A job may refer to it by now: nothing is written any more.
            async for _ in blocks_of(request):
                pass
        elif found[1] is not None:
            await self._append(request, upload, int(found[1]), int(found[2]), facts["size"])
        return self._state(upload, facts["size"])

    async def _append(self, request: Request, upload: str, first: int, last: int, size: int) -> None:
        if upload in self._writing:
            raise Refused(409, "another request is adding to this upload", code="conflict")
        arrived = self._arrived(upload)
        if first > arrived or last >= size or last < first:
            raise Refused(416, f"{arrived} bytes have arrived: go on from there", code="bad_range")
        self._writing.add(upload)
        try:
            with self._data(upload).open("ab") as file:
                file.seek(first)
                file.truncate()
                left = last - first + 1
                try:
                    async for block in blocks_of(request):
                        if len(block) > left:
                            raise Refused(400, "the body is longer than Content-Range says", code="bad_request")
                        self._service.refuse_size(size, len(block))
                        await asyncio.to_thread(file.write, block)
                        left -= len(block)
                finally:
                    # What has arrived counts, also where the connection broke.
                    await asyncio.to_thread(_sync, file)
        except OSError as error:
            raise Refused(507, f"the upload cannot be stored ({error.strerror})", code="disk_full") from None
        finally:
            self._writing.discard(upload)

    def _state(self, upload: str, size: int) -> Response:
        arrived = self._arrived(upload)
        headers = {"Range": f"bytes=0-{arrived - 1}"} if arrived else {}
        return JSONResponse({"id": upload, "arrived": arrived, "size": size}, 200 if arrived == size else 308, headers)

    async def delete(self, request: Request) -> Response:
        """Give up an upload."""
        upload = request.path_params["upload"]
        self._facts(request.state.owner, upload)
        await asyncio.to_thread(shutil.rmtree, self._root / upload, True)
        return Response(status_code=204)

    def take(self, owner: str, upload: str, folder: Path) -> tuple[str, str, int]:
        """Move a finished upload into ``folder``. Returns its name, its name there, and its size."""
        facts = self._facts(owner, upload)
        if self._arrived(upload) != facts["size"]:
            raise Refused(409, "the upload is not finished", "upload", "not_finished")
        if upload in self._writing:
            raise Refused(409, "another request is adding to this upload", "upload", "conflict")
        folder.mkdir(parents=True, exist_ok=True)
        stored = free_name(facts["name"], {TABLE, *(path.name for path in folder.iterdir())})
        # The upload stays until the job is accepted: a link, not a move.
        try:
            (folder / stored).hardlink_to(self._data(upload))
        except OSError:
            with self._data(upload).open("rb") as source, (folder / stored).open("xb") as copy:
                shutil.copyfileobj(source, copy)
                _sync(copy)
        return facts["name"], stored, facts["size"]

    def forget(self, upload: str) -> None:
        """Remove an upload that became a job."""
        if _ID.fullmatch(upload):
            (self._root / upload / "facts.json").unlink(missing_ok=True)
            shutil.rmtree(self._root / upload, ignore_errors=True)


def _sync(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())
