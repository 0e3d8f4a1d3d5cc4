"""Collects the data of the report: what was done, what it took, and what the plan had estimated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from audiogrid.core.atomic_files import read_json
from audiogrid.core.timebase import to_seconds
from audiogrid.merging.ledger_table import Totals
from audiogrid.merging.merge_bundle import Failure, MergedBundle
from audiogrid.records.plan import Plan
from audiogrid.records.prices import Prices
from audiogrid.records.run_folder import RunFolder
from audiogrid.reporting.attempts import Attempt, read_attempts, spans_at_work
from audiogrid.reporting.last_lines import read_rows
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
    """All data of the report. ``rows``: of the summary; ``total``: recordings found, also rejected ones.

    ``attempts``: at decoding shards; ``embedding``: at embedding their voices; ``ledger``: samples by kind and reason,
    by recording. ``searchable``: whether there is a page that searches the transcripts.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    worst: list[dict[str, Any]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    rejected: list[dict[str, str]] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    embedding: list[Attempt] = field(default_factory=list)
    effort: ComputeUsage = field(default_factory=ComputeUsage)
    estimate: Estimate | None = None
    models: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    planned: bool = True
    notices: list[str] = field(default_factory=list)
    audio: float = 0.0
    total: int = 0
    ledger: Mapping[str, Totals] = field(default_factory=dict)
    searchable: bool = False

    @property
    def lost(self) -> list[Failure]:
        """Failures of recordings without a transcript."""
        whole = {row["recording"] for row in self.rows}
        return [failure for failure in self.failures if failure.recording not in whole]

    @property
    def lacking(self) -> list[dict[str, Any]]:
        """Rows of recordings whose transcripts lack something, or could not heed a setting."""
        return [row for row in self.rows if row.get("left_out")]

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
        busy_gpus=sum(attempt.busy for attempt in on_gpus),
        reserved_cores=sum(attempt.reserved for attempt in on_cores),
        reserved_gpus=sum(attempt.reserved for attempt in on_gpus),
        decoded=sum(attempt.decoded for attempt in attempts),
        memory_mb=max((attempt.memory_mb for attempt in attempts), default=0),
        # Chunks that an earlier attempt of this run decoded are no saving.
        stored=len(
            {chunk for attempt in attempts for chunk in attempt.stored}
            - {chunk for attempt in attempts for task in attempt.tasks.values() for chunk in task.chunks}
        ),
    )


def read_estimate(folder: RunFolder, plan: Plan, decoded: float) -> Estimate | None:
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


def read_report_data(
    folder: RunFolder, plan: Plan | None, bundles: Sequence[MergedBundle], ledger: Mapping[str, Totals] | None = None
) -> ReportData:
    """Returns the data of the run in ``folder``. ``plan``: ``None`` where the run failed before planning.

    ``ledger``: as ``write_ledger`` returns it.
    """
    rejected = read_rows(folder.rejected)
    if plan is None:
        return ReportData(rejected=rejected, planned=False, total=len(rejected))
    attempts = read_attempts(folder, plan)
    embedding = read_attempts(folder, plan, folder.voices_journal)
    spent = compute_usage(attempts)
    # Embedding voices occupies cores, too, and no GPU.
    spent = replace(spent, reserved_cores=spent.reserved_cores + sum(attempt.reserved for attempt in embedding))
    models = {recording.recording: plan.models_of(recording) for recording in plan.recordings}
    used = {model for names in models.values() for model in names}
    worst = [
        {"recording": name, **passage}
        for merged in bundles
        for name, passages in merged.worst.items()
        for passage in passages
    ]
    return ReportData(
        rows=[
            {"model": ", ".join(models.get(row["recording"], [])), **row} for merged in bundles for row in merged.rows
        ],
        files={name: files for merged in bundles for name, files in merged.files.items()},
        worst=sorted(worst, key=lambda passage: passage["probability"]),
        failures=[failure for merged in bundles for failure in merged.failures],
        rejected=rejected,
        attempts=attempts,
        embedding=embedding,
        effort=spent,
        estimate=read_estimate(folder, plan, spent.audio),
        models={name: hash_ for name, hash_ in plan.models.items() if name in used} or plan.models,
        options=dict(plan.settings.options),
        notices=read_notices(folder).sentences(folder),
        audio=to_seconds(plan.audio),
        total=len(plan.recordings) + len(rejected),
        searchable=folder.search_page.is_file(),
        ledger=ledger or {},
    )
