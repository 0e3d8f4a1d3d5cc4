"""Transcripts in one zip per bundle: a rerun replaces only what the run wrote, and nothing is lost."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from audiogrid.corrections.corrected_recordings import Recordings, read_document
from audiogrid.export.packs import find_packed, packed_names, read_transcript
from audiogrid.merging.pack_writer import PackWriter
from audiogrid.orchestration.generations import is_intact
from audiogrid.remote.publishing import result_files
from audiogrid.reporting.bundle_sum import page_of
from merged_runs import MergedRun


@pytest.fixture
def run(tmp_path: Path) -> MergedRun:
    return MergedRun(tmp_path)


def names(run: MergedRun) -> set[str]:
    return {path.relative_to(run.folder.transcripts).as_posix() for path in run.folder.transcripts.rglob("*.*")}


def text(run: MergedRun, name: str, pack: str = "b0001.zip") -> str:
    with zipfile.ZipFile(run.folder.transcripts / pack) as one:
        return one.read(name).decode()


def test_a_bundle_is_one_file_that_readers_of_transcripts_find(run: MergedRun) -> None:
    plan = run.plan("talk", "talk.b")
    merged = run.merge(plan, {"talk.0000": "first", "talk.b.0000": "second"}, pack=True, chunk_texts=True)
    merged.write(run.folder.merged / "b0001.json", 1)
    assert run.end(plan) == []
    assert names(run) == {"b0001.zip"}
    every = [f"{name}{end}" for name in ("talk", "talk.b") for end in (".json", ".txt", ".chunks/0000.txt")]
    assert packed_names(run.folder.transcripts) == sorted(every)
    assert text(run, "talk.b.txt") == "second\n"
    file = merged.files["talk"]["json"]
    assert read_transcript(run.folder.root, file) == read_document(run.folder, "talk")
    assert [one["recording"] for _, one in Recordings([run.folder]).named("talk.b")] == ["talk.b"]
    assert Recordings([run.folder]).named("nobody") == []
    assert find_packed(run.folder.transcripts, "talk.srt") is None
    # The zip is what the report leads to, and what is published.
    assert page_of(merged.files["talk"]) == "transcripts/b0001.zip"
    assert [name for name, _ in result_files(run.folder.root) if name.startswith("transcripts/")] == [
        "transcripts/b0001.zip"
    ]
    assert is_intact(run.folder, run.folder.merged / "b0001.json")


def test_the_same_transcripts_leave_the_zip_alone(run: MergedRun) -> None:
    plan = run.plan("a", "b")
    run.merge(plan, {"a.0000": "one", "b.0000": "two"}, pack=True)
    before = (run.folder.transcripts / "b0001.zip").stat()
    run.merge(plan, {"a.0000": "one", "b.0000": "two"}, pack=True)
    after = (run.folder.transcripts / "b0001.zip").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    run.merge(plan, {"a.0000": "other", "b.0000": "two"}, pack=True)
    assert names(run) == {"b0001.zip"} and text(run, "a.txt") == "other\n"
    assert run.files("superseded") == {}


def test_a_recording_that_fails_keeps_its_last_transcripts(run: MergedRun) -> None:
    plan = run.plan("a", "b")
    run.merge(plan, {"a.0000": "one", "b.0000": "two"}, pack=True)
    merged = run.merge(plan, {"a.0000": "other"}, pack=True)
    assert run.end(plan) == []
    assert (text(run, "a.txt"), text(run, "b.txt")) == ("other\n", "two\n")
    assert [*merged.files] == ["a"]
    assert "stay until there are new ones: transcripts/b0001.zip" in run.said()


def test_a_zip_that_a_person_changed_is_kept_beside_the_new_one(run: MergedRun) -> None:
    plan = run.plan("a", "b")
    run.merge(plan, {"a.0000": "one", "b.0000": "two"}, pack=True)
    path = run.folder.transcripts / "b0001.zip"
    with zipfile.ZipFile(path, "a") as pack:
        pack.writestr("note.txt", "mine")
    changed = path.read_bytes()
    merged = run.merge(plan, {"a.0000": "other"}, pack=True)
    assert merged.edited == ["transcripts/b0001.edited.zip"]
    assert (run.folder.transcripts / "b0001.edited.zip").read_bytes() == changed
    # What of it the run wrote is not told from what it did not.
    assert packed_names(run.folder.transcripts) == ["a.json", "a.txt"]


def test_a_file_of_that_name_that_the_run_did_not_write_goes_to_superseded(run: MergedRun) -> None:
    run.folder.transcripts.mkdir(parents=True)
    (run.folder.transcripts / "b0001.zip").write_text("something else")
    run.merge(run.plan("a"), {"a.0000": "one"}, pack=True)
    assert run.files("superseded") == {"b0001.zip": "something else"}
    assert text(run, "a.txt") == "one\n"


def test_going_over_to_zips_and_back_leaves_nothing_old_in_place(run: MergedRun) -> None:
    plan = run.plan("a", "b")
    texts = {"a.0000": "one", "b.0000": "two"}
    run.merge(plan, texts)
    run.merge(plan, texts, pack=True)
    assert run.end(plan) == [f"transcripts/{name}" for name in ("a.json", "a.txt", "b.json", "b.txt")]
    assert names(run) == {"b0001.zip"}
    run.merge(plan, texts)
    assert run.end(plan) == ["transcripts/b0001.zip"]
    assert names(run) == {"a.json", "a.txt", "b.json", "b.txt"}


def test_the_zip_of_a_former_bundle_goes_when_all_of_it_is_elsewhere(run: MergedRun) -> None:
    plan = run.plan("a", "b")
    run.merge(plan, {"a.0000": "one", "b.0000": "two"}, pack=True)
    later = run.plan("a", "c", bundle="b0002")
    run.merge(later, {"c.0000": "three"}, pack=True)
    # `a` has failed in its new bundle: the former one still has its transcripts.
    assert run.end(later) == []
    assert names(run) == {"b0001.zip", "b0002.zip"}
    assert json.loads(find_packed(run.folder.transcripts, "a.json") or b"")["recording"] == "a"
    run.merge(later, {"a.0000": "one", "c.0000": "three"}, pack=True)
    assert run.end(later) == ["transcripts/b0001.zip"]
    assert names(run) == {"b0002.zip"}


def test_a_merge_that_ends_in_the_middle_changes_nothing(run: MergedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = run.plan("a", "b")
    run.merge(plan, {"a.0000": "one", "b.0000": "two"}, pack=True)
    before = (run.folder.transcripts / "b0001.zip").read_bytes()

    def full(*given: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(PackWriter, "finish", full)
    with pytest.raises(OSError, match="No space left"):
        run.merge(plan, {"a.0000": "other", "b.0000": "two"}, pack=True)
    monkeypatch.undo()
    assert [path.name for path in run.folder.transcripts.iterdir()] == ["b0001.zip"]
    assert (run.folder.transcripts / "b0001.zip").read_bytes() == before
    (run.folder.transcripts / ".tmp-b0001-killed").write_text("left by a killed merge")
    run.merge(plan, {"a.0000": "other", "b.0000": "two"}, pack=True)
    assert [path.name for path in run.folder.transcripts.iterdir()] == ["b0001.zip"]
    assert text(run, "a.txt") == "other\n"
