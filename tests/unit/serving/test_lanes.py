"""Jobs that must end, whatever happens beside the requests; what goes with a job that is removed."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from audiogrid.config.resolve import resolve
from audiogrid.core.errors import InputError, RetryableError
from audiogrid.models.registry import load_registry
from audiogrid.serving import lanes, rehearsal
from audiogrid.serving.inspection import Inspector
from audiogrid.serving.job_folder import JobFolder
from audiogrid.serving.long_lane import BatchRun, LongJob
from audiogrid.serving.recipes import Recipes
from audiogrid.serving.removal import OWN_STORE, remove_job
from audiogrid.serving.server import plan_workers
from audiogrid.serving.service import Service
from audiogrid.serving.tokens import WATCHER
from audiogrid.serving.watching import WatchedFolder
from places import ROOT


@pytest.fixture
def service(tmp_path: Path) -> Service:
    configuration = resolve({"service": {"min_free": 0, "flood": 2}})
    recipes = Recipes(configuration, load_registry(ROOT / "config" / "models.yaml"), tmp_path / "models")
    return Service(configuration, recipes, tmp_path, tmp_path / "store")


def job(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "recording": name, "model": "auto", "task": "transcribe", "audio": 5.0, "row": {}} | more


def test_a_job_whose_model_is_not_offered_any_more_fails_and_the_others_go_on(service: Service) -> None:
    service.queue.add("gone", "anna", "short", job("gone", model="gone"))
    service.queue.add("fine", "anna", "short", job("fine"))
    assert [one.task.job for one in service.take_short(1)] == ["fine"]
    record = service.queue.get("gone")
    assert record and record.status == "failed" and "not offered" in record.error


def test_a_worker_takes_recordings_of_one_length_together_and_the_first_of_each_client(service: Service) -> None:
    for number, seconds in enumerate([56.0, 12.0, 52.0, 14.0, 12.0]):
        service.queue.add(f"anna{number}", "anna", "short", job(f"anna{number}", audio=seconds))
    service.queue.add("ben", "ben", "short", job("ben", audio=10.0))
    assert [one.task.job for one in service.take_short(1)] == ["anna0", "ben", "anna2"]
    # Who was passed over is the oldest now.
    assert [one.task.job for one in service.take_short(1)] == ["anna1", "anna4", "anna3"]


def test_a_client_whose_recordings_do_not_fit_beside_those_of_an_older_queue_has_its_turn(service: Service) -> None:
    for number in range(4):
        service.queue.add(f"anna{number}", "anna", "short", job(f"anna{number}", audio=118.0))
    service.queue.add("ben", "ben", "short", job("ben", audio=5.0))
    taken = [[one.task.job for one in service.take_short(1)] for _ in range(3)]
    assert taken == [["anna0"], ["ben"], ["anna1"]]


def test_more_clients_than_a_worker_takes_at_once_have_their_turn(service: Service) -> None:
    for client in range(12):
        for number in range(3):
            service.queue.add(f"{client}-{number}", f"client{client}", "short", job(f"{client}-{number}", audio=1.0))
    taken = [one.task.job for _ in range(2) for one in service.take_short(1)]
    assert {f"{client}-0" for client in range(12)} <= set(taken)


def test_a_recording_that_crashed_a_worker_is_tried_alone(service: Service) -> None:
    for name in ("fine", "bad", "other"):
        service.queue.add(name, "anna", "short", job(name))
    service.queue.update("bad", crashes=1)
    assert [one.task.job for one in service.take_short(1)] == ["fine", "other"]
    assert [(one.task.job, one.alone) for one in service.take_short(1)] == [("bad", True)]


def test_long_jobs_whose_model_is_not_offered_any_more_fail(service: Service) -> None:
    service.queue.add("gone", "anna", "long", job("gone", model="gone"))
    service.queue.update("gone", status="running")
    asyncio.run(lanes._run(service, "local", Path(), "r000001", service.queue.with_status("running")))
    record = service.queue.get("gone")
    assert record and record.status == "failed" and "not offered" in record.error


def test_a_run_that_cannot_be_prepared_fails_its_jobs(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "_PAUSE_SECONDS", 0)
    monkeypatch.setattr(lanes, "registry_file", lambda: Path("/nowhere/models.yaml"))
    service.queue.add("a", "anna", "long", job("a"))
    service.queue.update("a", status="running")
    asyncio.run(lanes._run(service, "local", Path(), "r000001", service.queue.with_status("running")))
    record = service.queue.get("a")
    assert record and record.status == "failed" and "its run cannot work" in record.error


def test_whatever_an_address_answers_its_job_ends(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> int:
        raise ValueError("odd")

    monkeypatch.setattr(lanes, "fetch", fail)
    service.queue.add("a", "anna", "fetch", job("a", address="https://example.org/x.wav"))
    service.queue.update("a", status="running")
    (record,) = service.queue.with_status("running")
    asyncio.run(lanes._fetch(service, record))
    ended = service.queue.get("a")
    assert ended and ended.status == "failed" and "ValueError" in ended.error


def test_a_recording_that_is_fetched_does_not_replace_what_was_uploaded(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets = []
    monkeypatch.setattr(lanes, "fetch", lambda _, target, **__: targets.append(target) or 1 / 0)
    values = job("a", address="https://example.org/talk.txt", row={"text": "talk.txt"})
    service.queue.add("a", "anna", "fetch", values)
    service.queue.update("a", status="running")
    (record,) = service.queue.with_status("running")
    asyncio.run(lanes._fetch(service, record))
    assert [path.name for path in targets] == ["_talk.txt"]


def test_files_of_a_job_that_was_cancelled_at_work_go_when_the_work_ends(service: Service) -> None:
    service.queue.add("a", "anna", "short", job("a"))
    service.queue.update("a", status="running")
    (record,) = service.queue.with_status("running")
    folder = JobFolder(service.state, "a")
    folder.upload.mkdir(parents=True)
    service.cancel(record)
    assert folder.root.exists()
    service.end("a", "done")
    assert not folder.root.exists()
    # A job that is done keeps its transcripts, however often its end is told.
    service.queue.add("b", "anna", "short", job("b"))
    JobFolder(service.state, "b").run.transcripts.mkdir(parents=True)
    service.end("b", "done")
    service.end("b", "failed", "told twice")
    assert JobFolder(service.state, "b").run.transcripts.exists()


def test_what_one_client_sends_does_not_push_another_into_a_run(service: Service) -> None:
    for number in range(5):
        service.queue.add(f"a{number}", "anna", "short", job(f"a{number}"))
    service.queue.add("b", "ben", "short", job("b"))
    assert [one.id for one in lanes.gather(service)] == ["a1", "a2", "a3", "a4"]


def test_a_file_that_takes_long_is_looked_at_among_the_large_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audiogrid.serving.inspection._QUICK_SECONDS", 0.2)
    inspector = Inspector()
    called = []

    async def call(lane: str, seconds: float, *_: Any) -> Any:
        called.append(lane)
        return await genuine(lane, seconds, time.sleep, 1.0 if lane == "small" else 0.0)

    genuine = inspector._call
    monkeypatch.setattr(inspector, "_call", call)

    async def look() -> None:
        await inspector.inspect(Path(), "a", {}, {}, 10)
        await inspector.close()

    asyncio.run(look())
    assert called == ["small", "large"]


def fail_with(error: Exception) -> None:
    """Raises ``error``; called in a child process."""
    raise error


def test_what_fails_in_the_work_of_the_service_is_not_the_fault_of_a_file() -> None:
    inspector = Inspector()
    full = OSError(28, "No space left on device", "/srv/state/talk.json")

    async def call() -> None:
        with pytest.raises(RetryableError, match=r"^No space left on device$"):
            await inspector.call(fail_with, full)
        with pytest.raises(RetryableError, match=r"^KeyError$"):
            await inspector.call(fail_with, KeyError("x"))
        with pytest.raises(RetryableError, match="no answer after"):
            await inspector.call(time.sleep, 60, seconds=0.2)
        with pytest.raises(InputError, match="mistake"):
            await inspector.call(fail_with, InputError("has a mistake"))
        await inspector.close()

    asyncio.run(call())


def test_transcripts_that_cannot_be_written_are_written_later(
    service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    service.queue.add("a", "anna", "long", job("a"))
    service.queue.update("a", status="running")
    run = BatchRun(tmp_path, "r000001", [LongJob("a", "a", {"path": "/a.wav"})], service.recipes.of("auto"))
    run.folder.transcripts.mkdir(parents=True)
    (run.folder.transcripts / "a.json").write_text("{}")
    outcomes: list[Exception | None] = [RetryableError("No space left on device"), None]

    async def call(*_: Any) -> None:
        if (outcome := outcomes.pop(0)) is not None:
            raise outcome

    monkeypatch.setattr(service.inspector, "call", call)

    def deliver() -> str:
        asyncio.run(lanes._deliver(service, run, run.jobs, {"a": "a.wav"}))
        record = service.queue.get("a")
        assert record is not None
        return record.status

    assert deliver() == "running"
    assert "No space left" in run.reason(run.jobs[0])
    assert deliver() == "done" and not run.undelivered


def test_a_watched_file_whose_folder_may_not_be_written_does_not_end_the_service(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = WatchedFolder(tmp_path / "watched")
    for name in ("a", "b"):
        service.queue.add(name, WATCHER, "short", job(name))
        service.queue.update(name, status="done")
        transcripts = JobFolder(service.state, name).run.transcripts
        transcripts.mkdir(parents=True)
        (transcripts / f"{name}.srt").write_text("1")
        service.queue.watch(f"{name}.mp3", "stamp", name)
    genuine = watched.deliver

    def deliver(path: str, *arguments: Any) -> Any:
        if path == "a.mp3":
            raise PermissionError(13, "no permission")
        return genuine(path, *arguments)

    monkeypatch.setattr(watched, "deliver", deliver)

    async def look() -> None:
        watching = asyncio.create_task(lanes.run_watch(service, watched, 0.01))
        while not (tmp_path / "watched" / "b.srt").exists():
            assert not watching.done()
            await asyncio.sleep(0.01)
        watching.cancel()

    asyncio.run(look())
    assert not (tmp_path / "watched" / "a.srt").exists()


def test_old_jobs_without_corrections_are_forgotten_one_by_one(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        service.queue.add(name, "anna", "short", job(name))
        service.queue.update(name, status="done", finished=1.0)
    # It looks at all jobs of a client: for each of many old ones, that takes hours.
    monkeypatch.setattr(service.queue, "others_of", lambda record: 1 / 0)
    service.forget_old(1000 * 86400.0)
    assert not service.queue.with_status("done")


def test_columns_of_a_run_are_bounded(service: Service) -> None:
    for number in range(10):
        row = {f"c{number}_{column}": "x" for column in range(60)}
        service.queue.add(f"a{number}", "anna", "long", job(f"a{number}", row=row))
    chosen = lanes.gather(service)
    assert 0 < len(chosen) < 10
    assert len(Counter(column for one in chosen for column in one.fields["row"])) <= 256


def test_a_run_without_a_folder_keeps_its_number(tmp_path: Path) -> None:
    (tmp_path / "runs" / "r000003").mkdir(parents=True)
    assert lanes.last_number(tmp_path, []) == 3
    assert lanes.last_number(tmp_path, ["r000004"]) == 4


def test_results_go_with_their_job(tmp_path: Path) -> None:
    state, store = tmp_path / "state", tmp_path / "store"
    keys = {name: name * 64 for name in "abc"}
    for root in (store, state / OWN_STORE):
        for key in keys.values():
            (root / key[:2]).mkdir(parents=True)
            (root / key[:2] / f"{key}.json").write_text("{}")
    JobFolder(state, "11").write_keys([keys["a"], keys["b"]])
    JobFolder(state, "22").write_keys([keys["b"], keys["c"]])
    told = remove_job(str(state), "11", str(store), str(tmp_path / "results"))
    assert told["removed"] == ["2 result(s) in the store"]
    assert told["kept"] == ["1 result(s) in the store, because other jobs or runs refer to them"]
    for root in (store, state / OWN_STORE):
        assert sorted(path.stem[0] for path in root.glob("*/*.json")) == ["b", "c"]


def test_the_clip_is_rehearsed_without_speakers(service: Service, tmp_path: Path) -> None:
    """Those that are told apart never come to the worker that rehearses."""
    probing = {**service.probing(service.recipes.of("auto")), "speakers": "auto"}
    rehearsal.look_at_clip(str(tmp_path), probing)
    (table,) = tmp_path.rglob("recording.tsv")
    assert "none" in table.read_text()


def test_a_delivered_run_that_a_killed_server_left_is_removed_once_its_snakemake_has_ended(tmp_path, monkeypatch):
    folder = tmp_path / "runs" / "r000001"
    (folder / "results").mkdir(parents=True)
    asked: list[Path] = []

    def still_runs_once(where: Path, _say: object) -> None:
        asked.append(where)
        assert folder.is_dir()
        if len(asked) == 1:
            raise InputError("a Snakemake works here")

    monkeypatch.setattr(lanes, "remove_stale_locks", still_runs_once)
    monkeypatch.setattr(lanes, "_POLL_SECONDS", 0.01)
    service = SimpleNamespace(state=tmp_path, settings={"runs": 0}, wake_long=asyncio.Event())

    async def until_it_is_gone() -> None:
        lane = asyncio.create_task(lanes.run_long_lane(service, "local", tmp_path, {}))
        while folder.exists():
            await asyncio.sleep(0.01)
        lane.cancel()
        await asyncio.gather(lane, return_exceptions=True)

    asyncio.run(asyncio.wait_for(until_it_is_gone(), 30))
    assert asked == [folder, folder]


def test_workers_load_at_the_start_what_recordings_will_ask_for(tmp_path: Path) -> None:
    model = tmp_path / "models" / "base"
    model.mkdir(parents=True)
    for name in ("model.bin", "config.json", "tokenizer.json", "vocabulary.txt"):
        (model / name).write_text("{}")
    configuration = resolve({"device": "cpu", "compute_type": "float32"})
    recipes = Recipes(configuration, load_registry(ROOT / "config" / "models.yaml"), tmp_path / "models")
    settings = plan_workers(configuration, recipes, tmp_path / "models", tmp_path, tmp_path / "store")
    wanted = json.loads(recipes.of("auto").plan)
    assert {one.compute_type for one in settings} == {"float32"} == {wanted["options"]["compute_type"]}
    assert {one.model_dir for one in settings} == set(recipes.of("auto").model_dirs)


def test_a_run_of_the_service_finds_the_glossary_and_has_no_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    configuration = resolve({"glossary": "names.tsv", "budget": {"until": "2001-01-01"}})
    recipes = Recipes(configuration, load_registry(ROOT / "config" / "models.yaml"), tmp_path / "models")
    run = BatchRun(tmp_path / "state", "r000001", [LongJob("a", "a", {"path": "/a.wav"})], recipes.of("auto"))
    run.prepare(tmp_path / "store", tmp_path / "models", ROOT / "config" / "models.yaml")
    written = yaml.safe_load((run.root / "run.yaml").read_text())
    assert written["glossary"] == str(tmp_path / "names.tsv")
    assert "budget" not in written
