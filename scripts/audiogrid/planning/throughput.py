"""Speed of a model: measured on finished shards, or a rule of thumb where there are none."""

from __future__ import annotations

from pathlib import Path

from audiogrid.records.finished_shard import FinishedShard

# Base, int8, one core of a current server CPU, both passes: 20 times real time (BENCHMARKS.md).
# Decoding time grows about as the size of the weights.
_BASE_BYTES = 145_000_000
_BASE_SPEED = 20.0
# 65 core-seconds an hour of audio with 80 % speech (docs/speakers.md).
_EMBEDDING_SPEED = 55.0
# Number of the newest reports that count: older ones may stem from another machine or load.
_NEWEST = 20


def rule_of_thumb(model_bytes: int) -> float:
    """Returns the multiple of real time per core for a model of ``model_bytes`` (16-bit weights)."""
    return _BASE_SPEED * _BASE_BYTES / max(model_bytes, 1)


def newest_reports(results: Path, model_hash: str, folder: str = "shards") -> list[FinishedShard]:
    """Returns the reports of a model's newest finished shards with decoded chunks, over all runs in ``results``.

    ``folder``: ``voices`` for shards that were embedded.
    """
    # Shards of comparisons count, too.
    patterns = (f"*/{folder}/*.json", f"*/compare/*/{folder}/*.json")
    reports = [path for pattern in patterns for path in results.glob(pattern)]
    paths = sorted(reports, key=lambda path: path.stat().st_mtime, reverse=True)
    found: list[FinishedShard] = []
    for path in paths:
        try:
            report = FinishedShard.read(path)
        except (OSError, ValueError):
            continue
        if report.model_hash == model_hash and report.decoded and report.worker_seconds:
            found.append(report)
        if len(found) == _NEWEST:
            break
    return found


def measured_speed(results: Path, model_hash: str) -> float | None:
    """Returns the multiple of real time per core of finished shards of this model on CPUs; ``None`` without any.

    What a GPU did in a second says nothing about a core.
    """
    reports = newest_reports(results, model_hash)
    reports = [report for report in reports if report.made.get("device") == "cpu"]
    seconds = sum(report.worker_seconds * report.made.get("threads", 1) for report in reports)
    return sum(report.audio_seconds for report in reports) / seconds if seconds else None


def expected_speed(model_dir: Path, results: Path) -> tuple[float, str]:
    """Returns the speed per core as a multiple of real time, and where it comes from."""
    from audiogrid.models.registry import model_hash

    known = measured_speed(results, model_hash(model_dir))
    if known:
        return known, "measured on finished shards"
    return rule_of_thumb((model_dir / "model.bin").stat().st_size), "a rule of thumb, nothing measured on a CPU yet"


def embedding_speed(results: Path, networks: str) -> tuple[float, str]:
    """Returns the speed per core of embedding voices as a multiple of real time, and where it comes from.

    ``networks``: identity of the speaker networks.
    """
    reports = newest_reports(results, networks, "voices")
    seconds = sum(report.worker_seconds for report in reports)
    if seconds:
        return sum(report.audio_seconds for report in reports) / seconds, "measured"
    return _EMBEDDING_SPEED, "a rule of thumb"
