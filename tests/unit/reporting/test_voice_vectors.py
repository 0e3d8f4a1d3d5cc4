"""Voice vectors of a run are found and removed, those of others are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from audiogrid.records.chunks import Chunk, Seam, ShardFacts
from audiogrid.records.finished_shard import FinishedShard
from audiogrid.records.journal import Journal
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.store import VoiceStore
from audiogrid.records.voices import ChunkVoices
from audiogrid.reporting.voice_vectors import forget_voices, voice_files


def key(character: str) -> str:
    return character * 64


def facts_of(**keys: str) -> ShardFacts:
    """A chunk of each recording, and the first characters of their keys."""
    edge = Seam("edge", 0, 0)
    chunks = [Chunk(f"{name}.0000", name, None, 0, 0, 1, 0, 1, edge, edge, "") for name in keys]
    return ShardFacts(chunks, {f"{name}.0000": key(character) for name, character in keys.items()})


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "results" / "x")
    folder.voices.mkdir(parents=True)
    FinishedShard("s0001", facts=facts_of(a="0", b="1")).write(folder.voices / "s0001.json")
    Journal(folder.voices_journal, "s0002", "spec").begin(facts_of(c="2"), 1)
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
