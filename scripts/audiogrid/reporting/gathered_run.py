"""Gathers what the bundles of a run left behind: their sums, the rows that the report shows, and what failed.

Of each bundle two small files are looked at. Records of bundles are read only where a run is small enough to show all
of its recordings, and of the few whose recordings are among the newest or worst of a large one.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audiogrid.core.tsv import table_line
from audiogrid.merging.ledger_table import part_totals
from audiogrid.merging.merge_bundle import Failure, MergedBundle, failure_row, is_unreached
from audiogrid.merging.summary_table import summary_line
from audiogrid.records.run_folder import RunFolder
from audiogrid.reporting.bundle_sum import WORST, BundleSum, badness, chance, shown_rows, sum_bundle
from audiogrid.reporting.bundle_sum_files import read_bundle_sum, rows_path

#: Runs of more recordings are shown by a selection: so many of the worst, the newest, and a sample.
ROWS, WORST_SHOWN, NEWEST_SHOWN, SAMPLE_SHOWN = 2000, 1500, 300, 200


@dataclass
class GatheredRun:
    """What the bundles of a run amount to.

    ``rows``: of the recordings that are shown, all of a small run; in a selection ``shown`` says why. ``summary``:
    files with rows of ``summary.tsv``, or the rows themselves, in order; ``failed``: rows of ``failed.tsv``. ``lost``:
    recordings without a transcript. ``suspects``: bundles some of whose files may no longer belong to the run.
    ``waiting``: recordings that were not finished because the run was stopped.
    """

    total: BundleSum = field(default_factory=BundleSum)
    rows: list[dict[str, Any]] = field(default_factory=list)
    summary: list[Path | bytes] = field(default_factory=list)
    failed: list[bytes] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)
    suspects: set[str] = field(default_factory=set)
    waiting: int = 0


class _Selection:
    """Finds the rows that the report shows."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._count = 0
        self._order: list[str] = []
        self._records: dict[str, MergedBundle] = {}
        self._newest: list[tuple[int, str]] = []
        self._worst: list[dict[str, Any]] = []
        self._sample: list[dict[str, Any]] = []
        # Bundles with more rows than their sums hold, and the best row there.
        self._cut: dict[str, tuple[bool, float, float, str]] = {}

    def add(self, bundle: str, found: BundleSum, merged: MergedBundle | None, changed: int) -> None:
        """Take note of a bundle. ``merged``: where it was merged now; ``changed``: when its record was written."""
        self._order.append(bundle)
        self._count += found.recordings
        if merged is not None and self._count <= ROWS:
            self._records[bundle] = merged
        elif self._count > ROWS:
            self._records.clear()
        if merged is None:
            heapq.heappush(self._newest, (changed, bundle))
            if len(self._newest) > NEWEST_SHOWN:
                heapq.heappop(self._newest)
            if found.recordings > WORST:
                self._cut[bundle] = badness(found.worst[-1])
        self._worst = heapq.nsmallest(WORST_SHOWN, [*self._worst, *found.worst], key=badness)
        self._sample = heapq.nsmallest(SAMPLE_SHOWN, [*self._sample, *found.sample], key=chance)

    def _rows(self, bundle: str) -> list[dict[str, Any]]:
        merged = self._records.get(bundle) or MergedBundle.read(self._folder.merged / f"{bundle}.json")
        return shown_rows(merged, merged.rows)

    def rows(self) -> list[dict[str, Any]]:
        """Returns all rows of a small run in their order; of a large one the worst, the newest and a sample."""
        if self._count <= ROWS:
            return [row for bundle in self._order for row in self._rows(bundle)]
        chosen: dict[str, dict[str, Any]] = {}
        for why, rows in (("worst", self._all_worst()), ("newest", self._all_newest()), ("sample", self._sample)):
            for row in rows:
                known = chosen.setdefault(row["recording"], {**row, "shown": ""})
                known["shown"] = f"{known['shown']} {why}".strip()
        return list(chosen.values())

    def _all_worst(self) -> list[dict[str, Any]]:
        """Returns the worst rows. A bundle whose sum may hold back some of them is read itself."""
        for bundle, best in sorted(self._cut.items(), key=lambda item: item[1]):
            if len(self._worst) < WORST_SHOWN or best < badness(self._worst[-1]):
                known = {row["recording"] for row in self._worst}
                more = [row for row in self._rows(bundle) if row["recording"] not in known]
                self._worst = heapq.nsmallest(WORST_SHOWN, [*self._worst, *more], key=badness)
        return self._worst

    def _all_newest(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for _, bundle in sorted(self._newest, reverse=True):
            if len(found) < NEWEST_SHOWN:
                found += self._rows(bundle)[-(NEWEST_SHOWN - len(found)) :]
        return found


def gather(
    folder: RunFolder,
    bundles: Mapping[str, int],
    merge: Callable[[str], MergedBundle | None] | None = None,
    *,
    is_stopped: bool = False,
) -> GatheredRun:
    """Returns what the bundles of a run amount to. ``bundles``: those of its plan, each with its number of recordings.

    ``merge``: for a run that has failed: merges a bundle, or returns ``None`` where it is merged already.
    ``is_stopped``: whether the run was stopped on purpose; what it did not reach is then no failure.
    """
    run, selection = GatheredRun(), _Selection(folder)
    for bundle, count in bundles.items():
        merged = merge(bundle) if merge is not None else None
        if merged is None:
            found = read_bundle_sum(folder, bundle)
            run.summary.append(rows_path(folder, bundle))
            changed = (folder.merged / f"{bundle}.json").stat().st_mtime_ns
        else:
            if is_stopped:
                waiting = {failure.recording for failure in merged.failures if is_unreached(failure)}
                merged.failures = [failure for failure in merged.failures if failure.recording not in waiting]
                run.waiting += len(waiting)
            found, changed = sum_bundle(merged, part_totals(folder, bundle)), 0
            run.summary.append(b"".join(map(summary_line, merged.rows)))
        if found.other_files or found.recordings + found.lost != count:
            run.suspects.add(bundle)
        if found.failures:
            _add_failures(run, bundle, _failures(folder, bundle, found, merged), found)
        selection.add(bundle, found, merged, changed)
        run.total.add(found)
    run.rows = selection.rows()
    return run


def _failures(folder: RunFolder, bundle: str, found: BundleSum, merged: MergedBundle | None) -> list[Failure]:
    """Returns all failures of a bundle; its record is read only where its sum does not hold them all."""
    if merged is not None:
        return merged.failures
    if found.failures == len(found.failure_rows):
        return found.failure_rows
    return MergedBundle.read(folder.merged / f"{bundle}.json").failures


def _add_failures(run: GatheredRun, bundle: str, failures: list[Failure], found: BundleSum) -> None:
    run.failed += [table_line(failure_row(failure)) for failure in failures]
    if found.lost:
        # A failure with a gap has a transcript.
        run.lost |= {failure.recording for failure in failures if not failure.cause.startswith("left out as a gap")}
        run.suspects.add(bundle)
