"""Sums of journals: the same attempts as in the journals themselves, in few bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from audiogrid.records.chunks import ShardFacts
from audiogrid.records.journal import Journal
from audiogrid.records.outcome import Outcome
from audiogrid.records.run_folder import RunFolder
from audiogrid.reporting import attempts
from audiogrid.reporting.attempts import read_attempts, sum_journals
from audiogrid.reporting.report_data import compute_usage


def work(folder: RunFolder, shard: str = "s1", chunks: int = 3) -> Journal:
    journal = Journal(folder.journal, shard, "spec")
    journal.begin(ShardFacts(), 2, {"device": "cpu"}, threads=4)
    journal.outcome(Outcome("known", "k", "stored", 16_000))
    for number in range(chunks):
        outcome = Outcome(f"c{number}", "k", "decoded", 160_000, 2.0, began=100.0 + number, worker=f"n/{number % 2}")
        journal.outcome(outcome)
    journal.warning("a decoding process died")
    return journal


def test_a_sum_says_what_its_journal_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder(tmp_path)
    work(folder).end("done")
    (read,) = read_attempts(folder, {"s1": "spec"})
    sum_journals(folder.journal, "s1")
    monkeypatch.setattr(attempts, "read_journal", lambda path: pytest.fail("read"))
    (summed,) = read_attempts(folder, {"s1": "spec"})
    assert compute_usage([summed]) == compute_usage([read])
    assert (summed.reason, summed.warnings) == (read.reason, read.warnings)
    shown = [(task.worker, task.began, task.seconds, task.size, task.chunks[0]) for task in summed.tasks.values()]
    assert shown == [(task.worker, task.began, task.seconds, task.size, task.chunks[0]) for task in read.tasks.values()]
    assert read_attempts(folder, {"s1": "another"}) == []


def test_a_journal_that_has_grown_is_read_again(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    journal = work(folder)
    sum_journals(folder.journal, "s1")
    journal.outcome(Outcome("late", "k", "decoded", 160_000, 2.0, began=500.0))
    assert [one.decoded for one in read_attempts(folder, {"s1": "spec"})] == [4]
    sum_journals(folder.journal, "s1")
    assert [one.decoded for one in read_attempts(folder, {"s1": "spec"})] == [4]


def test_sums_stay_small(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    work(folder, chunks=3000).end("done")
    sum_journals(folder.journal, "s1")
    (path,) = folder.journal.glob("*.sum")
    assert path.stat().st_size < 2000
    (found,) = read_attempts(folder, {"s1": "spec"})
    assert {task.worker: task.size for task in found.tasks.values()} == {"n/0": 1500, "n/1": 1500}
    assert (found.decoded, found.stored) == (3000, 1)
