"""Status and report of a run open a bounded number of files for each of its jobs, and none for a recording."""

from __future__ import annotations

import io
import sys
from collections import Counter
from pathlib import Path

import pytest

from places import ROOT

sys.path.append(str(ROOT / "benchmarks"))
from archive import make_run

import report
from audiogrid.records.run_folder import RunFolder
from audiogrid.reporting.status import status_lines

MERGE = '{"formats": ["html"], "subtitles": {}, "search": false}'


def opened(monkeypatch: pytest.MonkeyPatch, folder: RunFolder, work: str) -> Counter[str]:
    """Returns how often files of a run are opened, by folder."""
    counts: Counter[str] = Counter()
    real = io.open

    def count(file: object, *given: object, **more: object) -> object:
        if isinstance(file, str | Path) and Path(file).is_relative_to(folder.root):
            counts[Path(file).relative_to(folder.root).parts[0].partition("-")[0]] += 1
        return real(file, *given, **more)  # type: ignore[call-overload]

    with monkeypatch.context() as patch:
        patch.setattr(io, "open", count)
        if work == "status":
            status_lines(folder)
        else:
            report.main(["--run-dir", str(folder.root), "--store", str(folder.root / "store"), "--settings", MERGE])
    return counts


def test_files_are_opened_for_jobs_and_not_for_recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {}
    for count in (1000, 10_000):
        folder = RunFolder(tmp_path / str(count) / "results" / "x")
        make_run(folder, count)
        bundles, shards = count // 500, -(-count // 2000)
        counts = opened(monkeypatch, folder, "report")
        # Of a bundle its sum, its rows and its ledger; and the records of those that are shown.
        assert 3 * bundles <= counts["merged"] <= 5 * bundles
        assert counts["journal"] == shards
        assert (folder.summary.read_bytes().count(b"\n"), folder.ledger.read_bytes().count(b"\n")) == (
            count + 1,
            2 * count + 1,
        )
        looks = opened(monkeypatch, folder, "status")
        # Once for the tables; after that they are known.
        looks = opened(monkeypatch, folder, "status")
        assert looks["merged"] == looks["summary.tsv"] == 0
        assert looks["shards"] == shards
        found[count] = counts + looks
        for other in ("merged", "journal", "shards"):
            found[count].pop(other)
    # Everything else does not depend on the size of the run.
    assert found[1000] == found[10_000]
