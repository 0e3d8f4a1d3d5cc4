"""Progress of a run: right at every stage, and read in a time that grows with the number of shards only."""

from __future__ import annotations

import builtins
import os
from pathlib import Path
from typing import Any

import pytest

from audiogrid.core.atomic_files import write_json
from audiogrid.records.chunks import ShardFacts
from audiogrid.records.journal import Journal
from audiogrid.records.outcome import Outcome
from audiogrid.records.plan import Bundle, Plan, Recording, Settings, Shard
from audiogrid.records.plan_files.writer import write_plan
from audiogrid.records.run_folder import RunFolder
from audiogrid.reporting.progress import RunProgress, is_idle

MINUTE = 60 * 16_000


def make_run(root: Path, shards: int) -> RunFolder:
    """A run with a recording of a minute in each shard."""
    folder = RunFolder(root)
    recordings = [Recording(f"r{n}", f"r{n}.wav", 1, 1, MINUTE, 1, "mix", 1) for n in range(shards)]
    settings = Settings("m", {"m": "f" * 64}, {}, 5, 60, 600, 1, 0)
    parts = [Shard(f"s{n:04d}", f"spec{n}", [f"r{n}.0000"], [f"b{n:04d}"], MINUTE, "m", "auto") for n in range(shards)]
    bundles = [Bundle(f"b{n:04d}", "spec", [f"r{n}"]) for n in range(shards)]
    write_plan(Plan(settings, recordings, bundles, parts), folder.plan)
    return folder


def finish(folder: RunFolder, number: int, spec: str = "") -> None:
    report = {"schema": 1, "shard": f"s{number:04d}", "spec": spec or f"spec{number}", "facts": {"keys": {}}}
    write_json(folder.shards / f"s{number:04d}.json", report, indent=1)


def work(folder: RunFolder, number: int, status: str = "decoded") -> Journal:
    journal = Journal(folder.journal, f"s{number:04d}", f"spec{number}")
    journal.begin(ShardFacts(), 2)
    journal.outcome(Outcome(f"r{number}.0000", "k", status, MINUTE // 2, 3.0, "broken" if status == "failed" else ""))
    return journal


def test_finished_running_and_failed_shards(tmp_path: Path) -> None:
    folder = make_run(tmp_path, 6)
    progress = RunProgress(folder)
    assert (progress.now().done, progress.now().shards_done) == (0, 0)
    finish(folder, 0)
    finish(folder, 1, spec="of an earlier plan")
    work(folder, 2)
    work(folder, 3, "failed")
    work(folder, 4).end("time is up")
    now = progress.now()
    # Half a minute each of two shards; what failed is not done.
    assert now.done == MINUTE + MINUTE // 2 + MINUTE // 2
    assert (now.failed, now.shards_done, now.shards) == (1, 1, 6)
    assert now.speed == pytest.approx(30 / 3 * 2)
    finish(folder, 2)
    assert progress.now().shards_done == 2
    assert progress.now().speed == 0
    assert not is_idle(folder)
    assert is_idle(folder, seconds=-1)


def test_an_entry_that_is_added_is_seen(tmp_path: Path) -> None:
    folder = make_run(tmp_path, 1)
    journal = work(folder, 0)
    progress = RunProgress(folder)
    assert progress.now().done == MINUTE // 2
    journal.outcome(Outcome("r0.0001", "k", "stored", MINUTE // 4))
    assert progress.now().done == 3 * MINUTE // 4


def test_reads_grow_with_the_number_of_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def count(shards: int) -> tuple[int, int, int, int]:
        """Listings and opened files of a first look, and of a second one after one shard went on."""
        folder = make_run(tmp_path / str(shards), shards)
        for number in range(shards):
            (work if number % 2 else finish)(folder, number)
        progress = RunProgress(folder)
        listed: list[Any] = []
        opened: list[Any] = []
        with monkeypatch.context() as patch:
            scan, open_ = os.scandir, builtins.open
            patch.setattr(os, "scandir", lambda *given: (listed.append(given), scan(*given))[1])
            patch.setattr("io.open", lambda *given, **more: (opened.append(given), open_(*given, **more))[1])
            first = (progress.now(), len(listed), len(opened))
            listed.clear()
            opened.clear()
            work(folder, 1)
            mine = len(opened)
            second = (progress.now(), len(listed), len(opened) - mine)
        assert first[0].shards_done == second[0].shards_done == shards // 2
        return first[1], first[2], second[1], second[2]

    few, many = count(10), count(40)
    assert few == (2, 10, 2, 1)
    assert many == (2, 40, 2, 1)


def test_voices_are_counted_beside_the_text(tmp_path: Path) -> None:
    folder = make_run(tmp_path, 3)
    assert "voices" not in RunProgress(folder).now().line()
    folder.config.write_text("config: {speakers: auto}\n")
    progress = RunProgress(folder)
    assert progress.now().to_embed == 3 * MINUTE
    report = {"schema": 1, "shard": "s0000", "spec": "spec0", "facts": {"keys": {}}}
    write_json(folder.voices / "s0000.json", report, indent=1)
    journal = Journal(folder.voices_journal, "s0001", "spec1")
    journal.begin(ShardFacts(), 1)
    journal.outcome(Outcome("r1.0000", "k", "decoded", MINUTE // 2, 0.5))
    now = progress.now()
    assert (now.done, now.embedded) == (0, MINUTE + MINUTE // 2)
    assert "voices of 0:01:30 of 0:03:00 embedded" in now.line()
    for number in (1, 2):
        write_json(folder.voices / f"s000{number}.json", report | {"spec": f"spec{number}"}, indent=1)
    assert "voices" not in progress.now().line()
