"""The last lines of a run on the terminal, made from the tables in its folder."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from audiogrid.records.run_folder import RunFolder
from audiogrid.reporting.notices import read_notices

SHOWN = 5
_GAPS = re.compile(r"[\d.]+ s in \d+ chunk\(s\) are not transcribed")


@dataclass(frozen=True)
class RunSummary:
    """``lines``: to print. ``troubles``: a phrase per kind of recording left out; empty for a complete run."""

    lines: list[str]
    troubles: list[str]


def read_rows(path: Path) -> list[dict[str, str]]:
    """Returns the rows of one of the run's tables; none where the file does not exist."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    except FileNotFoundError:
        return []


def _some(rows: list[str]) -> list[str]:
    more = [f"  and {len(rows) - SHOWN} more"] if len(rows) > SHOWN else []
    return [f"  {row}" for row in rows[:SHOWN]] + more


def read_run_summary(folder: RunFolder) -> RunSummary:
    """Returns the last lines of a run."""
    done, rejected, failed = (read_rows(path) for path in (folder.summary, folder.rejected, folder.failed))
    whole = {row["recording"] for row in done}
    gaps = {row["recording"] for row in failed} & whole
    lost = {row["recording"] for row in failed} - whole
    total = len(whole) + len(lost) + len(rejected)
    lines = [f"{len(whole)} of {total} recording(s) transcribed, in {folder.transcripts}/"]
    troubles = []
    if rejected:
        troubles.append(f"{len(rejected)} recording(s) rejected")
        lines.append(f"{len(rejected)} rejected (reasons in {folder.rejected}):")
        lines += _some([f"{row['path']}: {row['reason']}" for row in rejected])
    if lost:
        troubles.append(f"{len(lost)} recording(s) failed")
        lines.append(f"{len(lost)} without a transcript (causes in {folder.failed}):")
    if gaps:
        lines.append(f"{len(gaps)} with a gap (causes in {folder.failed}):")
    if failed:
        lines += _some([f"{row['chunk'] or row['path']}: {row['cause']}" for row in failed])
        lines.append("Run the same command again to try only these.")
    # Gaps alone are told above, with their causes.
    lacking = [row for row in done if row.get("left_out") and not _GAPS.fullmatch(row["left_out"])]
    if lacking:
        lines.append(f"{len(lacking)} with something left out (column left_out of {folder.summary}):")
        lines += _some([f"{row['recording']}: {row['left_out']}" for row in lacking])
    lines += read_notices(folder).sentences(folder)
    if folder.report.is_file():
        lines.append(f"Report: {folder.report}")
    return RunSummary(lines, troubles)
