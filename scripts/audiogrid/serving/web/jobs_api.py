"""The endpoints of jobs: hand in, watch, fetch, remove."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from audiogrid.core.errors import InputError, RetryableError
from audiogrid.export.formats import FORMATS
from audiogrid.serving import job_corrections
from audiogrid.serving.addresses import checked_url
from audiogrid.serving.callbacks import key_of
from audiogrid.serving.job_folder import JobFolder
from audiogrid.serving.job_queue import DONE, FAILED, JobRecord
from audiogrid.serving.service import Refused, Service, Wish
from audiogrid.serving.web.answers import event
from audiogrid.serving.web.forms import LONGEST_JSON, Form, read_form, short_body
from audiogrid.serving.web.openai_api import transcript
from audiogrid.serving.web.resumable import ResumableUploads

LOG = logging.getLogger("audiogrid.serving")
# Fields of a request that are no columns.
_OWN = frozenset(("model", "task", "address", "callback", "upload", "file"))
# Columns that name files: they are uploaded, never named as paths of this machine.
_FILE_COLUMNS = ("reference", "text", "rttm")
_COLUMN = re.compile(r"\w[\w .-]{0,63}")
_LONGEST_KEY = 200
# As much as a browser keeps for a page.
_LONGEST_CORRECTIONS = 16 << 20
_MEDIA_TYPES = {"json": "application/json", "vtt": "text/vtt", "html": "text/html", "docx": "application/octet-stream"}


def routes(service: Service, uploads: ResumableUploads) -> list[Route]:
    """Returns the endpoints."""
    endpoints = _JobEndpoints(service, uploads)
    return [
        Route("/v1/jobs", endpoints.create, methods=["POST"]),
        Route("/v1/jobs", endpoints.list_jobs, methods=["GET"]),
        Route("/v1/jobs/{job}", endpoints.status, methods=["GET"]),
        Route("/v1/jobs/{job}", endpoints.delete, methods=["DELETE"]),
        Route("/v1/jobs/{job}/events", endpoints.events, methods=["GET"]),
        Route("/v1/jobs/{job}/media", endpoints.media, methods=["GET"]),
        Route("/v1/jobs/{job}/transcript.{name:path}", endpoints.transcript, methods=["GET"]),
        Route("/v1/jobs/{job}/corrections", endpoints.corrections, methods=["GET", "PUT", "DELETE"]),
        Route("/v1/callback-key", endpoints.callback_key, methods=["GET"]),
    ]


class _JobEndpoints:
    def __init__(self, service: Service, uploads: ResumableUploads) -> None:
        self._service = service
        self._uploads = uploads

    def _job(self, request: Request) -> JobRecord:
        """Returns the job of a request. That of another client does not exist for this one."""
        record = self._service.queue.get(request.path_params["job"])
        if record is None or record.owner != request.state.owner:
            raise Refused(404, "there is no such job", code="not_found")
        request.scope["state"]["job"] = record.id
        return record

    async def create(self, request: Request) -> Response:
        """Accept a job: a form with a file, a form or JSON with an address or a finished upload."""
        owner: str = request.state.owner
        key = request.headers.get("idempotency-key")
        if key is not None and not 1 <= len(key) <= _LONGEST_KEY:
            raise Refused(400, f"Idempotency-Key has 1 to {_LONGEST_KEY} characters", code="bad_request")
        if key and (same := self._service.queue.same_request(owner, key)):
            return self._accepted(request, same)
        async with self._service.new_job(owner) as job:
            folder = JobFolder(self._service.state, job)
            form = await self._form(request, folder.upload)
            wish = self._wish(form, key)
            self._service.recipe(wish)
            record = await self._accept(job, owner, form, wish, folder)
            await asyncio.to_thread(self._uploads.forget, form.get("upload"))
        return self._accepted(request, record)

    async def _form(self, request: Request, folder: Path) -> Form:
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return await read_form(request, folder, self._service.refuse_size)
        body = await short_body(request, LONGEST_JSON, "the request is too long")
        try:
            given = json.loads(body)
            fields = [(str(name), str(value)) for name, value in given.items() if value is not None]
        except (ValueError, AttributeError, RecursionError):
            raise Refused(400, "the body is not a JSON object", code="bad_request") from None
        return Form(fields)

    async def _accept(self, job: str, owner: str, form: Form, wish: Wish, folder: JobFolder) -> JobRecord:
        given = [name for name in ("address", "upload") if form.get(name)] + ["file"] * ("file" in form.files)
        if len(given) != 1:
            raise Refused(400, "name the recording once: as a part file, an address, or a finished upload", "file")
        if given == ["address"]:
            return await self._service.accept_address(job, owner, wish, form.get("address"))
        if given == ["upload"]:
            name, stored, size = await asyncio.to_thread(self._uploads.take, owner, form.get("upload"), folder.upload)
            return await self._service.accept_file(job, owner, wish, name, stored, size)
        file = form.files["file"]
        if not file.size:
            raise Refused(400, "the file is empty", "file", "missing_file")
        return await self._service.accept_file(job, owner, wish, file.name, file.path.name, file.size)

    def _wish(self, form: Form, key: str | None) -> Wish:
        row: dict[str, str] = {}
        for name, value in form.fields:
            column = " ".join(name.split()).lower()
            if column in _OWN or not value:
                continue
            if column == "path" or column in _FILE_COLUMNS:
                raise Refused(422, f"{column} names a file: send the file itself as a part of this name", column)
            if not _COLUMN.fullmatch(column):
                raise Refused(422, f"{name[:80]!r} is not the name of a column", "column")
            row[column] = value
        for name, file in form.files.items():
            if name in _FILE_COLUMNS:
                row[name] = file.path.name
            elif name != "file":
                raise Refused(
                    422, f"the part {name[:80]!r} is unknown: send file, {', '.join(_FILE_COLUMNS)}", name[:80]
                )
        task = form.get("task", "transcribe")
        if task not in ("transcribe", "translate"):
            raise Refused(422, "task is transcribe or translate", "task")
        return Wish(form.get("model") or "auto", task, row, key, self._callback(form.get("callback")))

    def _callback(self, given: str) -> str:
        if not given:
            return ""
        try:
            return checked_url(given)
        except InputError as error:
            raise Refused(422, f"callback: {error}", "callback") from None

    def _accepted(self, request: Request, record: JobRecord) -> Response:
        request.scope["state"]["job"] = record.id
        return JSONResponse(self._told(record), 202, {"Location": f"/v1/jobs/{record.id}"})

    def _told(self, record: JobRecord) -> dict[str, Any]:
        """Returns what a client is told of its job."""
        place = self._service.queue.ahead_of(record) + 1 if record.status == "queued" else None
        names = ("recording", "duration", "model", "task", "device", "decode_seconds")
        links = {"self": f"/v1/jobs/{record.id}", "events": f"/v1/jobs/{record.id}/events"}
        if record.status == DONE:
            links |= {"corrections": f"/v1/jobs/{record.id}/corrections"}
            links |= {name: f"/v1/jobs/{record.id}/transcript.{name}" for name in FORMATS}
        return {
            "id": record.id,
            "status": record.status,
            "lane": record.lane,
            "place": place,
            "progress": round(self._service.share_done(record), 4),
            "name": record.fields["name"],
            "created": record.created,
            "started": record.started,
            "finished": record.finished,
            "error": record.error or None,
            **{name: record.fields[name] for name in names if record.fields.get(name) not in (None, "")},
            "links": links,
        }

    async def list_jobs(self, request: Request) -> Response:
        """The newest jobs of the client."""
        records = await asyncio.to_thread(self._service.queue.of_owner, request.state.owner)
        return JSONResponse({"jobs": [self._told(record) for record in records]})

    async def status(self, request: Request) -> Response:
        """State, progress and place in the queue."""
        return JSONResponse(self._told(self._job(request)))

    async def events(self, request: Request) -> Response:
        """A server-sent event at every change until the job has ended."""
        record = self._job(request)
        return StreamingResponse(self._event_stream(record.id), media_type="text/event-stream")

    async def _event_stream(self, job: str) -> AsyncIterator[bytes]:
        async with self._service.news_of(job) as news:
            while True:
                record = self._service.queue.get(job)
                if record is None:
                    yield event("removed", {"id": job})
                    return
                yield event("status", self._told(record))
                if record.is_final:
                    return
                while True:
                    try:
                        await asyncio.wait_for(news.wait(), 15.0)
                        break
                    except TimeoutError:
                        yield b": still here\n\n"
                news.clear()

    async def transcript(self, request: Request) -> Response:
        """The transcript in any format; the page has a player if the recording is still there."""
        record = self._job(request)
        name = request.path_params["name"]
        if name not in FORMATS:
            raise Refused(404, f"the format {name[:40]!r} is unknown: use {', '.join(FORMATS)}", "format")
        self._require_done(record)
        media = "media" if name == "html" and self._media(record) else ""
        try:
            content = await transcript(self._service, record, name, media)
        except InputError as error:
            raise Refused(500, str(error)) from None
        file = f"{record.fields['recording']}{FORMATS[name].ending}"
        headers = {"Content-Disposition": _disposition(file, inline=name in ("html", "txt", "json", "vtt", "srt"))}
        kind = _MEDIA_TYPES.get(name, "text/plain")
        return Response(
            content, media_type=f"{kind}; charset=utf-8" if kind.startswith("text") else kind, headers=headers
        )

    def _require_done(self, record: JobRecord) -> None:
        if record.status == FAILED:
            raise Refused(422, record.error, code="transcription_failed")
        if record.status != DONE:
            raise Refused(409, f"the job is {record.status}: there is no transcript", code="not_done")

    def _media(self, record: JobRecord) -> Path | None:
        path = JobFolder(self._service.state, record.id).upload / record.fields.get("file", "-")
        return path if path.is_file() else None

    async def media(self, request: Request) -> Response:
        """The recording itself, for the player."""
        path = self._media(self._job(request))
        if path is None:
            raise Refused(404, "the recording is not kept any more", code="not_found")
        return FileResponse(path, media_type="application/octet-stream", content_disposition_type="inline")

    async def corrections(self, request: Request) -> Response:
        """What the client has corrected in this recording: fetch it, add to it, or take it back."""
        record = self._job(request)
        self._require_done(record)
        if request.method == "GET":
            where = (self._service.state, record.owner, record.id, record.fields["recording"])
            path = await asyncio.to_thread(job_corrections.corrections_file, *where)
            if path is None:
                raise Refused(404, "nothing was corrected in this recording", code="not_found")
            return FileResponse(path, media_type="application/json", filename=path.name)
        if request.method == "DELETE":
            unfit = await self._change(record, job_corrections.withdraw)
            return JSONResponse({"id": record.id, "unfit": unfit})
        body = await short_body(request, _LONGEST_CORRECTIONS, "the corrections are too long: at most 16 MB")
        try:
            text = body.decode("utf-8-sig")
            unfit = await self._change(record, job_corrections.correct, text)
        except UnicodeDecodeError:
            raise Refused(400, "the corrections are not UTF-8", code="bad_request") from None
        except job_corrections.UnfitError as error:
            raise Refused(409, f"the corrections {error}", code="conflict") from None
        except InputError as error:
            raise Refused(422, f"the corrections cannot be used: the file {error}", code="bad_request") from None
        return JSONResponse({"id": record.id, "unfit": unfit})

    async def _change(self, record: JobRecord, change: Callable[..., list[str]], *text: str) -> list[str]:
        try:
            return await self._service.change_corrections(record, change, *text)
        except RetryableError as error:
            LOG.error("the transcripts of job %s cannot be corrected: %s", record.id, error)
            raise Refused(500, "the transcripts could not be written: send this again", code="not_written") from None

    async def delete(self, request: Request) -> Response:
        """Cancel a job that has not ended; remove one that has, and say what stays and why."""
        record = self._job(request)
        if not record.is_final:
            self._service.cancel(record)
            return JSONResponse({"id": record.id, "status": "cancelled", "removed": ["the recording"], "kept": []})
        told = await self._service.remove(record)
        return JSONResponse({"id": record.id, "status": "removed", **told})

    async def callback_key(self, request: Request) -> Response:
        """The key that the callbacks of this client's jobs are signed with."""
        key = await asyncio.to_thread(key_of, self._service.state, request.state.owner)
        return JSONResponse({"key": key})


def _disposition(name: str, *, inline: bool) -> str:
    from urllib.parse import quote

    plain = name.encode("ascii", "replace").decode().replace('"', "_").replace("?", "_")
    return f"{'inline' if inline else 'attachment'}; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}"
