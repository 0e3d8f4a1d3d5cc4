"""Finds the voice vectors that a run has put into the store, so that they can be removed."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from audiogrid.records.embedded_chunks import embedded_facts
from audiogrid.records.linked_voices import OWN_FILE, linked_file, read_linked
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.store import VoiceStore


def voice_files(run: RunFolder, store: Path, recordings: Collection[str] = ()) -> list[Path]:
    """Returns the files with voice vectors of a run, or of some of its recordings only, wherever they lie."""
    keys = {
        facts.keys[chunk.chunk]
        for facts in embedded_facts(run)
        for chunk in facts.chunks
        if chunk.chunk in facts.keys and (not recordings or chunk.recording in recordings)
    }
    stores = [VoiceStore(root) for root in (store, run.own_store)]
    return [path for key in sorted(keys) for one in stores if (path := one.path(key)).is_file()]


def linked_vectors(run: RunFolder, speakers: Any, recordings: Collection[str] = (), *, remove: bool = False) -> int:
    """Returns how many vectors of a run, or of some of its recordings only, lie in its file of linked voices.

    ``speakers``: the key of its configuration. With ``remove`` they are removed; the file goes with the last of them.
    """
    path = linked_file(speakers, run) or run.root / OWN_FILE
    known = read_linked(path)
    found = known.forget(run.root.name, recordings)
    if remove and found:
        if known.voices:
            known.write(path)
        else:
            path.unlink()
    return found


def forget_voices(run: RunFolder, files: Collection[Path]) -> None:
    """Remove files with voice vectors, and the reports that say that they are there."""
    for path in files:
        path.unlink(missing_ok=True)
    for path in run.voices.glob("*.json"):
        path.unlink()
