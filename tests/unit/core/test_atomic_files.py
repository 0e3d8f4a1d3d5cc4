"""Several files are written at once, each of them whole or not at all."""

from pathlib import Path

import pytest

from audiogrid.core import atomic_files
from audiogrid.core.atomic_files import write_many


def test_every_file_is_written_and_each_folder_synced_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(atomic_files, "sync_folder", synced.append)
    files = [(tmp_path / str(number % 2) / f"{number}.txt", b"%d" % number) for number in range(20)]
    write_many(files, tmp_path / "prepared")
    assert {path: path.read_bytes() for path, _ in files} == dict(files)
    assert sorted(synced) == [tmp_path / "0", tmp_path / "1"]
    assert len(list(tmp_path.rglob("*"))) == 22


def test_a_file_is_asked_for_directly_before_it_is_replaced(tmp_path: Path) -> None:
    files = [(tmp_path / name, b"new") for name in ("a", "b")]
    seen = []
    for path, _ in files:
        path.write_bytes(b"old")
    write_many(files, tmp_path / "prepared", lambda path: seen.append((path.name, path.read_bytes())))
    assert seen == [("a", b"old"), ("b", b"old")]


def test_where_one_cannot_be_written_none_is_replaced_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic_files.os, "fsync", _full_after(2))
    files = [(tmp_path / f"{number}.txt", b"new") for number in range(4)]
    files[0][0].write_bytes(b"old")
    with pytest.raises(OSError, match="No space left") as raised:
        write_many(files, tmp_path / "prepared")
    assert raised.value.filename in {str(path) for path, _ in files}
    assert [path.name for path in tmp_path.iterdir()] == ["0.txt"]
    assert files[0][0].read_bytes() == b"old"


def test_what_a_killed_call_has_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / "prepared" / "7"
    left.parent.mkdir()
    left.write_bytes(b"old")
    write_many([(tmp_path / "a", b"new")], tmp_path / "prepared")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_folder_on_another_file_system_is_written_to_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = Path.replace

    def refuse(self: Path, target: Path) -> Path:
        if "prepared" in self.parts:
            raise OSError(18, "Invalid cross-device link")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    write_many([(tmp_path / "a", b"new")], tmp_path / "prepared")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def _full_after(count: int):  # type: ignore[no-untyped-def]
    left = iter(range(count))

    def sync(_: int) -> None:
        if next(left, None) is None:
            raise OSError(28, "No space left on device")

    return sync
