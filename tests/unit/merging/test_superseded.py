"""What becomes of transcripts that are there already: replaced, kept, or moved out of the way; never deleted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from audiogrid.core.atomic_files import read_json
from audiogrid.records.written_files import adopt_merged, read_written
from audiogrid.remote.publishing import result_files
from merged_runs import VERSIONS, MergedRun


@pytest.fixture
def run(tmp_path: Path) -> MergedRun:
    return MergedRun(tmp_path)


def test_new_results_replace_what_the_run_wrote(run: MergedRun) -> None:
    plan = run.plan("talk")
    run.merge(plan, {"talk.0000": "first"})
    merged = run.merge(plan, {"talk.0000": "second"})
    assert (run.files()["talk.txt"], merged.edited) == ("second\n", [])
    assert run.end(plan) == []
    assert run.files("superseded") == {}
    assert run.said() == ""


def test_a_failed_rerun_keeps_the_last_good_transcripts_and_says_so(run: MergedRun) -> None:
    plan = run.plan("talk", "other")
    run.merge(plan, {"talk.0000": "good", "other.0000": "one"})
    merged = run.merge(plan, {"other.0000": "two"})
    assert [failure.recording for failure in merged.failures] == ["talk"]
    assert run.end(plan) == []
    assert (run.files()["talk.txt"], run.files()["other.txt"]) == ("good\n", "two\n")
    assert "2 transcript(s) of an earlier run stay until there are new ones: transcripts/talk.json" in run.said()
    # Until they are there: then it is not said any more.
    run.merge(plan, {"talk.0000": "better", "other.0000": "two"})
    run.end(plan)
    assert (run.files()["talk.txt"], run.said()) == ("better\n", "")


def test_formats_recordings_and_chunk_texts_that_are_no_longer_wanted_are_moved(run: MergedRun) -> None:
    plan = run.plan("talk", "gone")
    run.merge(plan, {"talk.0000": "one", "gone.0000": "two"}, ("txt", "srt", "json"), chunk_texts=True)
    old = run.files()
    plan = run.plan("talk", bundle="b0002")
    run.merge(plan, {"talk.0000": "one"}, ("txt",))
    assert run.end(plan) == [
        "transcripts/gone.chunks/0000.txt",
        *(f"transcripts/gone.{kind}" for kind in ("json", "srt", "txt")),
        "transcripts/talk.chunks/0000.txt",
        "transcripts/talk.json",
        "transcripts/talk.srt",
    ]
    assert run.files() == {"talk.txt": "one\n"}
    assert sorted(path.name for path in run.folder.transcripts.iterdir()) == ["talk.txt"]
    moved = run.files("superseded")
    table = moved.pop("superseded.tsv").splitlines()
    assert moved == {name: text for name, text in old.items() if name != "talk.txt"}
    assert (table[0], len(table)) == ("file\tmoved_to\treason", 8)
    assert "7 file(s) of recordings or formats that are no longer wanted are now in" in run.said()
    assert [name for name, _ in result_files(run.folder.root)] == ["transcripts/talk.txt"]
    assert set(read_written(run.folder)) == {"b0002"}
    # Once more, with a name that is taken there.
    run.merge(run.plan("talk", "gone", bundle="b0002"), {"talk.0000": "one", "gone.0000": "three"}, ("txt",))
    run.end(run.plan("talk", bundle="b0002"))
    assert run.files("superseded")["gone.2.txt"] == "three\n"
    assert run.files("superseded")["gone.txt"] == "two\n"
    assert len(run.files("superseded")["superseded.tsv"].splitlines()) == 9


def test_an_edited_transcript_is_kept_beside_the_new_one(run: MergedRun) -> None:
    plan = run.plan("talk")
    run.merge(plan, {"talk.0000": "one"})
    (run.folder.transcripts / "talk.txt").write_text("One, corrected.\n")
    merged = run.merge(plan, {"talk.0000": "two"})
    run.end(plan)
    assert merged.edited == ["transcripts/talk.edited.txt"]
    files = run.files()
    assert (files["talk.txt"], files["talk.edited.txt"]) == ("two\n", "One, corrected.\n")
    assert "1 transcript(s) edited by hand were kept: transcripts/talk.edited.txt" in run.said()
    # It is not the run's: it is neither published nor moved.
    assert "transcripts/talk.edited.txt" not in dict(result_files(run.folder.root))
    (run.folder.transcripts / "talk.txt").write_text("Two, corrected.\n")
    assert run.merge(plan, {"talk.0000": "three"}).edited == ["transcripts/talk.edited.2.txt"]


def test_an_edited_chunk_text_is_kept_beside_the_new_one(run: MergedRun) -> None:
    plan = run.plan("talk", chunks=2)
    run.merge(plan, {"talk.0000": "one", "talk.0001": "two"}, ("txt",), chunk_texts=True)
    for number, new in (("", "three"), (".2", "four")):
        (run.folder.transcripts / "talk.chunks" / "0001.txt").write_text(f"Edited before {new}.\n")
        merged = run.merge(plan, {"talk.0000": "one", "talk.0001": new}, ("txt",), chunk_texts=True)
        assert merged.edited == [f"transcripts/talk.chunks/0001.edited{number}.txt"]
    run.merge(run.plan("talk"), {"talk.0000": "one"}, ("txt",), chunk_texts=True)
    files = run.files()
    assert files["talk.chunks/0001.edited.txt"] == "Edited before three.\n"
    assert files["talk.chunks/0001.edited.2.txt"] == "Edited before four.\n"
    # Files of chunks that no longer exist still go.
    assert "talk.chunks/0001.txt" not in files
    assert run.files("superseded") == {"talk.chunks/0001.txt": "four\n"}


def test_an_edited_transcript_that_no_merge_replaces_is_published_as_it_is(run: MergedRun) -> None:
    plan = run.plan("talk")
    run.merge(plan, {"talk.0000": "one"}, ("txt",))
    (run.folder.transcripts / "talk.txt").write_text("One, corrected.\n")
    run.end(plan)
    assert [name for name, _ in result_files(run.folder.root)] == ["transcripts/talk.txt"]
    assert run.files() == {"talk.txt": "One, corrected.\n"}


def test_a_file_of_unknown_origin_is_moved_not_overwritten(run: MergedRun) -> None:
    run.folder.transcripts.mkdir(parents=True)
    (run.folder.transcripts / "talk.txt").write_text("from somewhere")
    (run.folder.transcripts / "notes.txt").write_text("mine")
    plan = run.plan("talk")
    run.merge(plan, {"talk.0000": "one"}, ("txt",))
    run.end(plan)
    assert run.files() == {"talk.txt": "one\n", "notes.txt": "mine"}
    assert run.files("superseded") == {"talk.txt": "from somewhere"}


def test_after_an_interrupted_merge_nothing_passes_for_edited(run: MergedRun) -> None:
    plan = run.plan("talk")
    run.merge(plan, {"talk.0000": "one"}, ("txt",))
    path = run.folder.written / "b0001.json"
    path.write_text(json.dumps({**read_json(path), "complete": False}))
    (run.folder.transcripts / "talk.txt").write_text("two\n")
    assert run.merge(plan, {"talk.0000": "three"}, ("txt",)).edited == []
    assert run.files("superseded") == {"talk.txt": "two\n"}


def test_a_run_from_before_there_were_lists_is_adopted(run: MergedRun) -> None:
    plan = run.plan("talk")
    run.merge(plan, {"talk.0000": "one"}, ("txt",)).write(run.folder.merged / "b0001.json", 1)
    (run.folder.written / "b0001.json").unlink()
    run.folder.written.rmdir()
    adopt_merged(run.folder)
    assert run.merge(plan, {"talk.0000": "two"}, ("txt",)).edited == []
    assert run.files("superseded") == {}


def test_provenance_names_the_versions_that_decoded(run: MergedRun) -> None:
    plan = run.plan("talk", chunks=3)
    texts = {"talk.0000": "a", "talk.0001": "b", "talk.0002": "c"}
    other = {**VERSIONS, "ctranslate2": "4.7.0", "host": "node2"}
    run.merge(plan, texts, ("json",), {"talk.0001": other})
    made = json.loads(run.files()["talk.json"])["provenance"]
    assert {name: made[name] for name in ("audiogrid", "revision", "ctranslate2", "encoder")} == {
        "audiogrid": "0.1.0",
        "revision": 1,
        "ctranslate2": "4.8.5",
        "encoder": "openvino bfloat16",
    }
    differing = {one["chunk"]: one["versions"] for one in made["chunks"] if "versions" in one}
    assert set(differing) == {"talk.0001"}
    assert differing["talk.0001"]["ctranslate2"] == "4.7.0"
    assert "node" not in json.dumps(made)
