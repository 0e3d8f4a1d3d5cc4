"""Finds the voice vectors that a run has put into the store, so that they can be removed."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from audiogrid.records.embedded_chunks import embedded_facts
from audiogrid.records.linked_voices import OWN_FILE, linked_file, read_history, read_linked
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.store import VoiceStore


def voice_keys(run: RunFolder, recordings: Collection[str] = ()) -> set[str]:
    """Returns the keys of the voice vectors of a run, or of some of its recordings only."""
    return {
        facts.keys[chunk.chunk]
        for facts in embedded_facts(run)
        for chunk in facts.chunks
        if chunk.chunk in facts.keys and (not recordings or chunk.recording in recordings)
    }


def voice_files(run: RunFolder, store: Path, recordings: Collection[str] = ()) -> list[Path]:
    """Returns the files with voice vectors of a run, or of some of its recordings only, wherever they lie."""
    keys = voice_keys(run, recordings)
    stores = [VoiceStore(root) for root in (store, run.own_store)]
    return [path for key in sorted(keys) for one in stores if (path := one.path(key)).is_file()]


def linked_vectors(run: RunFolder, speakers: Any, recordings: Collection[str] = (), *, remove: bool = False) -> int:
    """Returns how many vectors of a run, or of some of its recordings only, lie in files of linked voices.

    ``speakers``: the key of its configuration. Besides the file that it names, the run's own and the one that voices
    were linked with last count: the key may have changed since. With ``remove`` the vectors are removed; a file goes
    with the last of them. Raises ``InputError`` when a file cannot be read.
    """
    history = read_history(run.link_history).file
    files = [linked_file(speakers, run), run.root / OWN_FILE, Path(history) if history else None]
    found = 0
    for path in {path.resolve(): path for path in files if path is not None}.values():
        known = read_linked(path)
        forgotten = known.forget(run.root.name, recordings)
        found += forgotten
        if remove and forgotten:
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
