"""Core-hours and GPU-hours that jobs reserve while a run goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from audiogrid.records.run_folder import RunFolder
from audiogrid.reporting.spending import Spending


def journal(folder: Path, name: str, *entries: dict[str, object]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    with path.open("a") as file:
        file.writelines(json.dumps(entry) + "\n" for entry in entries)
    return path


def begin(at: float, device: str = "cpu", workers: int = 2, threads: int = 3, shard: str = "s1") -> dict[str, object]:
    return {
        **{"at": at, "event": "begin", "shard": shard, "spec": "x", "host": "n", "workers": workers},
        **{"threads": threads, "device": {"device": device}, "facts": {}},
    }


def test_what_was_spent_before_does_not_count_and_clocks_of_nodes_do_not_matter(tmp_path: Path) -> None:
    folder, now = RunFolder(tmp_path), [0.0]
    end = {"event": "end", "reason": "done"}
    journal(folder.journal, "s1.n.1.jsonl", begin(0), {"at": 7200, **end})
    spending = Spending(folder, lambda: now[0])
    assert spending.used() == (0, 0)
    # A clock that is years behind, a GPU, and a job that embeds voices.
    journal(folder.journal, "s1.n.2.jsonl", begin(-1e8), {"at": -1e8 + 3600, **end})
    journal(folder.journal, "s2.n.3.jsonl", begin(1e9, "cuda", 2), {"at": 1e9 + 1800, **end})
    journal(folder.voices_journal, "s1.n.4.jsonl", begin(50, "cpu", 1, 1), {"at": 50 + 360, **end})
    assert spending.used() == pytest.approx((6 + 0.1, 1))
    # An earlier process with the same number: only its new attempt counts.
    journal(folder.journal, "s1.n.1.jsonl", begin(9000), {"at": 12_600, **end})
    assert spending.used() == pytest.approx((12.1, 1))


def test_jobs_at_work_count_until_they_fall_silent(tmp_path: Path) -> None:
    folder, now = RunFolder(tmp_path), [0.0]
    spending = Spending(folder, lambda: now[0])
    path = journal(folder.journal, "s1.n.2.jsonl", begin(500, workers=1, threads=1))
    assert spending.used()[0] == 0
    now[0] = 600
    assert spending.used()[0] * 3600 == pytest.approx(600)
    now[0] = 90_000
    assert spending.used()[0] * 3600 == pytest.approx(900)
    journal(path.parent, path.name, {"at": 90_500, "event": "end", "reason": "SIGTERM was received"})
    assert spending.used()[0] * 3600 == pytest.approx(90_000)
