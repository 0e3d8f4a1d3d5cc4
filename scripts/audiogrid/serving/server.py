"""Puts the service together, and runs it until it is told to end."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiogrid.core.errors import InputError
from audiogrid.core.secrets import masked
from audiogrid.hardware.cores import divide, usable_cores, usable_memory
from audiogrid.models.registry import load_registry, model_hash
from audiogrid.orchestration.project import start_options
from audiogrid.serving import lanes, rehearsal
from audiogrid.serving.job_queue import JobRecord
from audiogrid.serving.lease import Lease
from audiogrid.serving.long_lane import registry_file
from audiogrid.serving.recipes import Recipes
from audiogrid.serving.removal import OWN_STORE
from audiogrid.serving.service import Service
from audiogrid.serving.tokens import Tokens
from audiogrid.serving.warm_workers import WarmWorkers, on_gpus, worker_settings
from audiogrid.serving.watching import WatchedFolder
from audiogrid.serving.web.app import build
from audiogrid.serving.web.connections import TimedConnection
from audiogrid.serving.web.guard import is_loopback
from audiogrid.serving.web.openai_api import language_name
from audiogrid.serving.web.resumable import ResumableUploads
from audiogrid.transcribing.worker import WorkerSettings

LOG = logging.getLogger("audiogrid.serving")
# Seconds that open requests have at the end.
_GRACE_SECONDS = 2
_MOST_CONNECTIONS = 2000


@dataclass(frozen=True)
class ServerOptions:
    """What the command line says. ``tls``: files of certificate and key; ``scan_seconds``: of the watched folder."""

    host: str = "127.0.0.1"
    port: int = 8010
    state: Path = Path("service")
    profile: str = "local"
    watch: Path | None = None
    watch_results: Path | None = None
    tls: tuple[Path, Path] | None = None
    scan_seconds: float = 2.0


def serve(options: ServerOptions, configuration: Mapping[str, Any]) -> None:
    """Run the service until SIGTERM or SIGINT. Raises ``InputError`` where it must not or cannot start."""
    _set_up_logs()
    options.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    tokens = Tokens(options.state)
    needs_token = bool(tokens.names())
    if not is_loopback(options.host) and not needs_token:
        raise InputError(
            f"--host {options.host} lets other machines in, so clients need tokens: make one first with "
            "`audiogrid serve token add NAME`"
        )
    if not is_loopback(options.host) and options.tls is None:
        print(
            "warning: tokens and recordings cross the network unencrypted: put a proxy with TLS before the service, or "
            "give --tls",
            file=sys.stderr,
        )
    # A profile that is not there is said now, not at the first long recording.
    start_options(options.profile, Path.cwd())
    lease = Lease(options.state)
    try:
        asyncio.run(_Server(options, configuration, tokens, needs_token=needs_token).run())
    finally:
        lease.release()


def _set_up_logs() -> None:
    for name in ("audiogrid.serving", "audiogrid.requests"):
        logger = logging.getLogger(name)
        if not logger.handlers:
            handler = logging.StreamHandler(sys.stderr)
            pattern = "%(message)s" if name.endswith("requests") else "%(asctime)s %(levelname)s %(message)s"
            handler.setFormatter(_Masking(pattern))
            logger.addHandler(handler)
            logger.setLevel(logging.INFO)
            logger.propagate = False


class _Masking(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


def plan_workers(
    configuration: Mapping[str, Any], recipes: Recipes, models: Path, state: Path, store: Path
) -> list[WorkerSettings]:
    """Returns the settings of the worker processes: one per GPU, or as many as cores and memory allow."""
    given = configuration["service"]["workers"]
    sizes = {name: (models / name / "model.bin").stat().st_size for name in recipes.all_models}
    first = models / next(iter(recipes.all_models))
    threads = configuration["workers"]["threads"]
    # Each process may have to hold all models.
    division = divide(usable_cores(), sum(sizes.values()), usable_memory(), given, threads)
    settings = worker_settings(
        first,
        model_hash(first),
        store,
        state / OWN_STORE,
        compute_type=configuration["compute_type"],
        threads=division.threads,
        batch_size=configuration["workers"]["batch_size"],
    )
    if configuration["device"] == "cpu":
        return [settings] * division.processes
    from audiogrid.hardware.device_choice import choose_device

    choice = choose_device(configuration["device"], first, configuration["compute_type"], division.threads)
    for sentence in choice.warnings:
        LOG.warning(sentence)
    if choice.device == "cuda":
        return on_gpus(settings, choice.gpus, choice.why)
    from dataclasses import replace

    from audiogrid.hardware.gpu_surroundings import why_no_gpu

    reason = why_no_gpu()
    why = choice.why
    if reason is not None and reason.is_sign:
        LOG.warning("decoding on the CPU: %s", reason)
        why = f"{why}; {reason.found}"
    return [replace(settings, why=why)] * division.processes


class _Server:
    def __init__(
        self, options: ServerOptions, configuration: Mapping[str, Any], tokens: Tokens, *, needs_token: bool
    ) -> None:
        self._options = options
        self._configuration = configuration
        self._tokens = tokens
        self._needs_token = needs_token
        self._models = Path("models")

    async def run(self) -> None:
        """Start everything, answer requests, end everything."""
        recipes = Recipes(self._configuration, load_registry(registry_file()), self._models)
        for name in recipes.all_models:
            if not (self._models / name / "model.bin").exists():
                raise InputError(f"the model {name} is not here: audiogrid models {name}")
        store = Path(self._configuration["store"]).absolute()
        service = Service(self._configuration, recipes, self._options.state.absolute(), store)
        left = service.recover()
        settings = await asyncio.to_thread(
            plan_workers, self._configuration, recipes, self._models.absolute(), service.state, store
        )
        rest = self._configuration["service"]["rest_minutes"] * 60
        recipe = recipes.of("auto")
        probing, clips = service.probing(recipe), service.state / rehearsal.FOLDER
        await asyncio.to_thread(shutil.rmtree, clips, True)

        def rehearse(number: int) -> tuple[Any, ...]:
            return rehearsal.transcribe_clip, str(clips / f"worker{number}"), recipe, probing

        workers = WarmWorkers(settings, service.take_short, service.report_short, rest, rehearse)
        uploads = ResumableUploads(service)
        await asyncio.to_thread(uploads.remove_old)
        workers.open()
        # It is imported at the first call.
        await asyncio.to_thread(language_name, "en")
        await service.inspector.warm_up(rehearsal.look_at_clip, str(clips / "inspector"), probing)
        await asyncio.to_thread(shutil.rmtree, clips / "inspector", True)
        for task in workers.tasks:
            task.add_done_callback(_report_end)
        tasks = self._background(service, workers, uploads, left)
        try:
            await self._listen(service, workers, uploads)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await workers.close()
            await service.inspector.close()
            service.queue.close()

    def _background(
        self, service: Service, workers: WarmWorkers, uploads: ResumableUploads, left: dict[str, list[JobRecord]]
    ) -> list[asyncio.Task[None]]:
        here = Path.cwd()
        started = [
            asyncio.create_task(_wake_workers(service, workers)),
            asyncio.create_task(lanes.run_long_lane(service, self._options.profile, here, left)),
            asyncio.create_task(lanes.run_downloads(service)),
            asyncio.create_task(lanes.run_callbacks(service)),
            asyncio.create_task(lanes.run_retention(service, uploads.remove_old)),
        ]
        if self._options.watch is not None:
            watched = WatchedFolder(self._options.watch, self._options.watch_results)
            started.append(asyncio.create_task(lanes.run_watch(service, watched, self._options.scan_seconds)))
        for task in started:
            task.add_done_callback(_report_end)
        return started

    async def _listen(self, service: Service, workers: WarmWorkers, uploads: ResumableUploads) -> None:
        import uvicorn

        app = build(
            service,
            self._tokens,
            self._options.host,
            uploads,
            lambda: "" if workers.first_ready.is_set() else workers.problem or "the model is being loaded",
            lambda: workers.loaded,
            needs_token=self._needs_token,
        )
        tls = self._options.tls
        config = uvicorn.Config(
            app,
            host=self._options.host,
            port=self._options.port,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_keep_alive=15,
            http=TimedConnection,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            ssl_certfile=str(tls[0]) if tls else None,
            ssl_keyfile=str(tls[1]) if tls else None,
        )
        server = uvicorn.Server(config)
        # uvicorn's own handling sends the signal again when it has ended, and nothing of ours would be ended cleanly.
        server.capture_signals = nullcontext  # type: ignore[method-assign,assignment]
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, setattr, server, "should_exit", True)
        with _bound(self._options) as bound:
            host, port = bound.getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            LOG.info("listening on http%s://%s:%d", "s" if tls else "", shown, port)
            _note_address(self._options.state, host, port)
            await server.serve(sockets=[bound])


def _note_address(state: Path, host: str, port: int) -> None:
    """Write the address for programs that started the service with ``--port 0``."""
    path = state / "address"
    path.write_text(f"{host} {port} {os.getpid()}\n")


def _bound(options: ServerOptions) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
        bound = socket.socket(family)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((options.host, options.port))
        bound.listen(512)
        return bound
    except OSError as error:
        raise InputError(
            f"--host {options.host} --port {options.port} cannot be listened on ({error.strerror}): choose another port"
        ) from None


async def _wake_workers(service: Service, workers: WarmWorkers) -> None:
    while True:
        await service.wake_short.wait()
        service.wake_short.clear()
        await workers.wake()


def _report_end(task: asyncio.Task[None]) -> None:
    """A part of the service that ends by an error ends the service: its supervisor starts it again."""
    if not task.cancelled() and task.exception() is not None:
        LOG.error("a part of the service failed", exc_info=task.exception())
        with suppress(ProcessLookupError):
            os.kill(os.getpid(), signal.SIGTERM)
