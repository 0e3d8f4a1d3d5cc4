"""Resources that a job requests from a cluster: minutes, memory and processes.

They follow from the plan and from finished shards. Every figure is a limit, not a forecast: too high costs a longer
wait in the queue, too low a retry. Chunks finished before the limit are in the store, and a retry requests more.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, MutableMapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from audiogrid.config.run_settings import RunSettings
from audiogrid.core.errors import AudiogridError
from audiogrid.core.json_values import to_json
from audiogrid.core.timebase import to_seconds
from audiogrid.hardware.cores import Division, divide
from audiogrid.models.registry import memory_of, model_hash
from audiogrid.planning.throughput import newest_reports, rule_of_thumb
from audiogrid.records.plan import Plan
from audiogrid.records.plan_files.reader import PlanFile

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


@dataclass(frozen=True)
class Rate:
    """What finished shards did on one kind of device. ``audio``, ``seconds``: decoded, and the time of workers.

    ``threads``: of each worker process; on a GPU their number means nothing.
    """

    device: str
    compute_type: str
    threads: int
    audio: float
    seconds: float


def job_rates(results: Path, model_hash: str) -> list[Rate]:
    """Returns the rates of a model's newest finished shards in ``results``, one for each kind of device."""
    found: dict[tuple[str, str, int], Rate] = {}
    for report in newest_reports(results, model_hash):
        made = report.made
        if not made.get("device"):
            continue
        # Ranks of an MPI job may have had different devices: what each of them did is not known.
        if len({rank["device"] for rank in made.get("ranks", ()) if rank["device"]}) > 1:
            continue
        kind = (str(made["device"]), str(made.get("compute_type", "")), int(made.get("threads", 1)))
        before = found.get(kind, Rate(*kind, 0.0, 0.0))
        audio, seconds = before.audio + report.audio_seconds, before.seconds + report.worker_seconds
        found[kind] = Rate(*kind, round(audio, 1), round(seconds, 1))
    return list(found.values())


def job_speed(
    rates: Sequence[Rate], device: str, compute_type: str, division: Division, attempt: int = 1
) -> float | None:
    """Returns seconds of audio per second that a job will decode; ``None`` where nothing comparable was measured.

    ``device``, ``compute_type``: as configured; ``division``: the job's processes and threads on a CPU. With ``auto``
    the slower of the measured devices counts; from the second attempt on a GPU does not, because the job may have
    come to a node without one.
    """
    alike = [rate for rate in rates if compute_type in ("auto", rate.compute_type)]
    speeds = []
    if device != "cpu" and (device == "cuda" or attempt == 1):
        speeds.append(_speed([rate for rate in alike if rate.device == "cuda"]))
    if device != "cuda":
        on_cpu = [rate for rate in alike if rate.device == "cpu"]
        same = _speed([rate for rate in on_cpu if rate.threads == division.threads])
        others = _speed([replace(rate, seconds=rate.seconds * rate.threads) for rate in on_cpu])
        each = same or (others and others * division.threads)
        speeds.append(each and each * division.processes)
    return min((speed for speed in speeds if speed), default=None)


def _speed(rates: Sequence[Rate]) -> float | None:
    seconds = sum(rate.seconds for rate in rates)
    return sum(rate.audio for rate in rates) / seconds if seconds else None


def export_job_rates(
    model_dirs: Iterable[Path], results: Path, environment: MutableMapping[str, str] = os.environ
) -> None:
    """Export the rates of all models to the environment, which all jobs of this run inherit."""
    rates: dict[str, list[Any]] = {}
    for model_dir in model_dirs:
        try:
            rates[model_dir.name] = to_json(job_rates(results, model_hash(model_dir)))
        except (AudiogridError, OSError, KeyError, TypeError, ValueError):
            rates[model_dir.name] = []
    environment[RATE_VARIABLE] = json.dumps(rates)


def exported_job_rates(model: str, environment: MutableMapping[str, str] = os.environ) -> list[Rate]:
    """Returns the exported rates of a model, by the name of its folder; empty where none are known."""
    try:
        return [Rate(**rate) for rate in json.loads(environment.get(RATE_VARIABLE, "{}")).get(model, [])]
    except (ValueError, TypeError, AttributeError):
        return []


def _model_bytes(model_dir: Path) -> int:
    """Returns the size of the weights; that of Whisper large where they are not staged yet."""
    try:
        return (model_dir / "model.bin").stat().st_size
    except OSError:
        return 3_090_000_000


def workers(model_dir: Path, cores: int) -> Division:
    """Returns the decoding processes of a job with ``cores`` cores on a node of unknown memory."""
    return divide(cores, _model_bytes(model_dir), _MODEST_MEMORY)


def transcribe_minutes(
    audio: int,
    model_dir: Path,
    cores: int,
    rates: Sequence[Rate],
    device: str = "auto",
    compute_type: str = "auto",
    attempt: int = 1,
) -> int:
    """Returns the time limit, in minutes, of a job that decodes ``audio`` samples.

    ``rates``: of finished jobs (see ``job_rates``); without one of the kind: a rule of thumb for ``cores`` cores.
    """
    speed = job_speed(rates, device, compute_type, workers(model_dir, cores), attempt)
    expected = to_seconds(audio) / (speed or rule_of_thumb(_model_bytes(model_dir)) * cores)
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


class JobResources:
    """What the rules of one run request for their jobs.

    ``run``: its configuration. ``on_cluster``: whether jobs run on other machines; asked when a rule asks, because
    Snakemake does not know earlier. ``is_main_process``: whether this process may compute rates, or inherits them.
    """

    def __init__(self, run: RunSettings, on_cluster: Callable[[], bool], *, is_main_process: bool) -> None:
        self._run = run
        self._on_cluster = on_cluster
        self._inherits = not is_main_process and RATE_VARIABLE in os.environ

    def transcribe_minutes(self, plan: Plan | PlanFile, shard: str, cores: int, attempt: int) -> int:
        """Returns the time limit of a transcribe job; 0 on this machine, where no scheduler ends jobs."""
        if not self._on_cluster():
            return 0
        one = plan.shard[shard]
        audio = one.audio // self._run.ranks
        device = self._run.settings["device"]
        rates = self._rates(one.model)
        return transcribe_minutes(audio, _folder(one.model), cores, rates, device, one.compute_type, attempt)

    def _rates(self, model: str) -> list[Rate]:
        if not self._inherits:
            export_job_rates([_folder(name) for name in self._run.all_models], Path("results"))
            self._inherits = True
        return exported_job_rates(model)

    def transcribe_memory_mb(self, plan: Plan | PlanFile, shard: str, cores: int, attempt: int) -> int:
        """Returns the memory of a transcribe job."""
        one = plan.shard[shard]
        each = memory_of(self._run.all_models[one.model], self._run.registry, "cpu", one.compute_type)
        return transcribe_memory_mb(_folder(one.model), cores, attempt, each)

    def transcribe_processes(self, plan: Plan | PlanFile, shard: str, cores: int) -> int:
        """Returns the decoding processes of a transcribe job; 0: the command decides by the machine it runs on."""
        given = int(self._run.settings["workers"]["processes"])
        if given or not self._on_cluster():
            return given
        return workers(_folder(plan.shard[shard].model), cores).processes

    def embed_minutes(self, plan: Plan | PlanFile, shard: str, cores: int, attempt: int) -> int:
        """Returns the time limit of an embed job; 0 on this machine."""
        if not self._on_cluster():
            return 0
        return embed_minutes(plan.shard[shard].audio // self._run.ranks, cores, attempt)

    def split_minutes(self, plan: Plan | PlanFile, bundle: str, attempt: int) -> int:
        """Returns the time limit of a split job."""
        return split_minutes(audio_of_bundle(plan, bundle), attempt)


def audio_of_bundle(plan: Plan | PlanFile, bundle: str) -> int:
    """Returns the samples of a bundle's recordings."""
    if isinstance(plan, PlanFile):
        return plan.bundle[bundle].audio
    return sum(plan.recording[name].audio for name in plan.bundle[bundle].recordings)


def _folder(model: str) -> Path:
    return Path("models", model)
