"""The last lines of a run on the terminal, made from the tables in its folder."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from audiogrid.core.file_sums import identity, read_sum, write_sum
from audiogrid.core.stop_note import read_stop
from audiogrid.records.run_folder import RunFolder
from audiogrid.reporting.notices import read_notices

SHOWN = 5
_GAPS = re.compile(r"[\d.]+ s in \d+ chunk\(s\) are not transcribed")


@dataclass(frozen=True)
class RunSummary:
    """``lines``: to print. ``troubles``: a phrase per kind of recording left out; empty for a complete run."""

    lines: list[str]
    troubles: list[str]


@dataclass(frozen=True)
class TableCounts:
    """Recordings that are ``done``, ``rejected``, ``lost`` (without a transcript), with ``gaps``, and ``lacking``
    something else; of each the first rows. ``failures``: rows of ``failed.tsv``.
    """

    done: int = 0
    rejected: int = 0
    lost: int = 0
    gaps: int = 0
    failures: int = 0
    lacking: int = 0
    rejected_rows: list[dict[str, str]] = field(default_factory=list)
    failure_rows: list[dict[str, str]] = field(default_factory=list)
    lacking_rows: list[dict[str, str]] = field(default_factory=list)


def each_row(path: Path) -> Iterator[dict[str, str]]:
    """Yields the rows of one of the run's tables, as they are written; none where the file does not exist."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            yield from csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
    except FileNotFoundError:
        return


def first_rows(path: Path, most: int) -> tuple[list[dict[str, str]], int]:
    """Returns the first rows of a table, and how many there are in all."""
    found, count = [], 0
    for row in each_row(path):
        count += 1
        if count <= most:
            found.append(row)
    return found, count


def _count(folder: RunFolder) -> TableCounts:
    failed = list(each_row(folder.failed))
    named = {row["recording"] for row in failed}
    done, gaps, lacking, lacking_rows = 0, 0, 0, []
    for row in each_row(folder.summary):
        done += 1
        gaps += row["recording"] in named
        left_out = row.get("left_out")
        # Gaps alone are told with their causes.
        if left_out and not _GAPS.fullmatch(left_out):
            lacking += 1
            if lacking <= SHOWN:
                lacking_rows.append({"recording": row["recording"], "left_out": left_out})
    rejected_rows, rejected = first_rows(folder.rejected, SHOWN)
    lost = len(named) - gaps
    return TableCounts(done, rejected, lost, gaps, len(failed), lacking, rejected_rows, failed[:SHOWN], lacking_rows)


def table_counts(folder: RunFolder) -> TableCounts:
    """Returns what the tables of a run amount to. They are read once: the result is kept as long as they stay."""
    source: list[int] = []
    for table in (folder.summary, folder.rejected, folder.failed):
        source += identity(table) if table.is_file() else [0, 0]
    path = folder.root / ".state" / "tables.sum"
    known = read_sum(TableCounts, path, source)
    if known is None:
        known = _count(folder)
        if folder.summary.is_file():
            with suppress(OSError):
                write_sum(path, source, known)
    return known


def _some(rows: list[str], count: int) -> list[str]:
    more = [f"  and {count - SHOWN} more"] if count > SHOWN else []
    return [f"  {row}" for row in rows[:SHOWN]] + more


def read_run_summary(folder: RunFolder) -> RunSummary:
    """Returns the last lines of a run."""
    found = table_counts(folder)
    stopped = read_stop(folder.stop)
    total = found.done + found.lost + found.rejected + (stopped.waiting if stopped else 0)
    lines = [f"{found.done} of {total} recording(s) transcribed, in {folder.transcripts}/"]
    troubles = []
    if found.rejected:
        troubles.append(f"{found.rejected} recording(s) rejected")
        lines.append(f"{found.rejected} rejected (reasons in {folder.rejected}):")
        lines += _some([f"{row['path']}: {row['reason']}" for row in found.rejected_rows], found.rejected)
    if found.lost:
        troubles.append(f"{found.lost} recording(s) failed")
        lines.append(f"{found.lost} without a transcript (causes in {folder.failed}):")
    if found.gaps:
        lines.append(f"{found.gaps} with a gap (causes in {folder.failed}):")
    if found.failures:
        rows = [f"{row['chunk'] or row['path']}: {row['cause']}" for row in found.failure_rows]
        lines += _some(rows, found.failures)
        lines.append("Run the same command again to try only these.")
    if found.lacking:
        lines.append(f"{found.lacking} with something left out (column left_out of {folder.summary}):")
        lines += _some([f"{row['recording']}: {row['left_out']}" for row in found.lacking_rows], found.lacking)
    lines += read_notices(folder).sentences(folder)
    if folder.report.is_file():
        lines.append(f"Report: {folder.report}")
    if stopped:
        troubles.append(f"{stopped.waiting} recording(s) wait")
        lines.append(f"Stopped: {stopped.reason}. The same command goes on with the other recordings.")
    return RunSummary(lines, troubles)
