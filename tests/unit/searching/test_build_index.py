"""The index of a run in its folder: built from the parts of bundles, replaced as a whole."""

from __future__ import annotations

import pytest

from audiogrid.core.errors import InputError
from audiogrid.merging.search_part import part_path, search_lines, write_search_part
from audiogrid.records.run_folder import RunFolder
from audiogrid.searching import build_index as building
from audiogrid.searching.build_index import build_index, find_index, remove_index
from audiogrid.searching.search_index import SearchIndex
from search_indexes import document


@pytest.fixture
def folder(tmp_path):
    found = RunFolder(tmp_path / "results" / "run")
    found.merged.mkdir(parents=True)
    write(found, "b1", document("one", ["first words"]))
    write(found, "b2", document("two", ["second words"]))
    return found


def write(folder, bundle, *documents):
    write_search_part(folder, bundle, [search_lines(one, folder.root, None) for one in documents])


def recordings(folder, query="words"):
    return [hit.recording.recording for hit in SearchIndex(find_index(folder)).search(query)]


def test_a_run_has_one_index_that_follows_its_transcripts(folder):
    with pytest.raises(InputError, match="no search index"):
        find_index(folder)
    build_index(folder, ["b1", "b2", "older"])
    first = find_index(folder)
    assert recordings(folder) == ["one", "two"]
    assert f"search/{first.name}" in folder.search_page.read_text()
    before = (first / "index.js").stat().st_mtime_ns
    build_index(folder, ["b1", "b2", "older"])
    assert (first / "index.js").stat().st_mtime_ns == before
    write(folder, "b2", document("two", ["second text"]))
    build_index(folder, ["b1", "b2"])
    assert recordings(folder) == ["one"]
    assert [path.name for path in folder.search.iterdir()] == [find_index(folder).name] != [first.name]
    remove_index(folder)
    assert not folder.search_page.exists() and not folder.search.exists()


def test_building_that_fails_leaves_the_old_index(folder, monkeypatch):
    build_index(folder, ["b1", "b2"])
    before = folder.search_page.read_text()
    write(folder, "b2", document("two", ["second text"]))
    real = building.write_part_file

    def fails(target, name, value):
        if name == "index":
            raise OSError("no space left")
        real(target, name, value)

    monkeypatch.setattr(building, "write_part_file", fails)
    with pytest.raises(OSError, match="no space"):
        build_index(folder, ["b1", "b2"])
    assert folder.search_page.read_text() == before and recordings(folder) == ["one", "two"]
    assert len(list(folder.search.iterdir())) == 1


def test_what_a_killed_run_left_is_cleared_away(folder):
    left = folder.search / ".new-x" / "runs"
    left.mkdir(parents=True)
    build_index(folder, ["b1"])
    assert [path.name for path in folder.search.iterdir()] == [find_index(folder).name]


def test_a_damaged_part_says_what_to_do(folder):
    part_path(folder, "b2").write_text('{"recording')
    with pytest.raises(InputError, match=r"b2\.search\.jsonl is damaged: delete it and .*b2\.json, and run again"):
        build_index(folder, ["b1", "b2"])
    part_path(folder, "b2").write_text("[1]\n")
    with pytest.raises(InputError, match="damaged"):
        build_index(folder, ["b1", "b2"])


def test_secrets_of_an_address_are_not_in_the_index(folder):
    address = "https://user:secret@host/a%20talk.mp3?sig=topsecret"
    write(folder, "b1", document("talk", ["words"], path=address))
    build_index(folder, ["b1"])
    text = "".join(path.read_text() for path in find_index(folder).rglob("*.js"))
    assert "secret" not in text and "a%20talk.mp3" in text
