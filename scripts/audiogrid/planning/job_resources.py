"""What a job asks of a cluster: minutes, memory and processes, from the plan and from what finished shards took.

Every figure is a limit, not a forecast: too much costs a longer wait in the queue, too little a retry. What a job
finished before its limit struck is in the store, and a retry asks for more.
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

# The driver's figures travel to the nodes in this variable: a job must not work out another limit than it was given.
RATE_VARIABLE = "AUDIOGRID_JOB_RATES"
# Half the machines are slower than the middle one, and some chunks need the careful pass throughout.
_MARGIN = 2.0
# Two Snakemake starts, Python, the model from a busy file system, the last write.
_FIXED_MINUTES = 10
# Workers are chosen as if this much memory were to be had: what any node has.
_MODEST_MEMORY = 16_000_000_000
# A process holds its model twice (weights as read and as packed), with working space for a batch.
_WORKER_MB = 700
# Two Snakemakes around the job and the command that leads the workers.
_AROUND_MB = 1000


def job_rate(results: Path, model_hash: str) -> float | None:
    """Seconds of audio per second of a transcribe job, over the newest finished shards of this model in ``results``.

    Loading the model counts, waiting in the queue does not. ``None`` when nothing was decoded yet.
    """
    reports = newest_reports(results, model_hash)
    # The ranks of an MPI job share its chunks: this is the rate of one.
    seconds = sum(report["seconds"] * len(report.get("made", {}).get("ranks", "1")) for report in reports)
    return sum(report["audio_seconds"] for report in reports) / seconds if seconds else None


def note_rates(model_dirs: Iterable[Path], results: Path, environment: MutableMapping[str, str] = os.environ) -> None:
    """Put what is known now of every model where all jobs of this run will find it (0: nothing is)."""
    from audiogrid.models.registry import model_hash

    rates = {}
    for model_dir in model_dirs:
        try:
            rate = job_rate(results, model_hash(model_dir))
        except (AudiogridError, OSError):
            rate = None
        rates[model_dir.name] = round(rate or 0, 4)
    environment[RATE_VARIABLE] = json.dumps(rates)


def noted_rate(model: str, environment: MutableMapping[str, str] = os.environ) -> float | None:
    """What ``note_rates`` left about a model, by the name of its folder; ``None`` when nothing is known."""
    try:
        return float(json.loads(environment.get(RATE_VARIABLE, "{}")).get(model, 0)) or None
    except (ValueError, TypeError, AttributeError):
        return None


def _model_bytes(model_dir: Path) -> int:
    """Size of the weights; that of Whisper large where they are not staged yet."""
    try:
        return (model_dir / "model.bin").stat().st_size
    except OSError:
        return 3_090_000_000


def workers(model_dir: Path, cores: int) -> Division:
    """Decoding processes of a job with ``cores`` cores on a node of which nothing else is known."""
    return divide(cores, _model_bytes(model_dir), _MODEST_MEMORY)


def transcribe_minutes(audio: int, model_dir: Path, cores: int, rate: float | None, attempt: int = 1) -> int:
    """Time limit, in minutes, of a job that decodes ``audio`` samples.

    ``rate``: what finished jobs did (see ``job_rate``), else a rule of thumb for ``cores`` cores.
    """
    expected = to_seconds(audio) / (rate or rule_of_thumb(_model_bytes(model_dir)) * cores)
    return (_FIXED_MINUTES + math.ceil(_MARGIN * expected / 60)) * attempt


def transcribe_memory_mb(model_dir: Path, cores: int, attempt: int = 1, each_mb: int | None = None) -> int:
    """Memory, in MB, of a job with ``workers(model_dir, cores)``.

    ``each_mb``: of one process, where the registry says; else by the size of the weights.
    """
    each = each_mb or 2 * _model_bytes(model_dir) / 1_000_000 + _WORKER_MB
    return math.ceil(_AROUND_MB + workers(model_dir, cores).processes * each) * attempt


def split_minutes(audio: int, attempt: int = 1) -> int:
    """Time limit, in minutes, to cut ``audio`` samples: a hundred times real time at the least, and a slow start."""
    return (_FIXED_MINUTES + math.ceil(to_seconds(audio) / 100 / 60)) * attempt
