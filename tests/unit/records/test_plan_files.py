"""Plans are written in a stream and read by part."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from audiogrid.core.json_values import DocumentError
from audiogrid.records.plan import Bundle, Plan, Recording, Settings, Shard
from audiogrid.records.plan_files import writer as writer_module
from audiogrid.records.plan_files.layout import lines_folder
from audiogrid.records.plan_files.lost_lines import drop_incomplete
from audiogrid.records.plan_files.reader import PlanReader, head_of, open_plan, read_plan
from audiogrid.records.plan_files.writer import PlanWriter, write_plan

SETTINGS = Settings("base", {"base": "m"}, {}, 5, 60, 600, 1, 0)


def recording(name: str, chunks: int = 1, **columns: str) -> Recording:
    return Recording(name, f"in/{name}.wav", 1, 1, 16000 * chunks, 1, "mix", chunks, columns=columns)


# The long recording is in two shards; the second has chunks of two bundles.
PLAN = Plan(
    SETTINGS,
    [recording("long", 5), recording("b", text="b.txt"), recording("späť"), recording("loose")],
    [Bundle("b0001", "one", ["long"]), Bundle("b0002", "two", ["b", "späť"])],
    [
        Shard("s0001", "x", ["long.0000", "long.0001", "long.0002"], ["b0001"], 48000, "base", "auto"),
        Shard(
            "s0002", "y", ["long.0003", "long.0004", "b.0000", "späť.0000"], ["b0001", "b0002"], 64000, "base", "auto"
        ),
    ],
    2,
    ["odd"],
)


def lines_of(path: Path) -> list[Path]:
    return sorted(lines_folder(path).iterdir())


def test_a_part_has_what_a_job_needs_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    write_plan(PLAN, path)
    plan = open_plan(path)
    assert plan.whole() == PLAN
    assert list(plan.each_recording()) == PLAN.recordings
    assert (plan.count, plan.audio, plan.audio_by_model()) == (4, PLAN.audio, PLAN.audio_by_model())
    assert plan.columns == {"text"} == PLAN.columns
    assert plan.names_of("b0002") == ["b", "späť"]
    assert plan.shards_of_bundle == PLAN.shards_of_bundle
    assert plan.shard["s0002"].count == 4 and plan.bundle["b0001"].chunks == 5

    bundle = plan.of_bundle("b0002")
    assert bundle.recordings == PLAN.recordings[1:3]
    assert (bundle.bundles, bundle.shards) == (PLAN.bundles[1:], PLAN.shards[1:])
    # The shard has chunks of a bundle that the part does not have.
    assert bundle.shards_of_bundle == {"b0002": ["s0002"]}
    assert plan.of_shard_and_neighbours("s0001").shards_of_bundle == {"b0001": ["s0001", "s0002"]}
    shard = plan.of_shard("s0001")
    assert (shard.recordings, shard.shards) == (PLAN.recordings[:1], PLAN.shards[:1])
    assert [one.shard for one in plan.of_shard_and_neighbours("s0001").shards] == ["s0001", "s0002"]
    # A whole plan in memory answers as well.
    assert PLAN.of_bundle("b0002").bundle["b0002"] == bundle.bundle["b0002"]


def test_what_is_read_of_a_part_does_not_grow_with_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def bytes_read(bundles: int) -> tuple[int, int]:
        path = tmp_path / str(bundles) / "plan.json"
        with PlanWriter(path, SETTINGS) as writer:
            for number in range(bundles):
                own = [recording(f"r{number:05d}-{index:03d}") for index in range(100)]
                writer.bundle(Bundle(f"b{number:05d}", "spec", [one.recording for one in own]), own)
            writer.finish()
        read: list[int] = []
        plan = open_plan(path)
        keep = plan._read

        def count(span, kind):
            read.append(span.bytes)
            return keep(span, kind)

        monkeypatch.setattr(plan, "_read", count)
        assert len(plan.of_bundle("b00003").recordings) == 100
        return sum(read), path.stat().st_size

    few, many = bytes_read(5), bytes_read(50)
    assert few[0] == many[0]
    # Of a recording the small file holds nothing.
    assert many[1] < 250 * 50


def test_a_plan_that_was_not_finished_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    write_plan(PLAN, path, tmp_path / ".state" / "plan.json")
    before = [file.read_bytes() for file in (path, *lines_of(path))]
    with pytest.raises(RuntimeError, match="killed"), PlanWriter(path, SETTINGS) as writer:
        writer.bundle(Bundle("b0001", "other", ["x"]), [recording("x")])
        raise RuntimeError("killed")
    with PlanWriter(path, SETTINGS) as writer:
        writer.bundle(Bundle("b0001", "other", ["x"]), [recording("x")])
    assert [file.read_bytes() for file in (path, *lines_of(path))] == before
    assert read_plan(tmp_path / ".state" / "plan.json") == PLAN


def test_what_a_killed_driver_left_is_removed_by_the_next_plan(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    old, new = PlanWriter(path, SETTINGS), PlanWriter(path, SETTINGS)
    for writer in (old, new):
        writer._file.close()
    os.utime(old._temporary, (1, 1))
    write_plan(PLAN, path)
    assert (old._temporary.exists(), new._temporary.exists()) == (False, True)


def test_a_full_disk_in_the_middle_leaves_the_plan_before(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    write_plan(PLAN, path)
    with pytest.raises(OSError, match="No space left") as caught, PlanWriter(path, SETTINGS) as writer:
        writer._file.close()
        writer._file = Path("/dev/full").open("wb", buffering=16)  # noqa: SIM115
        writer.bundle(Bundle("b0001", "other", ["x"]), [recording("x")])
        writer.finish()
    # The sentence for the user says which file could not be written.
    assert caught.value.filename == str(path)
    assert read_plan(path) == PLAN
    assert len(lines_of(path)) == 1


def test_a_reader_of_the_plan_before_still_finds_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    for number in range(4):
        write_plan(Plan(SETTINGS, [recording(f"r{number}")], [Bundle("b0001", "x", [f"r{number}"])], []), path)
        if number == 2:
            slow = open_plan(path)
    assert [one.recording for one in slow.each_recording()] == ["r2"]
    assert len(lines_of(path)) == 2


def test_lines_that_are_missing_or_cut_off_are_named(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    write_plan(PLAN, path)
    (lines,) = lines_of(path)
    data = lines.read_bytes()
    lines.write_bytes(data[:40])
    with pytest.raises(DocumentError, match=rf"{lines.name} cannot be read .*delete it and run again"):
        read_plan(path)
    lines.unlink()
    with pytest.raises(DocumentError, match=rf"{lines.name} is missing: run again"):
        read_plan(path)


def test_a_plan_without_its_lines_is_deleted_so_that_it_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    assert not drop_incomplete(path)
    write_plan(PLAN, path)
    assert not drop_incomplete(path) and path.is_file()
    (lines,) = lines_of(path)
    data = lines.read_bytes()
    lines.write_bytes(data[:-1])
    assert drop_incomplete(path) and not path.exists()
    write_plan(PLAN, path)
    lines_of(path)[0].unlink()
    assert drop_incomplete(path) and not path.exists()
    # What is no plan of this version is not touched.
    for text in ("{", "[]", '{"schema": 2}', '{"schema": 3}'):
        path.write_text(text)
        assert not drop_incomplete(path) and path.is_file()


def test_a_plan_killed_between_its_files_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, copy = tmp_path / "plan.json", tmp_path / ".state" / "plan.json"
    write_plan(PLAN, path, copy)
    other = Plan(SETTINGS, [recording("x")], [Bundle("b0001", "x", ["x"])], [])
    written: list[Path] = []

    def killed(target: Path, value: object) -> None:
        written.append(target)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(writer_module, "write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            write_plan(other, path, copy)
    # The new lines are there, and both files still say what the plan before was.
    assert written == [copy]
    assert read_plan(path) == read_plan(copy) == PLAN
    write_plan(other, path, copy)
    assert read_plan(path) == read_plan(copy) == other


def test_the_name_of_the_lines_leads_nowhere_else(tmp_path: Path) -> None:
    path = tmp_path / "run" / "plan.json"
    write_plan(PLAN, path)
    (tmp_path / "secret.jsonl").write_text("{}\n")
    text = path.read_text()
    (lines,) = lines_of(path)
    path.write_text(text.replace(lines.name, "../../../secret.jsonl"))
    with pytest.raises(DocumentError, match="missing"):
        read_plan(path)


def test_a_reader_opens_a_plan_once_until_it_changes(tmp_path: Path) -> None:
    path, reader = tmp_path / "plan.json", PlanReader()
    write_plan(PLAN, path)
    first = reader(path)
    assert reader(path) is first
    before = path.stat().st_mtime_ns
    write_plan(Plan(SETTINGS, [], [], []), path)
    # A clock that was set back.
    os.utime(path, ns=(before, before))
    assert reader(path).count == 0


def test_the_head_of_a_plan_in_memory_says_what_that_of_a_file_says(tmp_path: Path) -> None:
    write_plan(PLAN, tmp_path / "plan.json")
    plan = open_plan(tmp_path / "plan.json")
    head = head_of(PLAN)
    assert [(one.bundle, one.spec, one.recordings, one.audio) for one in head.bundles] == [
        (one.bundle, one.spec, one.recordings, one.audio) for one in plan.bundles
    ]
    assert [(one.shard, one.count) for one in head.shards] == [(one.shard, one.count) for one in plan.shards]
