"""Finds the voice vectors that a run has put into the store, so that they can be removed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from audiogrid.core.json_values import from_json
from audiogrid.records.chunks import ShardFacts
from audiogrid.records.finished_shard import FinishedShard
from audiogrid.records.journal import read_entries
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.store import VoiceStore


def _facts(run: RunFolder) -> Iterator[ShardFacts]:
    """Yields what the run's ``embed`` jobs noted of their chunks, also jobs that failed."""
    for path in sorted(run.voices_journal.glob("*.jsonl")):
        for entry in read_entries(path):
            if entry.get("event") == "begin":
                yield from_json(ShardFacts, entry["facts"])
    for path in sorted(run.voices.glob("*.json")):
        try:
            yield FinishedShard.read(path).facts
        except (OSError, ValueError):
            continue


def voice_files(run: RunFolder, store: Path, recordings: Collection[str] = ()) -> list[Path]:
    """Returns the files with voice vectors of a run, or of some of its recordings only, wherever they lie."""
    keys = {
        facts.keys[chunk.chunk]
        for facts in _facts(run)
        for chunk in facts.chunks
        if chunk.chunk in facts.keys and (not recordings or chunk.recording in recordings)
    }
    stores = [VoiceStore(root) for root in (store, run.own_store)]
    return [path for key in sorted(keys) for one in stores if (path := one.path(key)).is_file()]


def forget_voices(run: RunFolder, files: Collection[Path]) -> None:
    """Remove files with voice vectors, and the reports that say that they are there."""
    for path in files:
        path.unlink(missing_ok=True)
    for path in run.voices.glob("*.json"):
        path.unlink()
