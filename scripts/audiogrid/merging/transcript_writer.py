"""Writes transcripts so that nothing is lost that a person, or an earlier run, has put in their place."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

from audiogrid.core.atomic_files import sync_folder, write_bytes
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.written_files import WrittenFiles, read_bundle, read_written

# Part of the name of a transcript that was edited by hand: `talk.edited.txt`, `talk.edited.2.txt`.
_EDITED = "edited"
_EDITED_NAME = re.compile(rf"\.{_EDITED}(\.\d+)?\.[^.]+$")


def free_path(path: Path) -> Path:
    """Returns ``path``, or, where it is taken, the same with a number: ``talk.txt``, ``talk.2.txt``."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.stem}.{number}{path.suffix}")
    return free


def is_edited_copy(path: Path) -> bool:
    """Whether ``path`` has the name that ``TranscriptWriter`` gives to a file edited by hand."""
    return _EDITED_NAME.search(path.name) is not None


def _hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class TranscriptWriter:
    """Writes files under ``transcripts/`` and remembers them.

    A file whose contents the run did not write is kept: beside the new one, as ``<recording>.edited.<format>``, or in
    ``superseded/`` where the run cannot tell (it knows nothing of that file, or its last merge was interrupted).
    ``known``: file -> hashes of what the run wrote; ``None``: nothing is kept. ``own``: those of the bundle itself,
    which are looked at first. ``edited``: names of kept files.
    """

    def __init__(
        self,
        transcripts: Path,
        superseded: Path | None = None,
        known: Mapping[str, Sequence[str]] | None = None,
        interrupted: bool = False,
        own: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._transcripts = transcripts
        self._superseded = superseded
        self._known = known
        self._interrupted = interrupted
        self._own = own or {}
        self.hashes: dict[str, str] = {}
        self.edited: list[str] = []

    def write(self, files: Sequence[tuple[Path, str | bytes]]) -> None:
        """Write several files in parallel: syncing eight takes a file system about as long as syncing one."""
        with ThreadPoolExecutor(min(8, max(1, len(files)))) as pool:
            for _ in pool.map(lambda file: self._write(*file), files):
                pass

    def hash_of(self, path: Path) -> str:
        """Returns the SHA-256 of a file that was written."""
        return self.hashes[path.relative_to(self._transcripts).as_posix()]

    def file_of(self, path: Path, sha256: str) -> dict[str, str]:
        """Returns what ``merged/<bundle>.json`` says of a file."""
        return {"path": str(path), "sha256": sha256}

    def _write(self, path: Path, content: str | bytes) -> None:
        data = content if isinstance(content, bytes) else content.encode()
        name = path.relative_to(self._transcripts).as_posix()
        self.hashes[name] = hashlib.sha256(data).hexdigest()
        try:
            present = path.read_bytes()
        except OSError:
            present = None
        # A file that holds the same bytes already is left alone.
        if present != data:
            if present is not None:
                self._keep(path, name, hashlib.sha256(present).hexdigest())
            write_bytes(path, data)

    def place(self, path: Path, made: Path) -> None:
        """Move a finished file, which lies in the same file system, to where ``write`` would have written it."""
        name = path.relative_to(self._transcripts).as_posix()
        self.hashes[name] = _hash_of(made)
        present = _hash_of(path) if path.is_file() else None
        if present == self.hashes[name]:
            made.unlink()
            return
        if present is not None:
            self._keep(path, name, present)
        with made.open("rb") as file:
            os.fsync(file.fileno())
        made.replace(path)
        sync_folder(path.parent)

    def is_own(self, path: Path) -> bool:
        """Whether a file is there as the run has written it."""
        name = path.relative_to(self._transcripts).as_posix()
        return path.is_file() and self._is_known(name, _hash_of(path))

    def _is_known(self, name: str, found: str) -> bool:
        return self._known is None or found in self._own.get(name, ()) or found in self._known.get(name, ())

    def _keep(self, path: Path, name: str, found: str) -> None:
        """Move a file away unless the run has written it. ``found``: its hash."""
        if self._known is None or self._is_known(name, found):
            return
        if name in self._known and not self._interrupted:
            kept = free_path(path.with_name(f"{path.stem}.{_EDITED}{path.suffix}"))
            path.rename(kept)
            self.edited.append(kept.relative_to(self._transcripts).as_posix())
        else:
            self.supersede(path)

    def supersede(self, path: Path) -> None:
        """Move a file to ``superseded/``, or delete it where nothing is kept."""
        if self._superseded is None:
            path.unlink()
            return
        target = free_path(self._superseded / path.relative_to(self._transcripts))
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)


def open_writer(folder: RunFolder, bundle: str) -> tuple[TranscriptWriter, WrittenFiles]:
    """Returns a writer for the transcripts of a bundle and the list of what was written before.

    The list is marked as incomplete until ``WrittenFiles.merged`` is written.
    """
    before = read_bundle(folder, bundle) or WrittenFiles(bundle)
    known = _KnownFiles(folder, before)
    own = {name: file.hashes for name, file in before.files.items()}
    WrittenFiles(bundle, False, before.files).write(folder)
    return TranscriptWriter(folder.transcripts, folder.superseded, known, not before.complete, own), before


class _KnownFiles(Mapping[str, Sequence[str]]):
    """What all bundles of a run have written: file -> hashes.

    Their lists are read when first asked for. A recording seldom moves to another bundle, and to read the lists of
    all bundles for each of them would take a time that grows with the square of their number.
    """

    def __init__(self, folder: RunFolder, own: WrittenFiles) -> None:
        self._folder = folder
        self._own_list = own

    @cached_property
    def _all(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        lists = {**read_written(self._folder), self._own_list.bundle: self._own_list}
        for written in lists.values():
            for name, file in written.files.items():
                found.setdefault(name, []).extend(file.hashes)
        return found

    def __getitem__(self, name: str) -> Sequence[str]:
        return self._all[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)
