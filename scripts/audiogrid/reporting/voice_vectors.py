"""Finds the voice vectors that a run has put into the store, so that they can be removed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from audiogrid.core.atomic_files import read_json
from audiogrid.records.journal import read_entries
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.store import VoiceStore


def _facts(run: RunFolder) -> Iterator[dict[str, Any]]:
    """Yields what the run's ``embed`` jobs noted of their chunks, also jobs that failed."""
    for path in sorted(run.voices_journal.glob("*.jsonl")):
        for entry in read_entries(path):
            if entry.get("event") == "begin":
                yield entry["facts"]
    for path in sorted(run.voices.glob("*.json")):
        try:
            yield read_json(path)["facts"]
        except (OSError, ValueError, KeyError):
            continue


def voice_files(run: RunFolder, store: Path, recordings: Collection[str] = ()) -> list[Path]:
    """Returns the files with voice vectors of a run, or of some of its recordings only, wherever they lie."""
    keys = {
        facts["keys"][chunk["chunk"]]
        for facts in _facts(run)
        for chunk in facts["chunks"]
        if chunk["chunk"] in facts["keys"] and (not recordings or chunk["recording"] in recordings)
    }
    stores = [VoiceStore(root) for root in (store, run.own_store)]
    return [path for key in sorted(keys) for one in stores if (path := one.path(key)).is_file()]


def forget_voices(run: RunFolder, files: Collection[Path]) -> None:
    """Remove files with voice vectors, and the reports that say that they are there."""
    for path in files:
        path.unlink(missing_ok=True)
    for path in run.voices.glob("*.json"):
        path.unlink()
