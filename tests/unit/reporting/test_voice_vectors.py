"""Voice vectors of a run are found and removed, those of others are not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from audiogrid.records.run_folder import RunFolder
from audiogrid.records.store import VoiceStore
from audiogrid.records.voices import ChunkVoices
from audiogrid.reporting.voice_vectors import forget_voices, voice_files


def key(character: str) -> str:
    return character * 64


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "results" / "x")
    facts = {
        "chunks": [{"chunk": "a.0000", "recording": "a"}, {"chunk": "b.0000", "recording": "b"}],
        "keys": {"a.0000": key("0"), "b.0000": key("1")},
    }
    folder.voices.mkdir(parents=True)
    (folder.voices / "s0001.json").write_text(json.dumps({"facts": facts}))
    failed = {"chunks": [{"chunk": "c.0000", "recording": "c"}], "keys": {"c.0000": key("2")}}
    folder.voices_journal.mkdir(parents=True)
    (folder.voices_journal / "s0002.host.1.jsonl").write_text(
        json.dumps({"event": "begin", "at": 1.0, "facts": failed})
    )
    store = VoiceStore(tmp_path / "store")
    for character in "0123":
        store.put(key(character), ChunkVoices(1, []), {})
    return folder


def names(files: list[Path]) -> list[str]:
    return [path.stem[0] for path in files]


def test_all_of_a_run_also_what_failed_jobs_finished(run: RunFolder, tmp_path: Path) -> None:
    assert names(voice_files(run, tmp_path / "store")) == ["0", "1", "2"]


def test_only_what_is_asked_for_goes(run: RunFolder, tmp_path: Path) -> None:
    files = voice_files(run, tmp_path / "store", ["b"])
    assert names(files) == ["1"]
    forget_voices(run, files)
    assert sorted(path.stem[0] for path in (tmp_path / "store").glob("??/*.json")) == ["0", "2", "3"]
    # The next run that asks for speakers finds out that something is missing.
    assert not list(run.voices.iterdir())


def test_a_run_without_speakers_has_none(tmp_path: Path) -> None:
    assert voice_files(RunFolder(tmp_path / "y"), tmp_path / "store") == []
