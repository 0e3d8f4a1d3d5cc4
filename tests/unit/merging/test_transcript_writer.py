"""Transcripts wait for each other, and what a person saved meanwhile is kept."""

from pathlib import Path

import pytest

from audiogrid.merging import transcript_writer
from audiogrid.merging.transcript_writer import TranscriptWriter


def test_files_are_written_many_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[int] = []
    monkeypatch.setattr(transcript_writer, "write_many", lambda files, *_: batches.append(len(files)))
    writer = TranscriptWriter(tmp_path)
    for number in range(1000):
        writer.write([(tmp_path / f"{number}.{kind}", "x") for kind in ("txt", "json")])
    writer.flush()
    assert sum(batches) == 2000
    assert len(batches) < 20


def test_long_transcripts_do_not_pile_up_in_memory(tmp_path: Path) -> None:
    writer = TranscriptWriter(tmp_path)
    for number in range(3):
        writer.write([(tmp_path / f"{number}.json", b"x" * 5_000_000)])
        assert (tmp_path / f"{number}.json").exists()


def test_an_edit_between_writing_and_flushing_is_kept(tmp_path: Path) -> None:
    before = TranscriptWriter(tmp_path)
    before.write([(tmp_path / "talk.txt", "first")])
    before.flush()
    writer = TranscriptWriter(tmp_path, tmp_path / "superseded", {"talk.txt": [before.hashes["talk.txt"]]})
    writer.write([(tmp_path / "talk.txt", "second")])
    (tmp_path / "talk.txt").write_text("by hand")
    writer.flush()
    assert (tmp_path / "talk.txt").read_text() == "second"
    assert (tmp_path / "talk.edited.txt").read_text() == "by hand"
    assert writer.edited == ["talk.edited.txt"]


def test_the_recording_of_each_file_is_known(tmp_path: Path) -> None:
    writer = TranscriptWriter(tmp_path)
    for name in ("a", "b"):
        writer.recording = name
        writer.write([(tmp_path / f"{name}.txt", "x")])
    assert writer.owners == {"a.txt": "a", "b.txt": "b"}
