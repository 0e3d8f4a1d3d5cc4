"""OpenAI's endpoints for transcription, for clients that were written for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from audiogrid.core.language_codes import check_language
from audiogrid.core.text import clean_text
from audiogrid.serving.job_folder import JobFolder
from audiogrid.serving.job_queue import CANCELLED, QUEUED, JobRecord
from audiogrid.serving.recipes import AUTO_NAMES
from audiogrid.serving.service import Refused, Service, Wish
from audiogrid.serving.web.answers import event
from audiogrid.serving.web.forms import Form, read_form

FORMATS = ("json", "text", "srt", "vtt", "verbose_json")
GRANULARITIES = ("segment", "word")
#: Tells a client that something it asked for is not heeded.
IGNORED_HEADER = "X-Audiogrid-Ignored"
JOB_HEADER = "X-Audiogrid-Job"
DEVICE_HEADER = "X-Audiogrid-Device"
_FIELDS = frozenset(
    "file model language prompt hotwords response_format temperature timestamp_granularities stream include "
    "chunking_strategy".split()
)


def routes(service: Service) -> list[Route]:
    """Returns the endpoints."""

    async def transcribe(request: Request) -> Response:
        return await _answer(service, request, "transcribe")

    async def translate(request: Request) -> Response:
        return await _answer(service, request, "translate")

    async def models(request: Request) -> Response:
        names = [*AUTO_NAMES, *service.recipes.allowed]
        entries = [{"id": name, "object": "model", "created": 0, "owned_by": "audiogrid"} for name in names]
        return JSONResponse({"object": "list", "data": entries})

    async def model(request: Request) -> Response:
        name = request.path_params["model"]
        if name not in (*AUTO_NAMES, *service.recipes.allowed):
            raise Refused(404, f"the model {name!r} is not offered here", "model", "model_not_found")
        return JSONResponse({"id": name, "object": "model", "created": 0, "owned_by": "audiogrid"})

    return [
        Route("/v1/audio/transcriptions", transcribe, methods=["POST"]),
        Route("/v1/audio/translations", translate, methods=["POST"]),
        Route("/v1/models", models),
        Route("/v1/models/{model}", model),
    ]


async def _answer(service: Service, request: Request, task: str) -> Response:
    owner: str = request.state.owner
    async with service.new_job(owner) as job:
        form = await read_form(request, JobFolder(service.state, job).upload, service.refuse_size)
        _check(form)
        file = form.files.get("file")
        if file is None or not file.size:
            raise Refused(400, "the part file is missing or empty: send a recording", "file", "missing_file")
        row = {name: form.get(name) for name in ("language", "prompt", "hotwords") if form.get(name)}
        wish = Wish(form.get("model") or "auto", task, row, sync=True)
        service.recipe(wish)
        try:
            record = await service.accept_file(job, owner, wish, file.name, file.path.name, file.size)
        except Refused as error:
            # OpenAI answers 400 to a file or a field that it cannot use.
            raise Refused(
                400 if error.status in (415, 422) else error.status, error.message, "file", error.code
            ) from None
    request.scope["state"]["job"] = record.id
    headers = {JOB_HEADER: record.id}
    if form.get("temperature") not in ("", "0", "0.0"):
        headers[IGNORED_HEADER] = "temperature"
    if form.get("stream").lower() in ("true", "1"):
        return StreamingResponse(_stream(service, request, record), media_type="text/event-stream", headers=headers)
    ended = await _wait(service, request, record)
    headers[DEVICE_HEADER] = str(ended.fields.get("device", "")).encode("ascii", "replace").decode()
    return await _rendered(service, ended, form, task, headers)


def _check(form: Form) -> None:
    """Raise ``Refused`` for fields that cannot be meant."""
    for name, _ in form.fields:
        if name.removesuffix("[]") not in _FIELDS:
            raise Refused(400, f"the field {name!r} is unknown; known: {', '.join(sorted(_FIELDS))}", name)
    if unknown := next((name for name in form.files if name != "file"), None):
        raise Refused(400, f"the part {unknown!r} is unknown: the recording is called file", unknown)
    wanted = form.get("response_format", "json")
    if wanted not in FORMATS:
        raise Refused(400, f"response_format {wanted!r} is unknown: use {', '.join(FORMATS)}", "response_format")
    for name in form.all("timestamp_granularities"):
        if name not in GRANULARITIES:
            raise Refused(400, f"{name!r} is unknown: use segment or word", "timestamp_granularities")
        if wanted != "verbose_json":
            raise Refused(400, "timestamp_granularities need response_format verbose_json", "timestamp_granularities")
    try:
        warm = float(form.get("temperature") or 0)
    except ValueError:
        warm = -1.0
    if not 0 <= warm <= 2:
        raise Refused(400, "temperature is a number from 0 to 1", "temperature")
    language = form.get("language")
    if language and (wrong := check_language(language)):
        raise Refused(400, f"language {wrong}", "language")


async def _wait(service: Service, request: Request, record: JobRecord) -> JobRecord:
    """Returns the job when it is done. Raises ``Refused`` when it failed; a client that leaves cancels it."""
    waiting = asyncio.create_task(service.wait_for(record.id))
    leaving = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            _leave(service, record)
            raise Refused(499, "the client went away")
        ended = waiting.result()
    except asyncio.CancelledError:
        _leave(service, record)
        raise
    finally:
        waiting.cancel()
        leaving.cancel()
    if ended is None or ended.status == CANCELLED:
        raise Refused(409, "the job was cancelled", code="cancelled")
    if ended.error:
        raise Refused(422, ended.error, "file", "transcription_failed")
    return ended


async def _gone(request: Request) -> None:
    while not await request.is_disconnected():
        await asyncio.sleep(1.0)


def _leave(service: Service, record: JobRecord) -> None:
    """Cancel a job that nobody waits for, unless it is at work: its result is in the store when it is sent again."""
    now = service.queue.get(record.id)
    if now is not None and now.status == QUEUED:
        service.cancel(now)


async def _rendered(service: Service, record: JobRecord, form: Form, task: str, headers: Mapping[str, str]) -> Response:
    wanted = form.get("response_format", "json")
    if wanted in ("srt", "vtt"):
        return PlainTextResponse(await transcript(service, record, wanted), headers=dict(headers))
    document = await asyncio.to_thread(JobFolder(service.state, record.id).document, record.fields["recording"])
    text = text_of(document)
    if wanted == "text":
        return PlainTextResponse(f"{text}\n", headers=dict(headers))
    if wanted == "verbose_json":
        granularities = form.all("timestamp_granularities") or ["segment"]
        return JSONResponse(verbose(document, task, granularities), headers=dict(headers))
    usage = {"type": "duration", "seconds": round(document["duration"])}
    return JSONResponse({"text": text, "usage": usage}, headers=dict(headers))


async def transcript(service: Service, record: JobRecord, name: str, media: str = "") -> bytes:
    """Returns the content of a format. Formats that were not written, and pages with a player, are rendered now."""
    recording = record.fields["recording"]
    path = JobFolder(service.state, record.id).transcript(recording, name)
    if not media and path.exists():
        return await asyncio.to_thread(path.read_bytes)
    return await service.inspector.render(service.state, record.id, recording, name, media, service.merge)


async def _stream(service: Service, request: Request, record: JobRecord) -> AsyncIterator[bytes]:
    """Yields OpenAI's events: a delta per segment, then the whole text."""
    yield b": accepted\n\n"
    waiting = asyncio.create_task(_wait(service, request, record))
    try:
        while not (await asyncio.wait({waiting}, timeout=15.0))[0]:
            yield b": working\n\n"
        ended = waiting.result()
    except Refused as error:
        told = {"message": error.message, "type": "server_error", "param": error.param, "code": error.code}
        yield event("", {"type": "error", "error": told})
        return
    finally:
        waiting.cancel()
    document = await asyncio.to_thread(JobFolder(service.state, record.id).document, ended.fields["recording"])
    for number, segment in enumerate(document["segments"]):
        piece = " ".join(clean_text(segment["text"]).split())
        yield event("", {"type": "transcript.text.delta", "delta": f" {piece}" if number else piece})
    yield event("", {"type": "transcript.text.done", "text": text_of(document)})
    yield b"data: [DONE]\n\n"


def text_of(document: Mapping[str, Any]) -> str:
    """Returns the running text of a document."""
    return " ".join(" ".join(clean_text(one["text"]).split()) for one in document["segments"])


def verbose(document: Mapping[str, Any], task: str, granularities: Sequence[str]) -> dict[str, Any]:
    """Returns a document as OpenAI's ``verbose_json``."""
    segments = [
        {
            "id": number,
            "seek": round(one["start"] * 100),
            "start": one["start"],
            "end": one["end"],
            "text": one["text"],
            "tokens": [],
            "temperature": one["temperature"],
            "avg_logprob": one["avg_logprob"],
            "compression_ratio": one["compression_ratio"],
            "no_speech_prob": one["no_speech_prob"],
        }
        for number, one in enumerate(document["segments"])
    ]
    words = [
        {"word": word["word"].strip(), "start": word["start"], "end": word["end"]}
        for one in document["segments"]
        for word in one["words"]
    ]
    return {
        "task": task,
        "language": language_name(str(document.get("language") or "")),
        "duration": document["duration"],
        "text": text_of(document),
        **({"segments": segments} if "segment" in granularities else {}),
        **({"words": words} if "word" in granularities else {}),
        "usage": {"type": "duration", "seconds": round(document["duration"])},
    }


def language_name(code: str) -> str:
    """Returns the English name of a language in lower case, as OpenAI writes it; the code where there is none."""
    from babel import Locale, UnknownLocaleError

    try:
        return (Locale.parse(code).get_language_name("en") or code).lower()
    except (UnknownLocaleError, ValueError, TypeError):
        return code
