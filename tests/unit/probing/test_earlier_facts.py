"""What is opened and looked at when recordings are listed and probed again."""

from __future__ import annotations

import errno
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from audiogrid.probing.earlier_facts import known_ids
from audiogrid.probing.file_states import is_failing
from audiogrid.probing.fingerprint import listing_hash
from audiogrid.probing.isolation import FileOutcome
from audiogrid.probing.list_recordings import list_sources
from audiogrid.probing.probe import ProbeReport, probe

FACTS = {"duration": 8000, "channels": 1, "sample_rate": 8000, "codec": "pcm_s16le", "container": "wav", "note": None}


def fill(folder: Path, count: int) -> Path:
    first = folder.parent / f"{folder.name}.wav"
    first.write_bytes(b"x" * 100)
    for number in range(count):
        place = folder / f"{number // 500:03d}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"r{number:05d}.wav").hardlink_to(first)
    return folder


class Opener:
    """Stands for the child processes that open files, and counts what they open."""

    def __init__(self) -> None:
        self.opened: list[str] = []

    def __call__(self, paths: Sequence[str], **settings: object) -> dict[str, FileOutcome]:
        self.opened += paths
        return {path: self._outcome(path) for path in paths}

    def _outcome(self, path: str) -> FileOutcome:
        try:
            return FileOutcome(self._facts(path), None)
        except OSError as error:
            return FileOutcome(None, f"The file cannot be read ({error.strerror})")

    def _facts(self, path: str) -> dict[str, Any]:
        state = Path(path).stat()
        seen = {"size": state.st_size, "mtime_ns": state.st_mtime_ns, "inode": state.st_ino}
        return {**FACTS, **seen, "tracks": [], "remarks": [], "audio_tracks": 1}


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    calls: Counter[str] = Counter()
    with monkeypatch.context() as patch:
        for name in ("stat", "scandir"):
            patch.setattr(os, name, counting(name, getattr(os, name), calls))
        yield calls


def counting(name: str, plain: Callable[..., Any], calls: Counter[str]) -> Callable[..., Any]:
    def call(*given: Any, **named: Any) -> Any:
        calls[name] += 1
        return plain(*given, **named)

    return call


def probed(folder: Path, cache: Path, opener: Opener) -> ProbeReport:
    listing = list_sources(str(folder), known_ids=known_ids(cache))
    return probe(listing.sources, processes=1, cache=cache, run=opener)


def test_reads_grow_with_the_number_of_recordings_and_nothing_is_opened_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {}
    for count in (1000, 10_000):
        folder, cache, opener = fill(tmp_path / f"in{count}", count), tmp_path / f"{count}.jsonl", Opener()
        first = probed(folder, cache, opener)
        assert len(opener.opened) == len(first.recordings) == count
        # The order in which a file system lists is its own affair.
        with counted(monkeypatch) as calls:
            listing_hash(str(folder), "mix")
            again = probed(folder, cache, opener)
        assert again == first
        assert len(opener.opened) == count
        found[count] = calls
        report = tmp_path / f"{count}.json"
        again.write(report)
        assert ProbeReport.read(report).recordings == first.recordings
    # One look by the workflow, one by the job; ten times the recordings take ten times as much.
    assert found[1000]["stat"] <= 3 * 1000
    assert found[10_000]["stat"] <= 10.1 * found[1000]["stat"]
    assert found[10_000]["scandir"] <= 10.1 * found[1000]["scandir"]


def test_only_what_was_added_or_changed_is_opened(tmp_path: Path) -> None:
    folder, cache, opener = fill(tmp_path / "in", 20), tmp_path / "cache.jsonl", Opener()
    before = probed(folder, cache, opener)
    opener.opened.clear()
    (folder / "000" / "new.wav").write_bytes(b"y" * 100)
    changed = folder / "000" / "r00003.wav"
    changed.unlink()
    changed.write_bytes(b"longer" * 100)
    after = probed(folder, cache, opener)
    assert sorted(Path(path).name for path in opener.opened) == ["new.wav", "r00003.wav"]
    assert {one.recording for one in before.recordings} < {one.recording for one in after.recordings}


def test_a_file_replaced_by_another_of_the_same_size_and_time_is_noticed(tmp_path: Path) -> None:
    folder, cache, opener = fill(tmp_path / "in", 3), tmp_path / "cache.jsonl", Opener()
    probed(folder, cache, opener)
    before = listing_hash(str(folder), "mix")
    for times in (1, 2):
        opener.opened.clear()
        path = folder / "000" / "r00001.wav"
        state = path.stat()
        other = tmp_path / "other"
        other.write_bytes(b"z" * 100)
        os.utime(other, ns=(state.st_atime_ns, state.st_mtime_ns))
        shutil.move(other, path)
        assert path.stat().st_mtime_ns == state.st_mtime_ns and path.stat().st_size == state.st_size
        assert listing_hash(str(folder), "mix") != before
        # `split` has to read it again although all that it was told by is the same.
        assert [one.version for one in probed(folder, cache, opener).recordings] == [0, times, 0]
        assert [Path(path).name for path in opener.opened] == ["r00001.wav"]
    assert [one.version for one in probed(folder, cache, opener).recordings] == [0, 2, 0]


def test_facts_without_an_inode_are_still_good(tmp_path: Path) -> None:
    folder, cache, opener = fill(tmp_path / "in", 3), tmp_path / "cache.jsonl", Opener()
    before = probed(folder, cache, opener)
    text = cache.read_text()
    inode = (folder / "000" / "r00000.wav").stat().st_ino
    cache.write_text(text.replace(f',"inode":{inode}', ""))
    assert cache.read_text() != text
    opener.opened.clear()
    assert probed(folder, cache, opener) == before
    assert not opener.opened
    # From now on the inode is known, so that a replaced file is noticed here, too.
    assert cache.read_text().count(f'"inode":{inode}') == 3


def test_a_folder_of_a_failing_disk_keeps_its_recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, cache, opener = fill(tmp_path / "in", 1000), tmp_path / "cache.jsonl", Opener()
    before = probed(folder, cache, opener)
    plain_scan, plain_stat = os.scandir, os.stat
    lost = str(folder / "001")

    def fails(plain: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *given: Any, **named: Any) -> Any:
            if str(path).startswith(f"{lost}/") or (plain is plain_scan and str(path) == lost):
                raise OSError(errno.EIO, "Input/output error")
            return plain(path, *given, **named)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", fails(plain_scan))
        patch.setattr(os, "stat", fails(plain_stat))
        listing = list_sources(str(folder), known_ids=known_ids(cache))
        after = probe(listing.sources, processes=1, cache=cache, run=opener)
    assert [one.reason for one in listing.rejected] == [
        "The folder cannot be read (Input/output error): make it readable, or move it elsewhere."
    ]
    assert {one.recording for one in after.recordings} == {one.recording for one in before.recordings}
    assert not after.rejected and len(opener.opened) == 1000
    # A folder whose rights were taken away is another matter: its recordings are gone.
    assert not is_failing(PermissionError(errno.EACCES, "Permission denied"))


def test_a_file_of_a_failing_disk_keeps_its_place_and_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, cache, opener = fill(tmp_path / "in", 300), tmp_path / "cache.jsonl", Opener()
    before = probed(folder, cache, opener)
    lost, plain_stat = str(folder / "000" / "r00007.wav"), os.stat

    def fails(path: Any, *given: Any, **named: Any) -> Any:
        if str(path) == lost:
            raise OSError(errno.ESTALE, "Stale file handle")
        return plain_stat(path, *given, **named)

    opener.opened.clear()
    known = listing_hash(str(folder), "mix")
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", fails)
        after = probed(folder, cache, opener)
        # Once it is back the listing changes again, so that the run looks at it.
        assert listing_hash(str(folder), "mix") != known
    assert after.recordings == before.recordings and not opener.opened
    assert [(one.recording, one.path, one.reason) for one in after.rejected] == [
        (
            "r00007",
            lost,
            "The file cannot be looked at just now (Stale file handle): what is done of it stays as it is.",
        )
    ]
    assert probed(folder, cache, opener) == before and not opener.opened


def test_a_disk_that_says_only_to_a_look_what_an_entry_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, cache, opener = fill(tmp_path / "in", 2000), tmp_path / "cache.jsonl", Opener()
    before = probed(folder, cache, opener)
    plain_scan, plain_stat = os.scandir, os.stat
    lost = str(folder / "001")

    class Entry:
        """An entry of a folder on a file system that tells no types."""

        def __init__(self, entry: os.DirEntry[str]) -> None:
            self.name, self.path, self._entry = entry.name, entry.path, entry

        def is_dir(self) -> bool:
            if self.path == lost:
                raise OSError(errno.EIO, "Input/output error")
            return self._entry.is_dir()

        def is_symlink(self) -> bool:
            return self._entry.is_symlink()

    @contextmanager
    def scan(path: Any) -> Iterator[list[Entry]]:
        with plain_scan(path) as entries:
            # In another order each time.
            yield sorted(map(Entry, entries), key=lambda entry: random.random())

    def fails(path: Any, *given: Any, **named: Any) -> Any:
        if str(path).startswith(lost):
            raise OSError(errno.EIO, "Input/output error")
        return plain_stat(path, *given, **named)

    opener.opened.clear()
    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", scan)
        patch.setattr(os, "stat", fails)
        listing = list_sources(str(folder), known_ids=known_ids(cache))
        after = probe(listing.sources, processes=1, cache=cache, run=opener)
    assert {one.recording for one in after.recordings} == {one.recording for one in before.recordings}
    assert set(opener.opened) == {lost}
