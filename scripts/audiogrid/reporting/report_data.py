"""Collects the data of the report: what was done, what it took, and what the plan had estimated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from audiogrid.core.atomic_files import read_json
from audiogrid.core.stop_note import read_stop
from audiogrid.core.timebase import to_seconds
from audiogrid.records.plan import Plan
from audiogrid.records.plan_files.reader import PlanFile
from audiogrid.records.prices import Prices
from audiogrid.records.run_folder import RunFolder
from audiogrid.reporting.attempts import Attempt, read_attempts, spans_at_work
from audiogrid.reporting.bundle_sum import LISTED, BundleSum
from audiogrid.reporting.gathered_run import GatheredRun
from audiogrid.reporting.last_lines import first_rows
from audiogrid.reporting.notices import read_notices


@dataclass(frozen=True)
class ComputeUsage:
    """Computing time in seconds. ``reserved``: from the start of a job to its end, jobs that embed voices included;
    ``busy``: decoding only.

    ``memory_mb``: peak memory of one decoding process.
    """

    audio: float = 0.0
    wall: float = 0.0
    busy_cores: float = 0.0
    busy_gpus: float = 0.0
    reserved_cores: float = 0.0
    reserved_gpus: float = 0.0
    decoded: int = 0
    stored: int = 0
    memory_mb: int = 0

    @property
    def speed(self) -> float:
        """Seconds of audio per second."""
        return self.audio / self.wall if self.wall else 0.0

    def cost(self, prices: Prices) -> float | None:
        """Returns the cost of the reserved hours; ``None`` where no price applies."""
        cores, gpus = self.reserved_cores * prices.core_hour, self.reserved_gpus * prices.gpu_hour
        return (cores + gpus) / 3600 if cores or gpus else None


@dataclass(frozen=True)
class Estimate:
    """The plan's estimate for the audio that was decoded. ``source``: where its speed comes from."""

    core_seconds: float
    seconds: float
    cores: int
    source: str


@dataclass(frozen=True)
class ReportData:
    """All data of the report.

    ``sums``: over all recordings with a transcript. ``rows``: of those that are shown, each with its ``page``; in a
    selection ``shown`` says why. ``rejected``: first rows of the table, of ``rejections`` in all. ``total``: recordings
    found, also rejected ones. ``attempts``: at decoding shards; ``embedding``: at embedding their voices.
    ``searchable``: whether there is a page that searches the transcripts. ``stopped``: why the run ended before its
    end, with ``waiting`` recordings left.
    """

    sums: BundleSum = field(default_factory=BundleSum)
    rows: list[dict[str, Any]] = field(default_factory=list)
    rejected: list[dict[str, str]] = field(default_factory=list)
    rejections: int = 0
    attempts: list[Attempt] = field(default_factory=list)
    embedding: list[Attempt] = field(default_factory=list)
    effort: ComputeUsage = field(default_factory=ComputeUsage)
    estimate: Estimate | None = None
    models: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    planned: bool = True
    notices: list[str] = field(default_factory=list)
    total: int = 0
    searchable: bool = False
    stopped: str = ""
    waiting: int = 0

    @property
    def is_selection(self) -> bool:
        """Whether not all recordings are shown."""
        return len(self.rows) < self.sums.recordings

    @property
    def unfinished(self) -> list[Attempt]:
        """Attempts that did not finish their shard."""
        return [attempt for attempt in [*self.attempts, *self.embedding] if attempt.reason != "done"]


def compute_usage(attempts: Sequence[Attempt]) -> ComputeUsage:
    """Returns the sum over all attempts."""
    on_cores = [attempt for attempt in attempts if not attempt.gpu]
    on_gpus = [attempt for attempt in attempts if attempt.gpu]
    return ComputeUsage(
        audio=sum(attempt.audio for attempt in attempts),
        wall=sum(end - begin for begin, end in spans_at_work(attempts)),
        busy_cores=sum(attempt.busy * attempt.threads for attempt in on_cores),
        busy_gpus=sum(attempt.busy / attempt.per_gpu for attempt in on_gpus),
        reserved_cores=sum(attempt.reserved for attempt in on_cores),
        reserved_gpus=sum(attempt.reserved for attempt in on_gpus),
        decoded=sum(attempt.decoded for attempt in attempts),
        memory_mb=max((attempt.memory_mb for attempt in attempts), default=0),
        stored=_saved(attempts),
    )


def _saved(attempts: Sequence[Attempt]) -> int:
    """Returns the chunks that were taken from the store; those that an earlier attempt decoded are no saving."""
    saved: dict[str, int] = {}
    decoded: dict[str, int] = {}
    for attempt in attempts:
        mine = attempt.stored - decoded.get(attempt.shard, 0)
        saved[attempt.shard] = max(saved.get(attempt.shard, 0), mine)
        decoded[attempt.shard] = decoded.get(attempt.shard, 0) + attempt.decoded
    return sum(saved.values())


def read_estimate(folder: RunFolder, plan: Plan | PlanFile, decoded: float) -> Estimate | None:
    """Returns the estimate for ``decoded`` seconds of audio; ``None`` without an estimate or without decoding."""
    try:
        raw = read_json(folder.estimate)
        speeds: Mapping[str, Mapping[str, Any]] = raw["speeds"]
        needed = plan.audio_by_model()
        whole = sum(to_seconds(samples) / speeds[model]["per_core"] for model, samples in needed.items())
        sources = "; ".join(dict.fromkeys(str(speeds[model]["source"]) for model in needed))
        cores = int(raw["cores"])
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError):
        return None
    planned = to_seconds(plan.audio)
    if not planned or not decoded:
        return None
    share = min(1.0, decoded / planned)
    return Estimate(whole * share, whole * share / max(1, cores), cores, sources)


def read_report_data(folder: RunFolder, plan: Plan | PlanFile | None, run: GatheredRun | None = None) -> ReportData:
    """Returns the data of the run in ``folder``. ``plan``: ``None`` where the run failed before planning.

    ``run``: what its bundles amount to.
    """
    rejected, rejections = first_rows(folder.rejected, LISTED)
    if plan is None:
        return ReportData(rejected=rejected, rejections=rejections, planned=False, total=rejections)
    run = run or GatheredRun()
    specs = {shard.shard: shard.spec for shard in plan.shards}
    attempts = read_attempts(folder, specs)
    embedding = read_attempts(folder, specs, folder.voices_journal)
    spent = compute_usage(attempts)
    # Embedding voices occupies cores, too, and no GPU.
    spent = replace(spent, reserved_cores=spent.reserved_cores + sum(attempt.reserved for attempt in embedding))
    used = plan.audio_by_model()
    stopped = read_stop(folder.stop)
    return ReportData(
        sums=run.total,
        rows=run.rows,
        rejected=rejected,
        rejections=rejections,
        attempts=attempts,
        embedding=embedding,
        effort=spent,
        estimate=read_estimate(folder, plan, spent.audio),
        models={name: hash_ for name, hash_ in plan.models.items() if name in used} or dict(plan.models),
        options=dict(plan.settings.options),
        notices=read_notices(folder).sentences(folder),
        total=plan.count + rejections,
        searchable=folder.search_page.is_file(),
        stopped=stopped.reason if stopped else "",
        waiting=run.waiting,
    )
