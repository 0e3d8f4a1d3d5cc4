"""Bags of runs, read by programs of others: bagit, rocrate, iiif-prezi3, metsrw and the schema of METS."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import bagit
import metsrw
import pytest
from iiif_prezi3 import Collection, Manifest
from lxml import etree
from metsrw.plugins import premisrw
from rocrate.rocrate import ROCrate

import finished_runs
from audiogrid.archiving import bag_writer, deposit
from audiogrid.archiving.bag_options import BagOptions, bag_options
from audiogrid.archiving.deposit import Bag, make_bag, workflow_files
from audiogrid.archiving.page_links import transcript_with
from audiogrid.archiving.run_account import read_account
from audiogrid.core.errors import InputError, RetryableError
from audiogrid.orchestration.installation import workflow_home
from audiogrid.records.journal import list_journals, read_history
from audiogrid.records.plan_files.reader import read_plan
from audiogrid.records.plan_files.writer import write_plan
from audiogrid.records.run_folder import RunFolder
from audiogrid.remote.service_protocol import RemoteError
from audiogrid.searching.index_files import Line, Recording, read_part_file, write_part_file

HOSTILE = [
    "talk.mp3",
    'Müller & Söhne "100%25" <a>; rm -rf ~.wav',
    "日本語 😀 ]]> --> .mp4",
    "line\nbreak\ttab.ogg",
    "$(touch x) `y` {z} #?.wav",
    "عربي ‮ rtl.opus",
    "no ending",
    "../../etc/passwd.mp3",
    "https://user:secret@example.org/a%20b/interview 7.mp3?X-Amz-Signature=abcdef",
]
FULL = BagOptions(
    mets=True,
    base_url="https://archive.example.org/talks/",
    title='Talks & "more" <b>\nsecond line',
    responsible_party="PL, Ärchive | x",
    license="https://creativecommons.org/licenses/by/4.0/",
)


def bag_of(folder: RunFolder, target: Path | None = None, options: BagOptions = FULL) -> Bag:
    return make_bag(folder, target or folder.bag, options, workflow_files(workflow_home()))


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run over files with hostile names, the last two of which have no transcript; its bag is made."""
    folder = finished_runs.finished_run(tmp_path_factory.mktemp("results") / "tälks", HOSTILE, failed=2)
    bag_of(folder)
    return folder


def entities(folder: RunFolder) -> dict[str, dict[str, Any]]:
    graph = json.loads((folder.bag / "data" / "ro-crate-metadata.json").read_text())["@graph"]
    found = {entity["@id"]: entity for entity in graph}
    assert len(found) == len(graph), "an identifier is used twice"
    return found


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        return (
            [value["@id"]] if set(value) == {"@id"} else [one for inner in value.values() for one in references(inner)]
        )
    return [one for inner in value for one in references(inner)] if isinstance(value, list) else []


def test_bagit_finds_every_file_as_it_was_written(run: RunFolder, tmp_path: Path) -> None:
    bag = bagit.Bag(str(run.bag))
    assert bag.is_valid() and bag.version_info == (1, 0) and set(bag.algorithms) == {"sha256", "sha512"}
    held = {path.relative_to(run.bag).as_posix() for path in (run.bag / "data").rglob("*") if path.is_file()}
    assert set(bag.payload_entries()) == held
    assert {name.removeprefix("data/") for name in held} >= {"report.html", "summary.tsv", "workflow/Snakefile"}
    assert len([name for name in held if name.startswith("data/transcripts/")]) == 3 * (len(HOSTILE) - 2)
    assert bag.info["Source-Organization"] == "PL, Ärchive | x" and "\n" not in bag.info["External-Description"]
    copied = shutil.copytree(run.bag, tmp_path / "copy")
    (copied / "data" / "summary.tsv").write_bytes(b"else")
    assert not bagit.Bag(str(copied)).is_valid()


def test_a_table_whose_name_cannot_be_listed_stays_out(tmp_path: Path) -> None:
    folder = finished_runs.finished_run(tmp_path / "talks", ["a.mp3"])
    for name in ("my table.tsv", "50 %41.tsv", "two\nlines.tsv"):
        (folder.root / name).write_text("mine")
    done = bag_of(folder)
    assert bagit.Bag(str(folder.bag)).is_valid()
    assert sorted(done.left_out) == ["'50 %41.tsv'", r"'two\nlines.tsv'"]
    assert (folder.bag / "data" / "my table.tsv").read_text() == "mine"


def test_the_crate_tells_what_went_in_and_what_came_out(run: RunFolder) -> None:
    crate = ROCrate(run.bag / "data")
    workflow = crate.mainEntity
    assert workflow["programmingLanguage"]["name"] == "Snakemake"
    assert {profile.id for profile in crate.root_dataset["conformsTo"]} == {
        "https://w3id.org/ro/wfrun/process/0.5",
        "https://w3id.org/ro/wfrun/workflow/0.5",
        "https://w3id.org/workflowhub/workflow-ro-crate/1.0",
    }
    action = crate.root_dataset["mentions"]
    assert action.type == "CreateAction" and action["instrument"] is workflow
    assert action["actionStatus"] == "http://schema.org/FailedActionStatus" and "2 of 9" in action["error"]
    names = {one["name"] for one in action["object"] if "identifier" in one and "encodingFormat" in one}
    assert len(names) == len(HOSTILE) and "talk.mp3" in names
    results = {unquote(one.id) for one in action["result"]}
    assert results == {f"transcripts/{path.name}" for path in run.transcripts.iterdir()}
    for one in action["result"]:
        assert one["isBasedOn"] in action["object"]
    history = read_history(run.journal, "s0001", "spec", list_journals(run.journal))
    ended = datetime.fromtimestamp(int(history.last), UTC).isoformat()
    assert (action["endTime"], crate.root_dataset["datePublished"]) == (ended, ended[:10])


def test_the_crate_lists_every_file_with_its_hash_and_refers_to_nothing_else(run: RunFolder) -> None:
    found = entities(run)
    own = {"ro-crate-metadata.json", *(f"./{name}" for name in ("",))}
    for path in (run.bag / "data").rglob("*"):
        name = path.relative_to(run.bag / "data").as_posix()
        if path.is_file() and name not in own:
            [entity] = [one for identifier, one in found.items() if unquote(identifier) == name]
            assert "File" in entity["@type"]
    parts = {part["@id"] for part in found["./"]["hasPart"]}
    assert parts == {name for name, one in found.items() if "File" in one["@type"]}
    outside = {name for entity in found.values() for name in references(entity) if name not in found}
    assert all(name.startswith("https://") for name in outside)


def test_no_path_of_this_machine_and_no_secret_is_in_the_descriptions(run: RunFolder) -> None:
    described = [run.bag / "bag-info.txt", run.bag / "data" / "ro-crate-metadata.json", run.bag / "data" / "README.md"]
    described += [*(run.bag / "data" / "iiif").iterdir(), *(run.bag / "data" / "mets").iterdir()]
    for path in described:
        text = path.read_text()
        assert not any(
            word in text for word in ("secret", "abcdef", str(run.root), "../../etc", str(Path.home()) + "/")
        )


def test_iiif_ties_each_recording_to_its_subtitles(run: RunFolder) -> None:
    folder = run.bag / "data" / "iiif"
    collection = Collection.model_validate_json((folder / "collection.json").read_text())
    delivered = len(HOSTILE) - 2
    assert len(collection.items) == delivered == len(list(folder.iterdir())) - 1
    base = "https://archive.example.org/talks/"
    for item in collection.items:
        path = run.bag / "data" / unquote(str(item.id).removeprefix(base))
        manifest = Manifest.model_validate_json(path.read_text())
        [canvas] = manifest.items
        [annotation] = canvas.items[0].items
        [caption] = canvas.annotations[0].items
        assert (annotation.motivation, caption.motivation) == ("painting", "supplementing")
        assert str(manifest.rights) == "http://creativecommons.org/licenses/by/4.0/"
        assert annotation.target == caption.target == canvas.id and canvas.duration == 4.0
        subtitles = unquote(str(caption.body.id).removeprefix(base))
        assert (run.bag / "data" / subtitles).read_text().startswith("WEBVTT") and caption.body.format == "text/vtt"
        assert annotation.body.type == ("Video" if "日本語" in str(manifest.label) else "Sound")


def test_without_an_address_the_manifests_name_a_host_that_cannot_exist(tmp_path: Path) -> None:
    folder = finished_runs.finished_run(tmp_path / "My Talks!", ["a.mp3"])
    bag_of(folder, options=BagOptions())
    manifest = Manifest.model_validate_json((folder.bag / "data" / "iiif" / "a.json").read_text())
    assert str(manifest.id) == "https://my-talks.invalid/iiif/a.json"
    assert not (folder.bag / "data" / "mets").exists()


# The schema of METS comes with metsrw; of XLink, which it imports, only these names are needed.
XLINK_NAMES = "href role title label from to show actuate arcrole".split()
XLINK = (
    '<s:schema xmlns:s="http://www.w3.org/2001/XMLSchema" xmlns:x="http://www.w3.org/1999/xlink"'
    ' targetNamespace="http://www.w3.org/1999/xlink">'
    + "".join(f'<s:attribute name="{name}" type="s:string"/>' for name in XLINK_NAMES)
    + "".join(
        f'<s:attributeGroup name="{name}">'
        + "".join(f'<s:attribute ref="x:{one}"/>' for one in XLINK_NAMES)
        + "</s:attributeGroup>"
        for name in "simpleLink extendedLink locatorLink arcLink resourceLink titleLink emptyLink".split()
    )
    + "</s:schema>"
)


class XLinkResolver(etree.Resolver):
    def resolve(self, url: str, identifier: str, context: Any) -> Any:
        return self.resolve_string(XLINK, context) if url.endswith("xlink.xsd") else None


@pytest.fixture(scope="module")
def mets_schema() -> etree.XMLSchema:
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(XLinkResolver())
    return etree.XMLSchema(etree.parse(Path(metsrw.__file__).parent / "resources" / "mets.xsd", parser))


def test_mets_files_are_valid_and_tell_the_event(run: RunFolder, mets_schema: etree.XMLSchema) -> None:
    paths = sorted((run.bag / "data" / "mets").iterdir())
    assert len(paths) == len(HOSTILE) - 2
    for path in paths:
        tree = etree.parse(path)
        for element in tree.iter("{http://www.loc.gov/premis/v3}object"):
            # PREMIS has a schema of its own, which no package brings.
            del element.attrib["{http://www.w3.org/2001/XMLSchema-instance}type"]
        mets_schema.assertValid(tree)
        document = metsrw.METSDocument.fromfile(str(path))
        files = {file.path: file for file in document.all_files() if file.path}
        linked = [name for name in files if name.startswith("../transcripts/")]
        assert len(linked) == 3
        for name in linked:
            packed = (path.parent / unquote(name)).resolve()
            assert files[name].checksum == deposit.checksums(packed, "").hashes["sha256"]
        [event] = [
            premisrw.PREMISEvent(data=premisrw.premis_to_data(one))
            for one in etree.parse(path).iter("{http://www.loc.gov/premis/v3}event")
        ]
        originals = {element.text for element in tree.iter("{http://www.loc.gov/premis/v3}originalName")}
        assert {unquote(name.removeprefix("../transcripts/")) for name in linked} < originals
        assert event.type == "transcription" and event.date_time.endswith("+00:00")


def test_the_same_run_gives_the_same_bytes(run: RunFolder, tmp_path: Path) -> None:
    before = contents(run.bag)
    again = bag_of(run)
    assert again.reused > 20 and contents(run.bag) == before
    elsewhere = bag_of(run, tmp_path / "elsewhere")
    assert elsewhere.reused == 0 and contents(tmp_path / "elsewhere") == before


def test_recordings_are_copied_or_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["a b.mp3", "ü%.wav"]
    folder = finished_runs.finished_run(tmp_path / "talks", names, media=tmp_path / "in")
    read: list[str] = []
    opened = Path.open

    def noting(path: Path, mode: str = "r", *rest: Any, **more: Any) -> Any:
        if path.parent.name == "in" and mode == "rb":
            read.append(path.name)
        return opened(path, mode, *rest, **more)

    monkeypatch.setattr(Path, "open", noting)
    bag_of(folder, options=BagOptions(recordings="hash"))
    hashed = {one["name"]: one["sha256"] for one in entities(folder).values() if one.get("name") in names}
    assert sorted(read) == sorted(names) and len(hashed) == 2
    bag_of(folder, options=BagOptions(recordings="hash", title="other words"))
    assert len(read) == 2
    bag_of(folder, options=BagOptions(recordings="copy"))
    assert len(read) == 4
    bag_of(folder, options=BagOptions(recordings="copy", mets=True))
    assert len(read) == 4 and bagit.Bag(str(folder.bag)).is_valid()
    copied = {one["name"]: one for one in entities(folder).values() if one.get("name") in names}
    assert {name: one["sha256"] for name, one in copied.items()} == hashed
    assert all((folder.bag / "data" / unquote(one["@id"])).is_file() for one in copied.values())


@pytest.mark.parametrize("choice", ["copy", "hash"])
def test_a_recording_that_is_gone_or_changed_is_named(tmp_path: Path, choice: str) -> None:
    folder = finished_runs.finished_run(tmp_path / "talks", ["a.mp3", "b.mp3"], media=tmp_path / "in")
    (tmp_path / "in" / "b.mp3").write_bytes(b"another one")
    with pytest.raises(InputError, match=r"recording b: .*b\.mp3 was changed"):
        bag_of(folder, options=BagOptions(recordings=choice))
    (tmp_path / "in" / "b.mp3").unlink()
    with pytest.raises(InputError, match=r"recording b: .*b\.mp3 is gone"):
        bag_of(folder, options=BagOptions(recordings=choice))
    assert not folder.bag.exists() and not list(folder.root.glob(".tmp-*"))


def test_before_anything_is_copied_all_recordings_are_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = finished_runs.finished_run(tmp_path / "talks", ["a.mp3", "b.mp3"], media=tmp_path / "in")
    (tmp_path / "in" / "b.mp3").unlink()
    monkeypatch.setattr(deposit, "_copy_results", lambda *given: pytest.fail("copied"))
    with pytest.raises(InputError, match="recording b: "):
        bag_of(folder, options=BagOptions(recordings="copy"))


def test_a_recording_that_is_written_while_it_is_copied_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = finished_runs.finished_run(tmp_path / "talks", ["a.mp3"], media=tmp_path / "in")
    path = tmp_path / "in" / "a.mp3"
    blocks = bag_writer._blocks

    def growing(file: Any) -> Any:
        yield from blocks(file)
        if file.name == str(path):
            path.write_bytes(b"another one")

    monkeypatch.setattr(bag_writer, "_blocks", growing)
    with pytest.raises(RetryableError, match=r"a\.mp3 was written while it was packed"):
        bag_of(folder, options=BagOptions(recordings="copy"))


@pytest.mark.parametrize(("kind", "error"), [("unreachable", RetryableError), ("missing", InputError)])
def test_a_storage_that_does_not_answer_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Any, error: type[Exception]
) -> None:
    folder = finished_runs.finished_run(tmp_path / "talks", ["s3://pile/a.mp3"])

    def facts(address: Any) -> Any:
        raise RemoteError(kind, "The storage says no.")

    monkeypatch.setattr("audiogrid.remote.reader.facts_of", facts)
    monkeypatch.setattr("audiogrid.remote.reader.service", lambda scheme: None)
    with pytest.raises(error, match=r"recording a: s3://pile/a\.mp3: The storage says no"):
        bag_of(folder, options=BagOptions(recordings="copy"))


def test_addresses_give_titles_and_endings(tmp_path: Path) -> None:
    paths = [
        's3://pile/talks/it\'s "odd" #1?/../late ☃.mp3',
        "https://example.org/get.mp4#0123456789ab",
        "https://example.org/plain.ogg",
        "in/What #2? No.wav",
    ]
    folder = finished_runs.finished_run(tmp_path / "talks", paths)
    described = read_account(folder).recordings
    assert [(one.title, one.suffix) for one in described] == [
        ("late ☃.mp3", ".mp3"),
        ("get.mp4", ".mp4"),
        ("plain.ogg", ".ogg"),
        ("What #2? No.wav", ".wav"),
    ]
    assert [one.web for one in described] == ["", "", "https://example.org/plain.ogg", ""]


def test_recordings_from_one_address_have_identifiers_of_their_own(tmp_path: Path) -> None:
    folder = finished_runs.finished_run(tmp_path / "talks", ["https://example.org/a.mp3", "https://example.org/a.mp3"])
    bag_of(folder)
    assert sum("#recording-" in name for name in entities(folder)) == 2


def test_pages_play_the_recordings_that_are_copied(tmp_path: Path) -> None:
    names = ["a b'&.mp3", "ü%.mp4"]
    formats = (*finished_runs.FORMATS, "html")
    folder = finished_runs.finished_run(tmp_path / "talks", names, media=tmp_path / "in", formats=formats)
    index = folder.search / "g1"
    rows = [
        Recording(one.id, 0, one.title, "en", "", "file:///in/x", "", []) for one in read_account(folder).recordings
    ]
    write_part_file(index, "r0", rows)
    write_part_file(index, "l0", [Line(-1, 0, "r/0.js", "")])
    bag_of(folder, options=BagOptions())
    plain = {path.name: path.read_bytes() for path in folder.transcripts.iterdir()}
    assert {path.name: path.read_bytes() for path in (folder.bag / "data" / "transcripts").iterdir()} == plain
    bag_of(folder, options=BagOptions(recordings="copy"))
    data = folder.bag / "data"
    pages = sorted((data / "transcripts").glob("*.html"))
    for path, tag in zip(pages, ("audio", "video"), strict=True):
        [player] = re.findall(r'<(audio|video) id="player"[^>]* src="([^"]*)"></', path.read_text())
        assert player[0] == tag and (path.parent / unquote(player[1])).resolve().parent == data / "recordings"
        assert (path.parent / unquote(player[1])).is_file()
    found = read_part_file(data / "search" / "g1", "r0")
    assert all((data / unquote(row[5])).is_file() for row in found) and len(found) == 2
    assert [row[:5] for row in found] == [list(row)[:5] for row in rows]
    assert (data / "search" / "g1" / "l" / "0.js").read_bytes() == (index / "l" / "0.js").read_bytes()
    assert bagit.Bag(str(folder.bag)).is_valid()


def test_a_page_without_a_recording_gets_one(tmp_path: Path) -> None:
    formats = (*finished_runs.FORMATS, "html")
    folder = finished_runs.finished_run(tmp_path / "talks", ["s3://pile/a.mp3"], formats=formats)
    page = (folder.transcripts / "a.html").read_bytes()
    assert b'<audio id="player" controls></audio>' in page
    made = transcript_with("recordings/a.mp3", page, "transcripts/ab/a.html")
    assert b'<audio id="player" controls preload="metadata" src="../../recordings/a.mp3"></audio>' in made


def test_an_unchanged_run_is_recognised_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = finished_runs.finished_run(tmp_path / "talks", ["a.mp3"], media=tmp_path / "in")
    options = BagOptions(recordings="copy")
    first = bag_of(folder, options=options)
    made = deposit._fill
    monkeypatch.setattr(deposit, "_fill", lambda *given: pytest.fail("made again"))
    # Every start writes the configuration anew, and the recording may be gone by now.
    folder.config.write_bytes(folder.config.read_bytes())
    (tmp_path / "in" / "a.mp3").unlink()
    again = bag_of(folder, options=options)
    assert (again.files, again.size, again.reused) == (first.files, first.size, first.files)
    calls: list[int] = []
    monkeypatch.setattr(deposit, "_fill", lambda *given: calls.append(1) or made(*given))
    options = BagOptions()
    bag_of(folder, options=options)
    folder.config.write_bytes(folder.config.read_bytes() + b"x: 1\n")
    bag_of(folder, options=options)
    (folder.transcripts / "a.txt").write_text("corrected\n")
    bag_of(folder, options=options)
    shutil.rmtree(folder.bag)
    bag_of(folder, options=options)
    assert len(calls) == 4 and bagit.Bag(str(folder.bag)).is_valid()


def test_a_run_that_is_planned_anew_has_no_bag(tmp_path: Path) -> None:
    folder = finished_runs.finished_run(tmp_path / "talks", ["a.mp3"])
    plan = read_plan(folder.plan)
    write_plan(replace(plan, shards=[replace(plan.shards[0], spec="another")]), folder.plan)
    with pytest.raises(InputError, match="recordings or options have changed"):
        bag_of(folder)


def test_a_result_that_vanishes_meanwhile_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = finished_runs.finished_run(tmp_path / "talks", ["a.mp3"])
    described = deposit._describe

    def meanwhile(*given: Any) -> None:
        described(*given)
        (folder.transcripts / "a.vtt").unlink()

    monkeypatch.setattr(deposit, "_describe", meanwhile)
    with pytest.raises(RetryableError, match=r"a\.vtt was written while it was packed"):
        bag_of(folder)


def test_words_that_no_file_can_hold_are_left_out(tmp_path: Path) -> None:
    folder = finished_runs.finished_run(tmp_path / "talks", ["a.mp3"])
    bag_of(folder, options=BagOptions(title="Talks\udcff\x00\nof May"))
    assert entities(folder)["./"]["name"] == "Talks of May"


def test_recordings_that_look_alike_stay_apart(tmp_path: Path) -> None:
    web = [f"https://example.org/get.mp3?{n * 64}" for n in "ab"]
    folder = finished_runs.finished_run(tmp_path / "web", web)
    bag_of(folder)
    [first, second] = [one for one in entities(folder).values() if str(one.get("identifier")).startswith("get")]
    assert first["@id"] != second["@id"]
    names = ["talk.wav", "talk.wav.!!", "talk.WAV.x y", "TALK.mp3"]
    folder = finished_runs.finished_run(tmp_path / "talks", names, media=tmp_path / "in")
    bag_of(folder, options=BagOptions(recordings="copy", mets=True))
    assert bagit.Bag(str(folder.bag)).is_valid()
    copied = {path.read_bytes() for path in (folder.bag / "data" / "recordings").iterdir()}
    assert copied == {path.read_bytes() for path in (tmp_path / "in").iterdir()} and len(copied) == len(names)


def test_recordings_that_do_not_fit_are_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = finished_runs.finished_run(tmp_path / "talks", ["a.mp3"], media=tmp_path / "in")
    monkeypatch.setattr(deposit.shutil, "disk_usage", lambda path: SimpleNamespace(free=5))
    with pytest.raises(InputError, match="GB left"):
        bag_of(folder, options=BagOptions(recordings="copy"))


def test_a_run_that_has_not_ended_has_no_bag(tmp_path: Path) -> None:
    folder = finished_runs.finished_run(tmp_path / "talks", ["a.mp3"])
    folder.summary.unlink()
    with pytest.raises(InputError, match="not finished"):
        bag_of(folder)


def test_a_run_that_goes_on_has_no_bag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = finished_runs.finished_run(tmp_path / "talks", ["a.mp3", "b.mp3"], failed=1)
    kept = folder.failed.read_text()
    folder.failed.write_text("recording\tpath\tchunk\tcause\n")
    with pytest.raises(InputError, match=r"not finished: nothing is known yet of 1 recording\(s\) \(b\)"):
        bag_of(folder)
    folder.failed.write_text(kept)
    described = deposit._describe

    def meanwhile(*given: Any) -> None:
        described(*given)
        (folder.transcripts / "a.vtt").write_text("WEBVTT\n")

    monkeypatch.setattr(deposit, "_describe", meanwhile)
    with pytest.raises(RetryableError, match=r"a\.vtt was written while it was packed"):
        bag_of(folder)
    assert not folder.bag.exists() and not list(folder.root.glob(".tmp-*"))


WRONG = [
    {"recordings": "all"},
    {"date": "May 2026"},
    {"date": "2026-13"},
    {"base_url": "archive.example.org"},
    {"base_url": "https://me:secret@archive.example.org"},
    {"base_url": "https://archive.example.org/\udcff"},
]


@pytest.mark.parametrize("options", WRONG)
def test_wrong_options_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        bag_options(options)


def test_the_party_of_the_subtitles_is_that_of_the_bag() -> None:
    assert bag_options("s3://x/y", {"vtt": {"responsible_party": "US, A"}}).responsible_party == "US, A"
    assert bag_options({"responsible_party": "B"}, {"vtt": {"responsible_party": "A"}}).responsible_party == "B"


def test_transcripts_in_a_zip_are_files_of_the_bag_each(run: RunFolder, tmp_path: Path) -> None:
    folder = finished_runs.finished_run(tmp_path / "tälks", HOSTILE, failed=2, packed=True)
    bag_of(folder)
    assert bagit.Bag(str(folder.bag)).is_valid()
    held = contents(folder.bag / "data" / "transcripts" / "b0001")
    assert held == contents(run.bag / "data" / "transcripts")
    graph = entities(folder)
    plain = {name for name in entities(run) if name.startswith("transcripts/")}
    assert {name for name in graph if name.startswith("transcripts/")} == {
        name.replace("transcripts/", "transcripts/b0001/") for name in plain
    }
    assert not list(folder.bag.rglob("*.zip"))
    again = bag_of(folder)
    assert again.reused == again.files

    # A person may have put anything into it.
    with zipfile.ZipFile(folder.transcripts / "b0001.zip", "a") as pack:
        for name in ("../../../../mine.txt", "/mine.txt", "..\\mine.txt", "more/mine.txt"):
            pack.writestr(name, "mine")
    bag_of(folder)
    assert [path.parent.name for path in tmp_path.rglob("mine.txt")] == ["more"]
    (folder.transcripts / "b0001.zip").write_bytes(b"no zip")
    with pytest.raises(RetryableError, match=r"b0001\.zip"):
        bag_of(folder)
