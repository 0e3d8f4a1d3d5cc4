"""A budget is used up, in time or in hours, once; clocks that jump and drivers that die do not matter."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audiogrid.core.stop_note import StopNote, read_stop
from audiogrid.orchestration import budget_watch
from audiogrid.orchestration.budget_watch import BudgetWatch, Limits

START = datetime(2026, 3, 1, 20, 0, tzinfo=UTC)


class Ledger:
    """What jobs have reserved, as the tests say."""

    core_hours = 0.0
    gpu_hours = 0.0

    def __call__(self) -> tuple[float, float]:
        return self.core_hours, self.gpu_hours


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(budget_watch.time, "monotonic", lambda: now[0])
    return now


def watch(folder: Path, limits: Limits, used: Ledger, at: datetime = START) -> BudgetWatch:
    found = BudgetWatch(limits, folder / "budget.json", folder / "stop.json", used, lambda: None, lambda: at)
    budget_watch.write_json(folder / "budget.json", budget_watch.to_json(found.before))
    return found


def test_hours_are_used_up(tmp_path: Path) -> None:
    used = Ledger()
    one = watch(tmp_path, Limits(core_hours=2, gpu_hours=0.5), used)
    assert one.look() == ""
    used.core_hours = 1.99
    assert one.look() == "" and read_stop(tmp_path / "stop.json") is None
    used.gpu_hours = 0.5
    assert one.look() == "its budget of 0.5 GPU-hours is used up"
    assert read_stop(tmp_path / "stop.json") == StopNote("its budget of 0.5 GPU-hours is used up")
    one.end()
    assert json.loads((tmp_path / "budget.json").read_text()) == {
        "core_hours": 1.99,
        "gpu_hours": 0.5,
        "day": "2026-03-01",
        "is_open": False,
    }


def test_a_time_is_reached_by_a_clock_that_does_not_jump(tmp_path: Path, clock: list[float]) -> None:
    one = watch(tmp_path, Limits(until=START + timedelta(hours=1)), Ledger())
    clock[0] += 3599
    assert one.look() == ""
    clock[0] += 1
    assert one.look() == "its budget ends at 2026-03-01 21:00"


def test_only_a_call_that_was_killed_hands_on_what_it_had_left(tmp_path: Path) -> None:
    used = Ledger()
    killed = watch(tmp_path, Limits(core_hours=2), used)
    used.core_hours = 1.5
    killed.look()
    again = watch(tmp_path, Limits(core_hours=2), Ledger(), START + timedelta(hours=1))
    assert again.before.core_hours == 1.5
    # The next day has a budget of its own; so has a call after one that has ended, also if the clock was set back.
    assert watch(tmp_path, Limits(core_hours=2), Ledger(), START + timedelta(days=1)).before.core_hours == 0
    again.end()
    assert watch(tmp_path, Limits(core_hours=2), Ledger(), START - timedelta(hours=1)).before.core_hours == 0
    (tmp_path / "budget.json").write_text('{"core_hours": "x')
    assert BudgetWatch(Limits(), tmp_path / "budget.json", tmp_path / "stop.json", used).before.core_hours == 0


def test_it_stops_the_run_once(tmp_path: Path) -> None:
    stopped = threading.Event()
    used = Ledger()
    used.core_hours = 5
    one = BudgetWatch(Limits(core_hours=1), tmp_path / "budget.json", tmp_path / "stop.json", used, stopped.set)
    one.start()
    assert stopped.wait(30)
    one.end()
    assert not json.loads((tmp_path / "budget.json").read_text())["is_open"]


def test_a_note_that_cannot_be_read_still_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "stop.json"
    assert read_stop(path) is None
    path.write_text("{")
    assert read_stop(path) == StopNote("the run was stopped")
    # A file system that does not answer ends nothing.
    monkeypatch.setattr(Path, "exists", lambda self: (_ for _ in ()).throw(OSError(116, "Stale file handle")))
    assert read_stop(path) is None


def test_a_look_that_goes_on_at_the_end_writes_nothing_any_more(tmp_path: Path) -> None:
    began, goes_on = threading.Event(), threading.Event()

    def used() -> tuple[float, float]:
        began.set()
        goes_on.wait(30)
        return 5.0, 0.0

    stops: list[str] = []
    state, note = tmp_path / "budget.json", tmp_path / "stop.json"
    one = BudgetWatch(Limits(core_hours=1), state, note, used, lambda: stops.append("again"))
    look = threading.Thread(target=one.look)
    look.start()
    assert began.wait(30)
    end = threading.Thread(target=one.end)
    end.start()
    # The end waits for the look, so that what it writes is the last.
    end.join(0.2)
    assert end.is_alive()
    goes_on.set()
    look.join(30)
    end.join(30)
    assert not json.loads(state.read_text())["is_open"]
    note.unlink()
    assert one.look() == "" and not note.exists()
    assert not json.loads(state.read_text())["is_open"]


def test_a_full_disk_or_journals_that_cannot_be_read_do_not_keep_a_run_going(
    tmp_path: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable() -> tuple[float, float]:
        raise ValueError("a journal is damaged")

    limits, state, note = Limits(until=START + timedelta(hours=1)), tmp_path / "budget.json", tmp_path / "stop.json"
    one = BudgetWatch(limits, state, note, unreadable, lambda: None, lambda: START)
    clock[0] += 3600
    assert one.look() == "its budget ends at 2026-03-01 21:00" and note.exists()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(budget_watch, "write_json", full)
    monkeypatch.setattr(StopNote, "write", full)
    used = Ledger()
    used.core_hours = 3
    hours = BudgetWatch(Limits(core_hours=2), state, note, used, lambda: None, lambda: START)
    assert hours.look() == "its budget of 2 core-hours is used up"
