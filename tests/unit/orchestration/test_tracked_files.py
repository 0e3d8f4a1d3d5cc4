"""Values as inputs of rules: written when they change, and only by the process that may."""

from __future__ import annotations

from pathlib import Path

import pytest

from audiogrid.orchestration.tracked_files import tracked_file


def track(path: Path, value: str, *, main: bool = True, read_only: bool = False) -> list[str]:
    return tracked_file(path, value, is_main_process=main, is_read_only=read_only)


def test_the_file_is_written_only_when_the_value_changes(tmp_path: Path) -> None:
    path = tmp_path / "state" / "listing"
    assert track(path, "a") == [str(path)] and path.read_text() == "a"
    before = path.stat().st_mtime_ns
    assert track(path, "a") == [str(path)]
    assert path.stat().st_mtime_ns == before
    assert track(path, "b") == [str(path)] and path.read_text() == "b"


def test_a_dry_run_makes_nothing_and_renews_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "listing"
    assert track(path, "a", read_only=True) == [] and not path.exists()
    track(path, "a")
    assert track(path, "b", read_only=True) == [str(path)] and path.read_text() == "b"


def test_a_job_reads_what_the_main_process_wrote(tmp_path: Path) -> None:
    path = tmp_path / "listing"
    assert track(path, "seen by the main process", main=False) == []
    track(path, "a")
    assert track(path, "seen by the main process", main=False) == [str(path)] and path.read_text() == "a"


def test_where_nothing_can_be_written_the_rule_has_no_such_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, text: str) -> None:
        raise PermissionError(13, "read-only")

    monkeypatch.setattr("audiogrid.orchestration.tracked_files.write_text", refuse)
    assert track(tmp_path / "listing", "a") == []
