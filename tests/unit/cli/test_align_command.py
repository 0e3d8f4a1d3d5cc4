"""``audiogrid align``: one recording, its text, and the run that both belong to."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from audiogrid.cli.run import write_align_table
from audiogrid.core.errors import InputError


def align(recording: str, text: str, run: str = "") -> tuple[Path, str]:
    return write_align_table(argparse.Namespace(recording=recording, text=text, run=run), Path("results"))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two recordings of one name, and a text."""
    monkeypatch.chdir(tmp_path)
    for name in ("talk.mp4", "talk.wav", "script.txt"):
        (tmp_path / name).write_text("")
    return tmp_path


def test_the_same_command_goes_on_with_its_run(here: Path) -> None:
    table, name = align("talk.mp4", "script.txt")
    assert name == "talk"
    assert table.read_text() == f"path\ttext\n{here / 'talk.mp4'}\t{here / 'script.txt'}\n"
    # As the workflow leaves it.
    (table.parent / "run_config.yaml").write_text(f"config: {{recordings: {table.absolute()}}}\n")
    assert align("talk.mp4", "script.txt") == (table, name)
    # Another text of the same recording, too.
    (here / "better.txt").write_text("")
    assert align(str(here / "talk.mp4"), "better.txt") == (table, name)
    assert "better.txt" in table.read_text()


def test_other_recordings_have_other_runs(here: Path) -> None:
    first, _ = align("talk.mp4", "script.txt")
    second, name = align("talk.wav", "script.txt")
    assert name.startswith("talk-")
    assert align("talk.wav", "script.txt") == (second, name)
    assert "talk.mp4" in first.read_text()
    assert "talk.wav" in second.read_text()
    # A run that transcribes is not taken over.
    (here / "lecture.mp3").write_text("")
    (here / "results" / "lecture").mkdir()
    (here / "results" / "lecture" / "run_config.yaml").write_text("config: {recordings: lecture}\n")
    assert align("lecture.mp3", "script.txt")[1].startswith("lecture-")
    assert align("lecture.mp3", "script.txt", run="mine")[1] == "mine"
    assert align("https://example.org/a/song.mp3?x=1", "script.txt")[1].startswith("song")


def test_files_that_do_not_exist_are_named(here: Path) -> None:
    with pytest.raises(InputError, match=r"the text no\.txt does not exist"):
        align("talk.mp4", "no.txt")
    with pytest.raises(InputError, match=r"no\.mp4 does not exist"):
        align("no.mp4", "script.txt")
    assert not (here / "results").exists()
