"""Writes transcripts so that nothing is lost that a person, or an earlier run, has put in their place."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from audiogrid.core.atomic_files import sync_folder, write_many
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.written_files import WrittenFiles, read_bundle, read_written

# Files wait for each other until there are so many, or so many bytes.
_FILES_AT_ONCE = 256
_BYTES_AT_ONCE = 4_000_000
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


def _contents(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class TranscriptWriter:
    """Writes files under ``transcripts/`` and remembers them.

    A file whose contents the run did not write is kept: beside the new one, as ``<recording>.edited.<format>``, or in
    ``superseded/`` where the run cannot tell (it knows nothing of that file, or its last merge was interrupted).
    ``known``: file -> hashes of what the run wrote; ``None``: nothing is kept. ``own``: those of the bundle itself,
    which are looked at first. ``recording``: the one that is written next; ``owners``: file -> recording, empty for
    a file of several. ``edited``: names of kept files. ``prepared``: a folder for what is not yet in its place, which
    no other writer may use.
    """

    def __init__(
        self,
        transcripts: Path,
        superseded: Path | None = None,
        known: Mapping[str, Sequence[str]] | None = None,
        interrupted: bool = False,
        own: Mapping[str, Sequence[str]] | None = None,
        prepared: str = ".tmp-transcripts",
    ) -> None:
        self._transcripts = transcripts
        self._superseded = superseded
        self._known = known
        self._interrupted = interrupted
        self._own = own or {}
        self.recording = ""
        self.hashes: dict[str, str] = {}
        self.owners: dict[str, str] = {}
        self.edited: list[str] = []
        self._waiting: dict[Path, bytes] = {}
        self._prepared = transcripts / prepared

    def write(self, files: Sequence[tuple[Path, str | bytes]]) -> None:
        """Take several files, which are in their places after ``flush`` at the latest."""
        for path, content in files:
            data = content if isinstance(content, bytes) else content.encode()
            name = self._name(path)
            self.hashes[name] = hashlib.sha256(data).hexdigest()
            self.owners[name] = self.recording
            self._waiting[path] = data
        if len(self._waiting) > _FILES_AT_ONCE or sum(map(len, self._waiting.values())) > _BYTES_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Write what ``write`` has taken. Files that hold the same bytes already are left alone."""
        found = {path: _contents(path) for path in self._waiting}
        changed = [(path, data) for path, data in self._waiting.items() if found[path] != data]

        def keep(path: Path) -> None:
            # Not what was found above, which a person may have saved anew since.
            present = _contents(path)
            if present is not None:
                self._keep(path, self._name(path), hashlib.sha256(present).hexdigest())

        if changed:
            write_many(changed, self._prepared, keep)
        self._waiting.clear()

    def hash_of(self, path: Path) -> str:
        """Returns the SHA-256 of a file that was written."""
        return self.hashes[self._name(path)]

    def file_of(self, path: Path, sha256: str) -> dict[str, str]:
        """Returns what ``merged/<bundle>.json`` says of a file."""
        return {"path": str(path), "sha256": sha256}

    def place(self, path: Path, made: Path) -> None:
        """Move a finished file, which lies in the same file system, to where ``write`` would have written it."""
        name = self._name(path)
        self.hashes[name] = _hash_of(made)
        self.owners[name] = ""
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
        return path.is_file() and self._is_known(self._name(path), _hash_of(path))

    def _name(self, path: Path) -> str:
        return path.relative_to(self._transcripts).as_posix()

    def _is_known(self, name: str, found: str) -> bool:
        return self._known is None or found in self._own.get(name, ()) or found in self._known.get(name, ())

    def _keep(self, path: Path, name: str, found: str) -> None:
        """Move a file away unless the run has written it. ``found``: its hash."""
        if self._known is None or self._is_known(name, found):
            return
        if name in self._known and not self._interrupted:
            kept = free_path(path.with_name(f"{path.stem}.{_EDITED}{path.suffix}"))
            path.rename(kept)
            self.edited.append(self._name(kept))
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
    # No two jobs merge a bundle at the same time. What a killed one has left is removed.
    prepared = f".tmp-{bundle}"
    shutil.rmtree(folder.transcripts / prepared, ignore_errors=True)
    return TranscriptWriter(folder.transcripts, folder.superseded, known, not before.complete, own, prepared), before


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
