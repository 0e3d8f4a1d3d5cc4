"""What jobs ask of a cluster."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from audiogrid.config.resolve import resolve
from audiogrid.config.run_settings import RunSettings
from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.hardware.cores import Division
from audiogrid.models.registry import load_registry, memory_of, model_hash
from audiogrid.planning import job_resources as resources
from audiogrid.planning.job_resources import Rate
from audiogrid.records.plan import Bundle, Plan, Recording, Settings, Shard
from places import ROOT

HOUR = 3600 * SAMPLE_RATE


def model(folder: Path, megabytes: int) -> Path:
    """A folder with weights of a size; the file has no contents."""
    folder.mkdir()
    with (folder / "model.bin").open("wb") as file:
        file.truncate(megabytes * 1_000_000)
    return folder


def report(results: Path, name: str, *, audio: float, seconds: float, model_hash: str = "m", **made: object) -> None:
    """A finished shard; by default of one-threaded workers on a CPU."""
    path = results / "x" / "shards" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {"model_hash": model_hash, "decoded": int(audio > 0), "audio_seconds": audio, "seconds": seconds}
    made = {"device": "cpu", "compute_type": "int8", "threads": 1, **made}
    path.write_text(json.dumps({**facts, "worker_seconds": seconds, "made": made}))


def speed(
    rates: list[Rate], device: str = "cpu", compute_type: str = "auto", processes: int = 1, **more: int
) -> object:
    return resources.job_speed(rates, device, compute_type, Division(processes, more.pop("threads", 1)), **more)


def test_the_rate_is_what_finished_jobs_of_this_model_did(tmp_path):
    report(tmp_path, "s0001", audio=600, seconds=20)
    report(tmp_path, "s0002", audio=300, seconds=25)
    report(tmp_path, "s0003", audio=9000, seconds=1, model_hash="another")
    report(tmp_path, "s0004", audio=0, seconds=3)
    report(tmp_path, "s0005", audio=9000, seconds=1, device=None)
    (tmp_path / "x" / "shards" / "s0006.json").write_text("{broken")
    assert speed(resources.job_rates(tmp_path, "m")) == pytest.approx(900 / 45)
    assert resources.job_rates(tmp_path, "new") == resources.job_rates(tmp_path / "nothing", "m") == []


def test_a_gpu_says_nothing_about_a_cpu_nor_one_kind_of_arithmetic_about_another(tmp_path):
    report(tmp_path, "s0001", audio=20_000, seconds=100, device="cuda", compute_type="float16")
    only_gpu = resources.job_rates(tmp_path, "m")
    assert speed(only_gpu, "cpu") is None
    assert speed(only_gpu, "cuda") == speed(only_gpu, "auto") == 200
    # Whoever came to a node without a GPU gets time for it at the second attempt.
    assert speed(only_gpu, "auto", attempt=2) is None
    report(tmp_path, "s0002", audio=1000, seconds=100)
    report(tmp_path, "s0003", audio=1600, seconds=100, threads=2)
    both = resources.job_rates(tmp_path, "m")
    assert speed(both, "cuda", attempt=2) == 200
    assert speed(both, "auto") == speed(both, "cpu") == 10
    assert speed(both, "cpu", processes=4) == 40 and speed(both, "cpu", threads=2) == 16
    # Of workers with four threads nothing is known: as many as others have in all.
    assert speed(both, "cpu", threads=4) == pytest.approx(4 * 2600 / 300)
    assert speed(both, "cpu", "float32") is None and speed(both, "cuda", "float16") == 200
    assert speed(both, "cuda", "int8") is None


def test_ranks_on_different_devices_are_left_out(tmp_path):
    ranks = [{"device": "cuda"}, {"device": "cpu"}]
    report(tmp_path, "s0001", audio=1000, seconds=10, ranks=ranks)
    assert resources.job_rates(tmp_path, "m") == []
    report(tmp_path, "s0001", audio=1000, seconds=10, ranks=[{"device": "cpu"}, {"device": None}])
    assert speed(resources.job_rates(tmp_path, "m")) == 100


def test_only_the_newest_reports_count(tmp_path):
    for number in range(30):
        report(tmp_path, f"s{number:04d}", audio=100, seconds=100 if number < 10 else 10)
        os.utime(tmp_path / "x" / "shards" / f"s{number:04d}.json", (number, number))
    assert speed(resources.job_rates(tmp_path, "m")) == pytest.approx(10)


def test_rates_travel_in_the_environment(tmp_path):
    environment: dict[str, str] = {}
    assert resources.exported_job_rates("base", environment) == []
    # One model is not staged: nothing is known of it.
    fast = model(tmp_path / "fast", 1)
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        (fast / name).write_text("{}")
    report(tmp_path, "s0001", audio=600, seconds=20, model_hash=model_hash(fast))
    resources.export_job_rates([fast, tmp_path / "absent"], tmp_path, environment)
    assert resources.exported_job_rates("fast", environment) == [Rate("cpu", "int8", 1, 600, 20)]
    for unknown in ("absent", "never heard of"):
        assert resources.exported_job_rates(unknown, environment) == []
    for damaged in ("?", "[]", '{"fast": "many"}', '{"fast": [{"device": "cpu"}]}'):
        assert resources.exported_job_rates("fast", {resources.RATE_VARIABLE: damaged}) == []


def test_minutes_follow_audio_rate_and_attempt(tmp_path):
    folder = model(tmp_path / "base", 145)
    # An hour at 60 times real time (four workers at 15) takes one minute; twice that, and ten for the start.
    rates = [Rate("cpu", "int8", 1, 15, 1)]
    assert resources.transcribe_minutes(HOUR, folder, 4, rates) == 12
    assert resources.transcribe_minutes(HOUR, folder, 4, rates, attempt=3) == 36
    assert resources.transcribe_minutes(10 * HOUR, folder, 4, rates) == 30
    # Nothing measured: by the size of the weights and the cores.
    assert resources.transcribe_minutes(HOUR, folder, 4, []) < resources.transcribe_minutes(HOUR, folder, 1, [])
    large = model(tmp_path / "large", 3090)
    assert resources.transcribe_minutes(HOUR, large, 4, []) > resources.transcribe_minutes(HOUR, folder, 4, [])
    # The shard of ten hours on a CPU after a run on a GPU at 200 times real time.
    gpu = [Rate("cuda", "float16", 1, 200, 1)]
    assert resources.transcribe_minutes(10 * HOUR, folder, 4, gpu, "cuda") == 16
    unmeasured = resources.transcribe_minutes(10 * HOUR, folder, 4, [], "cpu")
    assert resources.transcribe_minutes(10 * HOUR, folder, 4, gpu, "cpu") == unmeasured == 25


def test_a_model_that_is_not_staged_counts_as_a_large_one(tmp_path):
    large = model(tmp_path / "large", 3090)
    nothing = tmp_path / "nothing"
    assert resources.transcribe_minutes(HOUR, nothing, 4, []) == resources.transcribe_minutes(HOUR, large, 4, [])
    assert resources.transcribe_memory_mb(nothing, 4) == resources.transcribe_memory_mb(large, 4)


def test_memory_is_for_the_processes_that_will_run(tmp_path):
    base, large = model(tmp_path / "base", 145), model(tmp_path / "large", 3090)
    assert resources.workers(base, 4).processes == 4
    assert resources.transcribe_memory_mb(base, 4) == 1000 + 4 * (2 * 145 + 700)
    # One copy of a large model fits what any node has.
    assert resources.workers(large, 4).processes == 1
    assert resources.transcribe_memory_mb(large, 4) == 1000 + 2 * 3090 + 700
    # What the registry says of a model and its arithmetic counts, where it says something.
    assert resources.transcribe_memory_mb(base, 4, each_mb=1140) == 1000 + 4 * 1140
    assert memory_of("base", load_registry(ROOT / "config" / "models.yaml"), "cpu", "float32") == 1140
    assert memory_of("turbo", load_registry(ROOT / "config" / "models.yaml"), "cpu", "auto") == 3940
    assert memory_of("org/name@1", load_registry(ROOT / "config" / "models.yaml"), "cpu", "auto") is None
    assert resources.transcribe_memory_mb(large, 4, attempt=2) == 2 * resources.transcribe_memory_mb(large, 4)


def test_splitting_gets_time_by_the_length_of_its_recordings():
    assert resources.split_minutes(HOUR) == 11
    assert resources.split_minutes(100 * HOUR, attempt=2) == 140


def requested(on_cluster: bool, is_main_process: bool = True, **given: object) -> resources.JobResources:
    run = RunSettings(resolve(given), load_registry(ROOT / "config" / "models.yaml"))
    return resources.JobResources(run, lambda: on_cluster, is_main_process=is_main_process)


@pytest.fixture
def planned(tmp_path, monkeypatch):
    """A plan of a bundle of 2 h and a shard of it, in a working folder with the model."""
    monkeypatch.chdir(tmp_path)
    # Whatever a test exports is gone after it.
    monkeypatch.setenv(resources.RATE_VARIABLE, "{}")
    monkeypatch.delenv(resources.RATE_VARIABLE)
    (tmp_path / "models").mkdir()
    model(tmp_path / "models" / "base", 145)
    recordings = [Recording(name, name, 1, 1, HOUR, 1, "mix", 12) for name in "ab"]
    shard = Shard("s0001", "x", ["a.0000"], ["b0001"], 2 * HOUR, "base", "int8")
    settings = Settings("base", {"base": "m"}, {}, 5, 60, 30, 1, 0)
    return Plan(settings, recordings, [Bundle("b0001", "x", ["a", "b"])], [shard])


def test_only_schedulers_are_told_a_time(planned):
    here, there = requested(False), requested(True)
    assert here.transcribe_minutes(planned, "s0001", 4, 1) == here.embed_minutes(planned, "s0001", 4, 1) == 0
    assert there.transcribe_minutes(planned, "s0001", 4, 1) == resources.transcribe_minutes(
        2 * HOUR, Path("models/base"), 4, []
    )
    assert there.embed_minutes(planned, "s0001", 4, 2) == resources.embed_minutes(2 * HOUR, 4, 2)
    assert here.split_minutes(planned, "b0001", 1) == resources.split_minutes(2 * HOUR)


def test_ranks_share_the_time(planned):
    one, four = requested(True), requested(True, mpi={"tasks": 4})
    assert four.transcribe_minutes(planned, "s0001", 1, 1) < one.transcribe_minutes(planned, "s0001", 1, 1)
    assert four.embed_minutes(planned, "s0001", 1, 1) < one.embed_minutes(planned, "s0001", 1, 1)


def test_the_number_of_processes_is_the_users_or_the_clusters(planned):
    assert requested(False).transcribe_processes(planned, "s0001", 8) == 0
    assert (
        requested(True).transcribe_processes(planned, "s0001", 8) == resources.workers(Path("models/base"), 8).processes
    )
    assert requested(True, workers={"processes": 3}).transcribe_processes(planned, "s0001", 8) == 3


def test_memory_of_a_known_model_is_that_of_the_registry(planned):
    registry = load_registry(ROOT / "config" / "models.yaml")
    each = memory_of("base", registry, "cpu", "int8")
    assert requested(True).transcribe_memory_mb(planned, "s0001", 4, 2) == resources.transcribe_memory_mb(
        Path("models/base"), 4, 2, each
    )


def test_the_main_process_computes_rates_once_and_jobs_inherit_them(planned, monkeypatch):
    counted = []
    monkeypatch.setattr(resources, "export_job_rates", lambda *given: counted.append(given))
    monkeypatch.setenv(resources.RATE_VARIABLE, json.dumps({"base": [{**RATE, "audio": 2.0 * 3600, "seconds": 7200}]}))
    job = requested(True, is_main_process=False)
    # Real time: 2 h of audio in 2 h.
    assert job.transcribe_minutes(planned, "s0001", 1, 1) == 10 + 2 * 120
    assert counted == []
    main = requested(True)
    assert main.transcribe_minutes(planned, "s0001", 1, 1) == main.transcribe_minutes(planned, "s0001", 1, 1) == 250
    assert len(counted) == 1


RATE = {"device": "cpu", "compute_type": "int8", "threads": 1}
