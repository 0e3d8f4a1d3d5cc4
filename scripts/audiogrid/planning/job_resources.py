"""Resources that a job requests from a cluster: minutes, memory and processes.

They follow from the plan and from finished shards. Every figure is a limit, not a forecast: too high costs a longer
wait in the queue, too low a retry. Chunks finished before the limit are in the store, and a retry requests more.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, MutableMapping
from pathlib import Path

from audiogrid.core.errors import AudiogridError
from audiogrid.core.timebase import to_seconds
from audiogrid.hardware.cores import Division, divide
from audiogrid.planning.throughput import newest_reports, rule_of_thumb

# The main process passes its rates to the jobs in this variable, so that both compute the same limit.
RATE_VARIABLE = "AUDIOGRID_JOB_RATES"
# Half of the machines are slower than the median, and some chunks need the careful pass throughout.
_MARGIN = 2.0
# Two Snakemake starts, Python, loading the model from a busy file system, writing the report.
_FIXED_MINUTES = 10
# The number of workers assumes this much memory, which every node has.
_MODEST_MEMORY = 16_000_000_000
# A process holds its model twice (weights as read and as packed), with working space for a batch.
_WORKER_MB = 700
# Memory of the two Snakemake processes around the job and of the main process of the command.
_AROUND_MB = 1000


def job_rate(results: Path, model_hash: str) -> float | None:
    """Returns seconds of audio per second of a transcribe job, over a model's newest finished shards in ``results``.

    Loading the model counts, waiting in the queue does not. ``None`` when nothing was decoded yet.
    """
    reports = newest_reports(results, model_hash)
    # The ranks of an MPI job share its chunks: this is the rate of one.
    seconds = sum(report["seconds"] * len(report.get("made", {}).get("ranks", "1")) for report in reports)
    return sum(report["audio_seconds"] for report in reports) / seconds if seconds else None


def export_job_rates(
    model_dirs: Iterable[Path], results: Path, environment: MutableMapping[str, str] = os.environ
) -> None:
    """Export the rates of all models to the environment, which all jobs of this run inherit (0: unknown)."""
    from audiogrid.models.registry import model_hash

    rates = {}
    for model_dir in model_dirs:
        try:
            rate = job_rate(results, model_hash(model_dir))
        except (AudiogridError, OSError):
            rate = None
        rates[model_dir.name] = round(rate or 0, 4)
    environment[RATE_VARIABLE] = json.dumps(rates)


def exported_job_rate(model: str, environment: MutableMapping[str, str] = os.environ) -> float | None:
    """Returns the exported rate of a model, by the name of its folder; ``None`` where it is unknown."""
    try:
        return float(json.loads(environment.get(RATE_VARIABLE, "{}")).get(model, 0)) or None
    except (ValueError, TypeError, AttributeError):
        return None


def _model_bytes(model_dir: Path) -> int:
    """Returns the size of the weights; that of Whisper large where they are not staged yet."""
    try:
        return (model_dir / "model.bin").stat().st_size
    except OSError:
        return 3_090_000_000


def workers(model_dir: Path, cores: int) -> Division:
    """Returns the decoding processes of a job with ``cores`` cores on a node of unknown memory."""
    return divide(cores, _model_bytes(model_dir), _MODEST_MEMORY)


def transcribe_minutes(audio: int, model_dir: Path, cores: int, rate: float | None, attempt: int = 1) -> int:
    """Returns the time limit, in minutes, of a job that decodes ``audio`` samples.

    ``rate``: of finished jobs (see ``job_rate``); ``None``: a rule of thumb for ``cores`` cores.
    """
    expected = to_seconds(audio) / (rate or rule_of_thumb(_model_bytes(model_dir)) * cores)
    return (_FIXED_MINUTES + math.ceil(_MARGIN * expected / 60)) * attempt


def transcribe_memory_mb(model_dir: Path, cores: int, attempt: int = 1, each_mb: int | None = None) -> int:
    """Returns the memory, in MB, of a job with ``workers(model_dir, cores)``.

    ``each_mb``: of one process, where the registry has it; otherwise estimated from the size of the weights.
    """
    each = each_mb or 2 * _model_bytes(model_dir) / 1_000_000 + _WORKER_MB
    return math.ceil(_AROUND_MB + workers(model_dir, cores).processes * each) * attempt


def embed_minutes(audio: int, cores: int, attempt: int = 1) -> int:
    """Returns the time limit, in minutes, to embed ``audio`` samples at 20 times real time a core."""
    return (_FIXED_MINUTES + math.ceil(_MARGIN * to_seconds(audio) / (20 * cores) / 60)) * attempt


def embed_memory_mb(cores: int, attempt: int = 1) -> int:
    """Returns the memory, in MB, of a job with one embedding process a core (300 MB each with chunks of 5 minutes)."""
    return (_AROUND_MB + 400 * cores) * attempt


def split_minutes(audio: int, attempt: int = 1) -> int:
    """Returns the time limit, in minutes, to cut ``audio`` samples at 100 times real time, with a slow start."""
    return (_FIXED_MINUTES + math.ceil(to_seconds(audio) / 100 / 60)) * attempt
