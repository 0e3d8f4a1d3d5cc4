"""Many files are looked at in order, and at the same time where each takes long."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from audiogrid.probing import list_recordings
from audiogrid.probing.file_states import look_at
from audiogrid.probing.list_recordings import list_sources


def files(folder: Path, count: int) -> list[str]:
    for number in range(count):
        (folder / f"{number:04d}.wav").write_bytes(b"x" * number)
    return [str(folder / f"{number:04d}.wav") for number in range(count)]


def test_a_slow_file_system_is_asked_for_many_files_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = files(tmp_path, 300)
    paths[200] = str(tmp_path / "none.wav")
    paths[201] = "a name with \0"
    plain, busy, most, lock = os.stat, set[int](), [0], threading.Lock()

    def slow(path: Any, *given: Any, **named: Any) -> Any:
        with lock:
            busy.add(threading.get_ident())
            most[0] = max(most[0], len(busy))
        time.sleep(0.003)
        with lock:
            busy.discard(threading.get_ident())
        return plain(path, *given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", slow)
        found = list(look_at(paths))
    assert most[0] > 1
    assert [type(one) for one in found if isinstance(one, Exception)] == [FileNotFoundError, ValueError]
    sizes = [one.st_size for one in found if not isinstance(one, Exception)]
    assert sizes == [number for number in range(300) if number not in (200, 201)]


def test_a_fast_disk_needs_no_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = files(tmp_path, 200)
    # Other programs may take this machine's time.
    monkeypatch.setattr("audiogrid.probing.file_states._SLOW", 60.0)
    before = threading.active_count()
    looked = look_at(paths)
    assert [next(looked).st_size for _ in range(100)] == list(range(100))  # type: ignore[union-attr]
    assert threading.active_count() == before
    assert len(list(looked)) == 100
    assert list(look_at([])) == []


def test_listing_a_folder_looks_at_links_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = files(tmp_path, 20)
    (tmp_path / "link.wav").symlink_to(paths[0])
    (tmp_path / "nowhere.wav").symlink_to(tmp_path / "gone")
    asked: list[str] = []
    plain = list_recordings.listing_problem

    def noted(path: str, *, may_be_link: bool = True) -> str | None:
        if may_be_link:
            asked.append(Path(path).name)
        return plain(path, may_be_link=may_be_link)

    monkeypatch.setattr(list_recordings, "listing_problem", noted)
    listing = list_sources(str(tmp_path))
    assert sorted(asked) == ["link.wav", "nowhere.wav"]
    assert [Path(one.path).name for one in listing.rejected] == ["nowhere.wav"]
    asked.clear()
    # Files that are named, or found by a pattern, may be links as well.
    assert [Path(one.path).name for one in list_sources(str(tmp_path / "[ln]*.wav")).rejected] == ["nowhere.wav"]
    assert sorted(asked) == ["link.wav", "nowhere.wav"]
