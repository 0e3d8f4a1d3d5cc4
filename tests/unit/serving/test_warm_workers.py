"""Warm workers without their processes: when the service is ready, and what a rehearsal that fails does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from audiogrid.core.child_process import ChildDiedError
from audiogrid.core.errors import RetryableError
from audiogrid.decoding.whisper.device_errors import OutOfMemoryError
from audiogrid.serving import short_recording, warm_workers
from audiogrid.serving.warm_workers import Finished, Waiting, WarmWorkers
from audiogrid.transcribing.worker import WorkerSettings

SETTINGS = WorkerSettings("", "", "cpu", "auto", 1, 1, "", "")


def rehearsal() -> str:
    """Stands for the call that is made before the service is ready."""
    raise NotImplementedError


class Process:
    """Answers calls at once. ``answers``: of functions, in their order; an exception is raised."""

    pid = 1
    answers: dict[Callable[..., Any], list[Any]]
    called: list[str]

    def __init__(self, *_: Any) -> None:
        pass

    def submit(self, function: Callable[..., Any], *_: Any) -> Future[Any]:
        type(self).called.append(function.__name__)
        answer = self.answers[function].pop(0)
        future: Future[Any] = Future()
        future.set_exception(answer) if isinstance(answer, Exception) else future.set_result(answer)
        return future

    def close(self) -> None:
        type(self).called.append("close")


def run(
    monkeypatch: pytest.MonkeyPatch, answers: dict[Callable[..., Any], list[Any]], work: Sequence[Waiting] = ()
) -> tuple[list[str], WarmWorkers]:
    """What one worker calls until it is ready and has done ``work``."""
    process = type("Process", (Process,), {"answers": answers, "called": []})
    monkeypatch.setattr(warm_workers, "ChildProcess", process)
    waiting, reported = [list(work)] if work else [], asyncio.Event()

    async def report(_: Sequence[Waiting], finished: Finished) -> None:
        assert not finished.died
        reported.set()

    async def go() -> WarmWorkers:
        workers = WarmWorkers(
            [SETTINGS], lambda _: waiting.pop() if waiting else [], report, 60.0, lambda number: (rehearsal, number)
        )
        workers.open()
        await asyncio.wait_for(workers.first_ready.wait(), 5)
        process.called.append("is ready")
        if work:
            await asyncio.wait_for(reported.wait(), 5)
        called = list(process.called)
        await workers.close()
        process.called = called
        return workers

    workers = asyncio.run(go())
    return process.called, workers


def test_the_service_is_ready_when_a_clip_was_rehearsed(monkeypatch: pytest.MonkeyPatch) -> None:
    called, _ = run(monkeypatch, {short_recording.ready: [{}], rehearsal: [""]})
    assert called == ["ready", "rehearsal", "is ready"]


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        ("the clip has no words", "the clip has no words"),
        (ChildDiedError("the process died of SIGSEGV"), "SIGSEGV"),
        (TimeoutError(), "no answer after 300 s"),
    ],
)
def test_a_rehearsal_that_fails_is_told_and_the_first_recording_is_tried_all_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, trouble: Any, told: str
) -> None:
    monkeypatch.setattr(warm_workers.LOG, "propagate", True)
    work = [Waiting(short_recording.ShortTask("a", "", "a.wav", None), 1.0)]  # type: ignore[arg-type]
    answers = {short_recording.ready: [{}, {}], rehearsal: [trouble], short_recording.work: [[]]}
    called, _ = run(monkeypatch, answers, work)
    again = ["close", "ready"] if isinstance(trouble, Exception) else []
    assert [name for name in called if name != "is ready"] == ["ready", "rehearsal", *again, "work"]
    assert told in caplog.text


def test_a_model_that_could_not_be_loaded_makes_the_service_ready_later(monkeypatch: pytest.MonkeyPatch) -> None:
    work = [Waiting(short_recording.ShortTask("a", "", "a.wav", None), 1.0)]  # type: ignore[arg-type]
    answers = {short_recording.ready: [OSError("no memory"), {}], short_recording.work: [[]]}
    called, workers = run(monkeypatch, answers, work)
    assert "work" in called and not workers.problem


def test_a_model_is_loaded_once_however_its_folder_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = tmp_path / "models" / "base"
    model.mkdir(parents=True)
    (model / "model.bin").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(short_recording, "_settings", SETTINGS)
    monkeypatch.setattr(short_recording, "_engines", {})
    monkeypatch.setattr(short_recording, "open_checked_engine", lambda settings: settings.model_dir)
    assert short_recording._engine(model, "", "auto") == str(model)
    assert short_recording._engine(Path("models/base"), "", "auto") == str(model)
    assert len(short_recording._engines) == 1


def prepared(name: str, *chunks: str) -> Any:
    """A recording whose chunks are cut, as far as decoding looks at it."""
    work = SimpleNamespace(
        shard=SimpleNamespace(model="base", compute_type="auto"),
        model_hash="",
        jobs=[SimpleNamespace(name=chunk, key=chunk, audio=16_000) for chunk in chunks],
    )
    task = SimpleNamespace(recipe=SimpleNamespace(model_dirs=["models/base"]))
    return SimpleNamespace(task=task, works=[work], name=name, seconds=0.0, error="")


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Chunks that are in the store; those called ``bad`` cannot be decoded, and ``large`` does not fit."""
    stored: list[str] = []

    def decode(engine: object, settings: object, jobs: Sequence[Any]) -> None:
        for one in jobs:
            if one.name.startswith("bad"):
                raise RetryableError(f"the audio of chunk {one.name} is damaged")
            if one.name == "large":
                raise OutOfMemoryError("no memory left")
            stored.append(one.key)

    monkeypatch.setattr(short_recording, "_settings", SETTINGS)
    monkeypatch.setattr(short_recording, "_engines", {})
    monkeypatch.setattr(short_recording, "_engine", lambda *_: object())
    monkeypatch.setattr(short_recording, "_store", lambda: SimpleNamespace(has=lambda key: key in stored))
    monkeypatch.setattr(short_recording, "decode_into_store", decode)
    return stored


def test_a_recording_that_cannot_be_decoded_costs_its_neighbours_nothing(decoded: list[str]) -> None:
    work = [prepared("one", "a", "b"), prepared("two", "bad"), prepared("three", "c")]
    short_recording._decode(work)
    assert sorted(decoded) == ["a", "b", "c"]
    assert [one.error for one in work] == ["", "the audio of chunk bad is damaged", ""]


def test_a_model_that_ran_out_of_memory_is_loaded_again_for_the_next(
    decoded: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(short_recording, "_engines", {(str(tmp_path / "models" / "base"), "auto"): object()})
    work = [prepared("one", "large")]
    short_recording._decode(work)
    assert work[0].error == "no memory left" and not short_recording._engines
