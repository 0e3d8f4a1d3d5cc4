"""Which finished jobs are wanted again, and how much is looked at to know it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from audiogrid.core.atomic_files import write_json
from audiogrid.orchestration import generations
from audiogrid.orchestration.generations import IntactBundles, shard_generation
from audiogrid.records.run_folder import RunFolder


def make_run(root: Path, bundles: int, each: int, *, age: float = 60) -> RunFolder:
    """A run whose transcripts lie in 16 folders that were last changed ``age`` seconds ago."""
    folder = RunFolder(root)
    for bundle in range(bundles):
        files = {}
        for number in range(each):
            name = f"transcripts/{number % 16:02x}/r{bundle}-{number}.txt"
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).touch()
            files[f"r{bundle}-{number}"] = {"txt": {"path": name, "sha256": "x"}}
        write_json(folder.merged / f"b{bundle:04d}.json", {"schema": 1, "generation": 3, "files": files, "rows": [{}]})
    settle(folder, age)
    return folder


def settle(folder: RunFolder, age: float = 60) -> None:
    for path in [folder.transcripts, *folder.transcripts.iterdir()]:
        state = path.stat()
        os.utime(path, (state.st_atime, state.st_mtime - age))


def test_a_deleted_transcript_is_noticed_and_nothing_else_is_merged_again(tmp_path: Path) -> None:
    folder = make_run(tmp_path, 3, 20)
    assert [IntactBundles(folder).generation(f"b000{n}") for n in range(3)] == [3, 3, 3]
    (folder.transcripts / "07" / "r1-7.txt").unlink()
    assert [IntactBundles(folder).generation(f"b000{n}") for n in range(3)] == [3, 4, 3]
    # Never merged, and a damaged report.
    assert IntactBundles(folder).generation("b0009") == 1
    (folder.merged / "b0000.json").write_text("{")
    assert IntactBundles(folder).generation("b0000") == 1


def test_what_was_remembered_holds_until_a_folder_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_run(tmp_path, 3, 20)
    IntactBundles(folder).remember(f"b000{n}" for n in range(3))
    with monkeypatch.context() as patch:
        patch.setattr(generations, "_read", lambda *given: pytest.fail("a report was read"))
        assert [IntactBundles(folder).generation(f"b000{n}") for n in range(3)] == [3, 3, 3]
    (folder.transcripts / "07" / "r1-7.txt").unlink()
    assert [IntactBundles(folder).generation(f"b000{n}") for n in range(3)] == [3, 4, 3]


def test_a_file_that_goes_while_the_run_goes_on_is_noticed(tmp_path: Path) -> None:
    folder = make_run(tmp_path, 2, 20)
    intact = IntactBundles(folder)
    assert intact.generation("b0001") == 3
    (folder.transcripts / "07" / "r1-7.txt").unlink()
    assert intact.generation("b0001") == 4
    assert intact.generation("b0000") == 3


@pytest.mark.parametrize("age", [60, -3600])
def test_folders_are_listed_once_however_many_bundles_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: float
) -> None:
    # Also where the clock was put back, so that folders seem to have changed in the future.
    counts = []
    for bundles in (10, 100):
        folder = make_run(tmp_path / str(bundles), bundles, 16, age=age)
        calls = dict.fromkeys(("listdir", "stat"), 0)
        intact = IntactBundles(folder)

        def counted(name: str, calls=calls):
            plain = getattr(os, name)

            def call(*given, **named):
                calls[name] += 1
                return plain(*given, **named)

            return call

        with monkeypatch.context() as patch:
            for name in calls:
                patch.setattr(os, name, counted(name))
            assert {intact.generation(f"b{n:04d}") for n in range(bundles)} == {3}
        counts.append(calls)
    assert counts[0]["listdir"] == counts[1]["listdir"] == 16
    assert counts[1]["stat"] <= 10 * counts[0]["stat"]


def test_a_shard_that_left_something_out_is_wanted_again(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert shard_generation(folder, "s0001") == 1
    write_json(folder.shards / "s0001.json", {"generation": 2, "failed": {}, "facts": {"problems": {}, "chunks": []}})
    assert shard_generation(folder, "s0001") == 2
    write_json(folder.shards / "s0001.json", {"generation": 2, "failed": {"a.0000": "crash"}})
    assert shard_generation(folder, "s0001") == 3
    write_json(folder.shards / "s0001.json", {"generation": 2, "facts": {"problems": {"a": "vanished"}}})
    assert shard_generation(folder, "s0001") == 3
