"""What jobs ask of a cluster."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.models.registry import load_registry, memory_of, model_hash
from audiogrid.planning import job_resources as resources
from places import ROOT

HOUR = 3600 * SAMPLE_RATE


def model(folder: Path, megabytes: int) -> Path:
    """A folder with weights of a size; the file has no contents."""
    folder.mkdir()
    with (folder / "model.bin").open("wb") as file:
        file.truncate(megabytes * 1_000_000)
    return folder


def report(results: Path, name: str, *, audio: float, seconds: float, model_hash: str = "m", decoded: int = 3) -> None:
    path = results / "x" / "shards" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {"model_hash": model_hash, "decoded": decoded, "audio_seconds": audio, "seconds": seconds}
    facts["worker_seconds"] = seconds if decoded else 0
    path.write_text(json.dumps(facts))


def test_the_rate_is_what_finished_jobs_of_this_model_did(tmp_path):
    report(tmp_path, "s0001", audio=600, seconds=20)
    report(tmp_path, "s0002", audio=300, seconds=25)
    report(tmp_path, "s0003", audio=9000, seconds=1, model_hash="another")
    report(tmp_path, "s0004", audio=0, seconds=3, decoded=0)
    (tmp_path / "x" / "shards" / "s0005.json").write_text("{broken")
    assert resources.job_rate(tmp_path, "m") == pytest.approx(900 / 45)
    assert resources.job_rate(tmp_path, "new") is None
    assert resources.job_rate(tmp_path / "nothing", "m") is None


def test_only_the_newest_reports_count(tmp_path):
    for number in range(30):
        report(tmp_path, f"s{number:04d}", audio=100, seconds=100 if number < 10 else 10)
        os.utime(tmp_path / "x" / "shards" / f"s{number:04d}.json", (number, number))
    assert resources.job_rate(tmp_path, "m") == pytest.approx(10)


def test_the_rate_travels_in_the_environment(tmp_path):
    environment: dict[str, str] = {}
    assert resources.exported_job_rate("base", environment) is None
    assert resources.exported_job_rate("base", {resources.RATE_VARIABLE: '{"base": 12.5}'}) == 12.5
    # One model is not staged: nothing is known of it.
    fast = model(tmp_path / "fast", 1)
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        (fast / name).write_text("{}")
    report(tmp_path, "s0001", audio=600, seconds=20, model_hash=model_hash(fast))
    resources.export_job_rates([fast, tmp_path / "absent"], tmp_path, environment)
    assert resources.exported_job_rate("fast", environment) == 30
    assert resources.exported_job_rate("absent", environment) is None
    assert resources.exported_job_rate("never heard of", environment) is None
    for damaged in ("?", "[]", '{"fast": "many"}'):
        assert resources.exported_job_rate("fast", {resources.RATE_VARIABLE: damaged}) is None


def test_minutes_follow_audio_rate_and_attempt(tmp_path):
    folder = model(tmp_path / "base", 145)
    # An hour at 60 times real time takes one minute; twice that, and ten for the start.
    assert resources.transcribe_minutes(HOUR, folder, 4, 60.0) == 12
    assert resources.transcribe_minutes(HOUR, folder, 4, 60.0, attempt=3) == 36
    assert resources.transcribe_minutes(10 * HOUR, folder, 4, 60.0) == 30
    # Nothing measured: by the size of the weights and the cores.
    assert resources.transcribe_minutes(HOUR, folder, 4, None) < resources.transcribe_minutes(HOUR, folder, 1, None)
    large = model(tmp_path / "large", 3090)
    assert resources.transcribe_minutes(HOUR, large, 4, None) > resources.transcribe_minutes(HOUR, folder, 4, None)


def test_a_model_that_is_not_staged_counts_as_a_large_one(tmp_path):
    large = model(tmp_path / "large", 3090)
    nothing = tmp_path / "nothing"
    assert resources.transcribe_minutes(HOUR, nothing, 4, None) == resources.transcribe_minutes(HOUR, large, 4, None)
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
