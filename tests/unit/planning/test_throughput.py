import json
import os

import pytest

from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.planning.job_resources import Rate, transcribe_memory_mb, transcribe_minutes
from audiogrid.planning.throughput import measured_speed, rule_of_thumb

HOUR = 3600 * SAMPLE_RATE


def report(
    results, name, *, model="m", decoded=5, audio=600.0, workers=30.0, seconds=20.0, threads=1, device="cpu", at=0
):
    path = results / "run" / "shards" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    made = {"threads": threads, "device": device}
    facts = {"model_hash": model, "decoded": decoded, "audio_seconds": audio, "worker_seconds": workers}
    path.write_text(json.dumps({**facts, "seconds": seconds, "made": made}))
    os.utime(path, (at, at))


def test_speed_per_core_is_measured_on_shards_that_decoded_with_this_model(tmp_path):
    assert measured_speed(tmp_path, "m") is None
    report(tmp_path, "s0001")
    report(tmp_path, "s0002", threads=2)
    report(tmp_path, "s0003", model="other", audio=1e9)
    report(tmp_path, "s0004", decoded=0, audio=1e9)
    (tmp_path / "run" / "shards" / "s0005.json").write_text("{")
    assert measured_speed(tmp_path, "m") == pytest.approx(1200 / 90)


def test_what_a_gpu_did_is_not_the_speed_of_a_core(tmp_path):
    report(tmp_path, "s0001", device="cuda", audio=6000.0)
    assert measured_speed(tmp_path, "m") is None
    report(tmp_path, "s0002")
    assert measured_speed(tmp_path, "m") == pytest.approx(20)


def test_only_the_newest_reports_count(tmp_path):
    report(tmp_path, "old", audio=1e9, at=1)
    for number in range(20):
        report(tmp_path, f"s{number:04d}", at=100 + number)
    assert measured_speed(tmp_path, "m") == pytest.approx(20)


def test_a_bigger_model_is_thought_slower_in_proportion():
    assert rule_of_thumb(290_000_000) == pytest.approx(rule_of_thumb(145_000_000) / 2)


def test_limits_grow_with_audio_and_attempt_and_shrink_with_measured_speed(tmp_path):
    (tmp_path / "model.bin").write_bytes(b"\0" * 1_000_000)
    first = transcribe_minutes(10 * HOUR, tmp_path, 4, [Rate("cpu", "int8", 1, 5.0, 1.0)])
    assert first == 10 + 60
    assert transcribe_minutes(10 * HOUR, tmp_path, 4, [Rate("cpu", "int8", 1, 5.0, 1.0)], attempt=2) == 2 * first
    assert transcribe_minutes(10 * HOUR, tmp_path, 4, [Rate("cpu", "int8", 1, 50.0, 1.0)]) < first
    assert transcribe_memory_mb(tmp_path, 8) > transcribe_memory_mb(tmp_path, 1)
