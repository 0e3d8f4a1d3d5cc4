"""Warm worker processes for short recordings: started, given work, watched, and ended after a rest.

A worker that dies or hangs costs its recordings one attempt; those that shared the attempt are tried again one by one.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from audiogrid.core.child_process import ChildDiedError, ChildProcess
from audiogrid.serving import short_recording
from audiogrid.serving.short_recording import ShortResult, ShortTask
from audiogrid.transcribing.worker import WorkerSettings, worker_environment

LOG = logging.getLogger("audiogrid.serving")
START_SECONDS = 300.0
# The least time that work may take, and the slowest speed at which it is not taken to hang.
MIN_TIMEOUT_SECONDS = 120.0
SLOWEST_SPEED = 0.05
# Recordings that are decoded together, and their audio: more would delay the first answer. Clips of 5 to 30 s cost
# 8 % less CPU time with 120 s of them than with 60 s, and 20 % less with 240 s.
MOST_TOGETHER = 8
TOGETHER_SECONDS = 120.0


@dataclass(frozen=True)
class Waiting:
    """A recording that waits for a worker. ``alone``: it must not share its attempt with others."""

    task: ShortTask
    audio: float
    alone: bool = False


@dataclass(frozen=True)
class Finished:
    """How recordings went that one worker had. ``died``: how its process ended, if it did."""

    results: Sequence[ShortResult]
    died: str = ""


Take = Callable[[int], list[Waiting]]
"""Takes up to so many seconds' worth of waiting recordings from the queue; called with the number of free workers."""


class WarmWorkers:
    """Worker processes, each with models loaded.

    ``take``: gives recordings to work on; ``report``: is told how they went; ``rest_seconds``: a process that had
    nothing to do for so long ends, and its memory is free; another one starts when there is work again.
    ``rehearsal``: a call of which nothing stays, made in each process at the start of the service, because what is
    called for the first time takes longer; it is given a number and returns why it failed, if it did.
    """

    def __init__(
        self,
        settings: Sequence[WorkerSettings],
        take: Take,
        report: Callable[[Sequence[Waiting], Finished], Awaitable[None]],
        rest_seconds: float,
        rehearsal: Callable[[int], tuple[Any, ...]] | None = None,
    ) -> None:
        self._rehearsal = rehearsal
        self._settings = list(settings)
        self._take = take
        self._report = report
        self._rest = rest_seconds
        self._wake = asyncio.Condition()
        self._workers: list[asyncio.Task[None]] = []
        self._processes: dict[int, ChildProcess] = {}
        self._busy: set[int] = set()
        self._closing = False
        self.first_ready = asyncio.Event()
        self.problem = ""

    def open(self) -> None:
        """Start the workers; the first loads its model at once."""
        self._workers = [
            asyncio.create_task(self._work(number, settings)) for number, settings in enumerate(self._settings)
        ]

    @property
    def tasks(self) -> Sequence[asyncio.Task[None]]:
        """What keeps the workers at work; one that ends leaves its share of the queue undone."""
        return self._workers

    @property
    def size(self) -> int:
        """Number of workers."""
        return len(self._settings)

    @property
    def loaded(self) -> int:
        """Number of workers with a process."""
        return len(self._processes)

    @property
    def pids(self) -> list[int]:
        """Ids of the processes, for those who watch them."""
        return [process.pid for process in self._processes.values()]

    async def wake(self) -> None:
        """Say that there may be work."""
        async with self._wake:
            self._wake.notify_all()

    async def close(self) -> None:
        """End all processes at once; what they were working on stays in the queue."""
        self._closing = True
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        await asyncio.gather(*(asyncio.to_thread(process.close) for process in self._processes.values()))
        self._processes.clear()

    async def _work(self, number: int, settings: WorkerSettings) -> None:
        # One after another: two that load at the same time are both late.
        if number:
            await self.first_ready.wait()
        if await self._start(number, settings):
            await self._rehearse(number)
            self.first_ready.set()
        idle_since = time.monotonic()
        while not self._closing:
            work = self._take(max(1, self.size - len(self._busy)))
            if work:
                self._busy.add(number)
                try:
                    await self._do(number, settings, work)
                finally:
                    self._busy.discard(number)
                idle_since = time.monotonic()
                continue
            left = idle_since + self._rest - time.monotonic()
            if left <= 0 and number in self._processes:
                await self._end(number)
                LOG.info("worker %d had nothing to do for %.0f s: its models are unloaded", number, self._rest)
            async with self._wake:
                try:
                    await asyncio.wait_for(self._wake.wait(), left if number in self._processes else None)
                except TimeoutError:
                    continue

    async def _start(self, number: int, settings: WorkerSettings) -> bool:
        """Start the process. Returns whether it works; the reason is in ``problem`` if not."""
        os.environ.update(worker_environment(settings.threads))
        process = await asyncio.to_thread(ChildProcess, short_recording.start, (settings,))
        self._processes[number] = process
        try:
            await asyncio.wait_for(asyncio.wrap_future(process.submit(short_recording.ready)), START_SECONDS)
        except Exception as error:
            self.problem = f"no worker can start: {_cause(error)}"
            LOG.error(self.problem)
            await self._end(number)
            return False
        self.problem = ""
        return True

    async def _rehearse(self, number: int) -> None:
        if self._rehearsal is None:
            return
        try:
            trouble = await asyncio.wait_for(
                asyncio.wrap_future(self._processes[number].submit(*self._rehearsal(number))), START_SECONDS
            )
        except Exception as error:
            trouble = _cause(error)
            await self._end(number)
        if trouble:
            # Nobody has asked for it: the first recording will show whether it matters.
            LOG.warning("worker %d cannot transcribe the known clip: %s", number, trouble)

    async def _end(self, number: int) -> None:
        process = self._processes.pop(number, None)
        if process is not None:
            await asyncio.to_thread(process.close)

    async def _do(self, number: int, settings: WorkerSettings, work: Sequence[Waiting]) -> None:
        try:
            if number not in self._processes and not await self._start(number, settings):
                await self._report(work, Finished([], self.problem))
                await asyncio.sleep(1.0)
                return
            # Also where the model could not be loaded at the start, and can be now.
            self.first_ready.set()
            process = self._processes[number]
            audio = sum(waiting.audio for waiting in work)
            call = asyncio.wrap_future(process.submit(short_recording.work, [waiting.task for waiting in work]))
            limit = START_SECONDS + MIN_TIMEOUT_SECONDS + audio / SLOWEST_SPEED
            finished = Finished(await asyncio.wait_for(asyncio.shield(call), limit))
        except TimeoutError:
            finished = Finished([], f"no answer after {limit:.0f} s")
        except ChildDiedError as error:
            finished = Finished([], str(error))
        except Exception as error:
            LOG.exception("a worker failed")
            finished = Finished([], f"{type(error).__name__}: {error}")
        if finished.died:
            await self._end(number)
        await self._report(work, finished)


def _cause(error: Exception) -> str:
    """Returns why a call of a worker failed, in words; the error of a time limit has none of its own."""
    if isinstance(error, TimeoutError) and not str(error):
        return f"no answer after {START_SECONDS:.0f} s"
    return str(error) or type(error).__name__


def worker_settings(
    model_dir: Path | None,
    model_hash: str,
    store: Path,
    own_store: Path,
    *,
    compute_type: str,
    threads: int,
    batch_size: int,
) -> WorkerSettings:
    """Returns the settings of a worker on the CPU. ``model_dir``: the model to load at the start."""
    return WorkerSettings(
        model_dir=str(model_dir or ""),
        model_hash=model_hash,
        device="cpu",
        compute_type=compute_type,
        threads=threads,
        batch_size=batch_size,
        store=str(store),
        own_store=str(own_store),
    )


def on_gpus(settings: WorkerSettings, gpus: Sequence[str], why: str) -> list[WorkerSettings]:
    """Returns the settings of a worker for each GPU; the CPU takes over where a GPU has no room."""
    return [replace(settings, device="cuda", gpus=(gpu,), why=why, reserve=(1, settings.threads)) for gpu in gpus]
