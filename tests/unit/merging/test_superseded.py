"""What becomes of transcripts that are there already: replaced, kept, or moved out of the way; never deleted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from audiogrid.core.atomic_files import read_json
from audiogrid.merging.merge_bundle import BundleFacts, MergedBundle, MergeSettings, merge_bundle
from audiogrid.merging.superseded import supersede, suspected_bundles
from audiogrid.records.chunks import Chunk, Seam, ShardFacts
from audiogrid.records.plan import Bundle, Plan, Recording, Settings
from audiogrid.records.results import ChunkResult, Segment, Word
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.store import Store, chunk_key
from audiogrid.records.written_files import WrittenLists, adopt_merged, has_other_files, read_written
from audiogrid.remote.publishing import result_files
from audiogrid.reporting.notices import kept_transcripts, read_notices, write_notices

SECOND = 16_000
VERSIONS = {
    "audiogrid": "0.1.0",
    "revision": 1,
    "faster_whisper": "1.2.1",
    "ctranslate2": "4.8.5",
    "encoder": "openvino bfloat16",
    "host": "node1",
}


def result(text: str) -> ChunkResult:
    words = [Word(SECOND * n, SECOND * n + 8000, f" {word}", 0.9) for n, word in enumerate(text.split())]
    segment = Segment(words[0].start, words[-1].end, text, words, -0.2, 1.2, 0.0, 0.0, "en", 0)
    return ChunkResult(10 * SECOND, "en", 0.99, [(0, 5 * SECOND)], [], [segment])


class Run:
    """A run of short recordings that is merged again and again."""

    def __init__(self, root: Path) -> None:
        self.folder = RunFolder(root / "results" / "x")
        self.store = Store(root / "store")
        self.bundles: list[MergedBundle] = []

    def plan(self, *names: str, bundle: str = "b0001", chunks: int = 1) -> Plan:
        recordings = [Recording(name, f"in/{name}.wav", 1, 1, 10 * SECOND * chunks, 1, "mix", chunks) for name in names]
        settings = Settings("base", {"base": "f" * 64}, {}, 5, 60, 600, 1, 0)
        return Plan(settings, recordings, [Bundle(bundle, "spec", list(names))], [])

    def merge(
        self,
        plan: Plan,
        texts: dict[str, str],
        formats: tuple[str, ...] = ("txt", "json"),
        made: dict[str, dict[str, object]] | None = None,
        chunk_texts: bool = False,
    ) -> MergedBundle:
        """``texts``: by chunk; a recording without one fails."""
        facts = ShardFacts()
        for recording in plan.recordings:
            for index, name in enumerate(recording.chunk_ids):
                start, end = index * 10 * SECOND, (index + 1) * 10 * SECOND
                seams = Seam("pause", start, 0), Seam("pause", end, 0)
                chunk = Chunk(name, recording.recording, None, index, start, end, start, end, *seams, "0" * 64)
                chunk = replace(chunk, pcm_sha256=name.encode().hex().ljust(64, "0"))
                facts.chunks.append(chunk)
                if name in texts:
                    facts.keys[name] = chunk_key(chunk, f"model of {texts[name]}", {}, 1)
                    self.store.put(facts.keys[name], result(texts[name]), (made or {}).get(name, VERSIONS))
        (bundle,) = plan.bundles
        settings = MergeSettings(list(formats), {}, chunk_texts)
        merged = merge_bundle(plan, bundle.bundle, BundleFacts([(facts, {})]), self.store, settings, self.folder)
        self.bundles = [merged]
        return merged

    def end(self, plan: Plan) -> list[str]:
        """Move what is superseded; returns the names that were moved."""
        suspects = set()
        for merged in self.bundles:
            recordings = {*merged.files, *(failure.recording for failure in merged.failures)}
            if has_other_files(self.folder, merged.bundle, recordings) or recordings != {*plan.recording}:
                suspects.add(merged.bundle)
            if merged.failures:
                suspects.add(merged.bundle)
        moved = supersede(self.folder, plan, suspects)
        whole = {name for merged in self.bundles for name in merged.files}
        lost = {failure.recording for merged in self.bundles for failure in merged.failures} - whole
        edited = [name for merged in self.bundles for name in merged.edited]
        bundles = suspected_bundles(plan, WrittenLists(self.folder), suspects)
        write_notices(self.folder, moved, edited, kept_transcripts(self.folder, lost, bundles))
        return sorted(one.file for one in moved)

    def files(self, folder: str = "transcripts") -> dict[str, str]:
        root = self.folder.root / folder
        return {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*") if path.is_file()}

    def said(self) -> str:
        return "\n".join(read_notices(self.folder).sentences(self.folder))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_new_results_replace_what_the_run_wrote(run: Run) -> None:
    plan = run.plan("talk")
    run.merge(plan, {"talk.0000": "first"})
    merged = run.merge(plan, {"talk.0000": "second"})
    assert (run.files()["talk.txt"], merged.edited) == ("second\n", [])
    assert run.end(plan) == []
    assert run.files("superseded") == {}
    assert run.said() == ""


def test_a_failed_rerun_keeps_the_last_good_transcripts_and_says_so(run: Run) -> None:
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


def test_formats_recordings_and_chunk_texts_that_are_no_longer_wanted_are_moved(run: Run) -> None:
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


def test_an_edited_transcript_is_kept_beside_the_new_one(run: Run) -> None:
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


def test_an_edited_chunk_text_is_kept_beside_the_new_one(run: Run) -> None:
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


def test_an_edited_transcript_that_no_merge_replaces_is_published_as_it_is(run: Run) -> None:
    plan = run.plan("talk")
    run.merge(plan, {"talk.0000": "one"}, ("txt",))
    (run.folder.transcripts / "talk.txt").write_text("One, corrected.\n")
    run.end(plan)
    assert [name for name, _ in result_files(run.folder.root)] == ["transcripts/talk.txt"]
    assert run.files() == {"talk.txt": "One, corrected.\n"}


def test_a_file_of_unknown_origin_is_moved_not_overwritten(run: Run) -> None:
    run.folder.transcripts.mkdir(parents=True)
    (run.folder.transcripts / "talk.txt").write_text("from somewhere")
    (run.folder.transcripts / "notes.txt").write_text("mine")
    plan = run.plan("talk")
    run.merge(plan, {"talk.0000": "one"}, ("txt",))
    run.end(plan)
    assert run.files() == {"talk.txt": "one\n", "notes.txt": "mine"}
    assert run.files("superseded") == {"talk.txt": "from somewhere"}


def test_after_an_interrupted_merge_nothing_passes_for_edited(run: Run) -> None:
    plan = run.plan("talk")
    run.merge(plan, {"talk.0000": "one"}, ("txt",))
    path = run.folder.written / "b0001.json"
    path.write_text(json.dumps({**read_json(path), "complete": False}))
    (run.folder.transcripts / "talk.txt").write_text("two\n")
    assert run.merge(plan, {"talk.0000": "three"}, ("txt",)).edited == []
    assert run.files("superseded") == {"talk.txt": "two\n"}


def test_a_run_from_before_there_were_lists_is_adopted(run: Run) -> None:
    plan = run.plan("talk")
    run.merge(plan, {"talk.0000": "one"}, ("txt",)).write(run.folder.merged / "b0001.json", 1)
    (run.folder.written / "b0001.json").unlink()
    run.folder.written.rmdir()
    adopt_merged(run.folder)
    assert run.merge(plan, {"talk.0000": "two"}, ("txt",)).edited == []
    assert run.files("superseded") == {}


def test_provenance_names_the_versions_that_decoded(run: Run) -> None:
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
