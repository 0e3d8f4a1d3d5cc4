"""The command `audiogrid search`: which runs it reads, and what it says."""

from __future__ import annotations

import json

import pytest

from audiogrid.cli.command import parser_of
from audiogrid.cli.search import COMMAND
from audiogrid.core.errors import InputError
from audiogrid.searching.index_files import part_file
from search_indexes import document, write_search


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Two runs in `results`; a folder of recordings beside them has the name of one."""
    monkeypatch.chdir(tmp_path)
    for name in ("talks", "notes"):
        root = tmp_path / "results" / name
        write_search(root, [document(f"{name}_1", ["some words here"], language="en", date="2024-05-01")])
        (root / "run_config.yaml").touch()
    (tmp_path / "results" / "store").mkdir()
    (tmp_path / "talks").mkdir()
    return tmp_path


@pytest.fixture
def search(capsys):
    def call(*arguments):
        COMMAND.run(parser_of("search", COMMAND).parse_intermixed_args(arguments), [])
        said = capsys.readouterr()
        return said.out.splitlines(), said.err

    return call


def test_several_runs_are_searched_and_what_is_no_run_is_passed_over(search):
    wanted = [f"{name}/{name}_1  0:00  some words here" for name in ("talks", "notes")]
    assert search("words", "talks", "notes", "results/store") == (wanted, "")
    assert search("words", "talks", "notes", "--limit=1")[0] == wanted[:1]
    (line,), _ = search("words", "talks", "--json")
    assert json.loads(line)["run"] == "talks"


def test_an_index_that_cannot_be_used_stops_no_other_run(search, folder):
    path = part_file(folder / "results" / "talks" / "search" / "made", "index")
    path.write_text(path.read_text().replace('"version":1', '"version":99'))
    found, warning = search("words", "talks", "notes")
    assert len(found) == 1 and "another version" in warning and "search.html and run" in warning
    path.unlink()
    with pytest.raises(InputError, match=r"delete .*search and .*search\.html and run the same command again"):
        search("words", "talks")


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["...", "talks"], "nothing to search for"),
        (["words", "results/store", "results"], "is a run that can be searched"),
        (["words", "nothere", "talks"], "no run 'nothere'"),
        (["words", "talks", "--since=yesterday"], "--since: 'yesterday' is no date"),
        (["words", "talks", "--until=2024-5"], "--until: '2024-5' is no date"),
        (["words", "talks", "--language=klingon"], "--language: 'klingon' is not a language"),
        (["words", "talks", "--limit=-1"], "--limit"),
    ],
)
def test_what_cannot_be_meant_is_a_sentence(search, arguments, wanted):
    with pytest.raises(InputError, match=wanted):
        search(*arguments)


def test_filters_are_understood_as_tables_write_them(search):
    assert len(search("words", "talks", "--language=English", "--since=2024-05", "--until=2024")[0]) == 1
    assert search("words", "talks", "--language=fr") == ([], "nothing found\n")
