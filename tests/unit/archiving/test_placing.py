"""A bag appears whole or not at all, and replaces nothing that a run did not write."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import bagit
import pytest

import finished_runs
from audiogrid.archiving import deposit, placing
from audiogrid.archiving.bag_options import BagOptions
from audiogrid.archiving.deposit import make_bag
from audiogrid.core.errors import InputError, RetryableError
from audiogrid.records.run_folder import RunFolder
from counting import count_steps

ROOT = Path(__file__).parents[3]


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return finished_runs.finished_run(tmp_path / "talks", ["a.mp3", "b.mp3"])


def make(folder: RunFolder, target: Path | None = None) -> None:
    make_bag(folder, target or folder.bag, BagOptions(), [])


def test_a_later_bag_replaces_the_earlier_one(run: RunFolder) -> None:
    make(run)
    run.report.write_text("<p>another</p>")
    (run.transcripts / "b.txt").unlink()
    make(run)
    assert (run.bag / "data" / "report.html").read_text() == "<p>another</p>"
    assert not (run.bag / "data" / "transcripts" / "b.txt").exists()
    assert bagit.Bag(str(run.bag)).is_valid() and not list(run.root.glob(".tmp-*"))


@pytest.mark.parametrize(
    ("touch", "words"),
    [
        (lambda bag: (bag / "data" / "notes.txt").write_text("mine"), r"1 file\(s\) were added or changed"),
        (lambda bag: (bag / "data" / "report.html").write_text("mine"), r"added or changed \(data/report.html\)"),
        (lambda bag: (bag / "bag-info.txt").unlink(), r"1 file\(s\) were removed \(bag-info.txt\)"),
        (lambda bag: (bag / "data" / "link").symlink_to("/etc"), r"added or changed \(data/link\)"),
        (lambda bag: Path(os.fsdecode(bytes(bag) + b"/\xff")).write_text("mine"), r"added or changed \(\\xff\)"),
    ],
)
def test_what_a_person_put_into_a_bag_is_kept(run: RunFolder, touch, words: str) -> None:
    make(run)
    touch(run.bag)
    before = sorted(run.bag.rglob("*"))
    with pytest.raises(InputError, match=words):
        make(run)
    assert sorted(run.bag.rglob("*")) == before


def test_a_foreign_folder_or_file_is_kept(run: RunFolder, tmp_path: Path) -> None:
    foreign = tmp_path / "mine"
    foreign.mkdir()
    make(run, foreign)
    other = finished_runs.finished_run(tmp_path / "other", ["a.mp3"])
    for place in (foreign, run.root, tmp_path):
        with pytest.raises(InputError, match="not made by this run"):
            make(other, place)
    with pytest.raises(InputError, match="no folder"):
        make(run, run.report)
    (tmp_path / "link").symlink_to(foreign)
    with pytest.raises(InputError, match="no folder"):
        make(run, tmp_path / "link")
    assert run.report.read_text() == "<p>report</p>" and bagit.Bag(str(foreign)).is_valid()


def test_what_is_put_into_a_bag_while_the_next_one_is_made_is_kept(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(run)
    run.report.write_text("<p>another</p>")
    described = deposit._describe

    def meanwhile(*given: Any) -> None:
        described(*given)
        (run.bag / "notes.txt").write_text("mine")

    monkeypatch.setattr(deposit, "_describe", meanwhile)
    with pytest.raises(InputError, match=r"added or changed \(notes.txt\)"):
        make(run)
    assert (run.bag / "notes.txt").read_text() == "mine" and not list(run.root.glob(".tmp-*"))


def test_a_bag_is_known_again_by_its_place(run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(run)
    # The whole project is moved.
    moved = RunFolder(run.root.rename(tmp_path / "moved"))
    moved.report.write_text("<p>another</p>")
    make(moved)
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    for target in (Path("../out"), tmp_path / "out", tmp_path / "below" / ".." / "out"):
        moved.report.write_text(str(target))
        make(moved, target)
    assert bagit.Bag(str(tmp_path / "out")).is_valid()


def test_a_place_that_cannot_be_renamed_is_one_sentence(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    run.bag.mkdir()
    rename = Path.rename

    def busy(path: Path, new: Path) -> Path:
        # As for a folder that is the mount point of a disk.
        if path == run.bag:
            raise OSError(16, "Device or resource busy", str(path))
        return rename(path, new)

    monkeypatch.setattr(Path, "rename", busy)
    with pytest.raises(RetryableError, match=r"put in its place \(Device or resource busy\)"):
        make(run)
    assert run.bag.is_dir() and not list(run.root.glob(".tmp-*"))


def test_where_nothing_can_be_written_is_said(run: RunFolder) -> None:
    with pytest.raises(InputError, match="nothing can be written"):
        make(run, run.report / "bag")


KILLED = """
import sys
from pathlib import Path
from audiogrid.archiving import {module} as module
from audiogrid.archiving.bag_options import BagOptions
from audiogrid.archiving.deposit import make_bag
from audiogrid.records.run_folder import RunFolder
import time
def wait(*given):
    print("there", flush=True)
    time.sleep(60)
{patch}
folder = RunFolder(Path(sys.argv[1]))
make_bag(folder, folder.bag, BagOptions(), [])
"""
# Where the call is killed: while it writes, before the new bag is put in its place, between the two renames.
MOMENTS = {
    "writing": ("deposit", "module._bag_info = wait"),
    "complete": ("placing", "module.os.sync = wait"),
    "renaming": (
        "placing",
        "rename = Path.rename\nPath.rename = lambda path, new: wait() if new == folder.bag else rename(path, new)",
    ),
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("again", [False, True])
def test_a_kill_leaves_no_half_bag_and_the_next_call_cleans_up(run: RunFolder, moment: str, again: bool) -> None:
    if again:
        make(run)
        run.report.write_text("<p>another</p>")
    module, patch = MOMENTS[moment]
    code = KILLED.format(module=module, patch=patch)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
    child = subprocess.Popen([sys.executable, "-c", code, str(run.root)], stdout=subprocess.PIPE, env=environment)
    assert child.stdout is not None and child.stdout.readline().strip() == b"there"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    if again and moment != "renaming":
        # The bag before is still there, whole.
        assert bagit.Bag(str(run.bag)).is_valid()
    else:
        assert not run.bag.exists()
    assert list(run.root.glob(".tmp-*"))
    make(run)
    assert bagit.Bag(str(run.bag)).is_valid() and not list(run.root.glob(".tmp-*"))
    assert (run.bag / "data" / "report.html").read_text() == run.report.read_text()


def test_leftovers_of_a_living_process_and_of_other_machines_stay(run: RunFolder) -> None:
    living = run.root / f"{placing._beside(run.bag)}{os.getppid()}"
    elsewhere = run.root / ".tmp-bag-another-host-1"
    for folder in (living, elsewhere):
        folder.mkdir()
    make(run)
    assert living.is_dir() and elsewhere.is_dir()


def test_a_full_disk_is_one_sentence(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: object) -> object:
        raise OSError(28, "No space left on device", "x")

    monkeypatch.setattr("audiogrid.archiving.bag_writer._tally", full)
    with pytest.raises(RetryableError, match="cannot be made: No space left on device"):
        make(run)
    assert not run.bag.exists() and not list(run.root.glob(".tmp-*"))


def test_a_recording_costs_no_more_in_a_large_run_than_in_a_small_one(tmp_path: Path) -> None:
    small, large = (
        finished_runs.finished_run(tmp_path / f"talks{count}", [f"t{n}.mp3" for n in range(count)])
        for count in (50, 200)
    )
    # A new bag, one that replaces it, and one for which nothing is left to do.
    for title in ("a", "b", "b"):
        few, many = (
            count_steps(partial(make_bag, folder, folder.bag, BagOptions(title=title), [])) for folder in (small, large)
        )
        assert many < 4 * few
