"""Writes the transcripts of a bundle into one zip, so that a recording costs no file of its own."""

from __future__ import annotations

import hashlib
import secrets
import zipfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from audiogrid.export.packs import MEMBER, pack_of
from audiogrid.merging.transcript_writer import TranscriptWriter
from audiogrid.records.run_folder import is_sub_folder

# The same contents give the same bytes, whenever they are written.
_EPOCH = (1980, 1, 1, 0, 0, 0)


class PackWriter:
    """Takes transcripts as ``TranscriptWriter`` does, which in the end puts the zip into its place.

    So a zip that the run did not write is kept as a single transcript would be. A context manager: where it is left
    by an exception, nothing has changed. ``recording``: the one that is written next.
    """

    def __init__(self, writer: TranscriptWriter, transcripts: Path, bundle: str) -> None:
        self.recording = ""
        self.holds: list[str] = []
        self._writer = writer
        self._transcripts = transcripts
        self._pack = pack_of(transcripts, bundle)
        self._hashes: dict[str, str] = {}
        transcripts.mkdir(parents=True, exist_ok=True)
        # What a killed merge of this bundle has left; no two run at the same time.
        for old in transcripts.glob(f".tmp-{bundle}-*"):
            old.unlink(missing_ok=True)
        self._made = transcripts / f".tmp-{bundle}-{secrets.token_hex(4)}"
        self._zip = zipfile.ZipFile(self._made, "w", zipfile.ZIP_DEFLATED)

    def __enter__(self) -> PackWriter:
        """Returns the writer itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Remove what was not finished."""
        if self._zip.fp is not None:
            # After a disk is full the directory of the zip cannot be written, either.
            with suppress(OSError, ValueError):
                self._zip.close()
        self._made.unlink(missing_ok=True)

    def write(self, files: Sequence[tuple[Path, str | bytes]]) -> None:
        """Add files of the present recording."""
        for path, content in files:
            name = self._name(path)
            data = content if isinstance(content, bytes) else content.encode()
            self._add(name, data, self.recording)
            self._hashes[name] = hashlib.sha256(data).hexdigest()

    def hash_of(self, path: Path) -> str:
        """Returns the SHA-256 of a file that was added."""
        return self._hashes[self._name(path)]

    def file_of(self, path: Path, sha256: str) -> dict[str, str]:
        """Returns what ``merged/<bundle>.json`` says of a file. The path is that of the zip."""
        return {"path": str(self._pack), MEMBER: self._name(path), "sha256": sha256}

    def supersede(self, path: Path) -> None:
        """Move away a file beside the zip."""
        self._writer.supersede(path)

    def finish(self, recordings: Iterable[str]) -> None:
        """Put the zip into its place. ``recordings``: those of the bundle.

        One that has failed this time keeps the transcripts that it has in the zip before, unless a person changed it.
        """
        failed = set(recordings) - set(self.holds)
        if failed and self._writer.is_own(self._pack):
            self._take_over(failed)
        self._zip.close()
        if self.holds:
            self._writer.place(self._pack, self._made)

    def _take_over(self, recordings: set[str]) -> None:
        with suppress(OSError, zipfile.BadZipFile), zipfile.ZipFile(self._pack) as before:
            for entry in before.infolist():
                recording = entry.comment.decode()
                if recording in recordings:
                    self._add(entry.filename, before.read(entry), recording)

    def _add(self, name: str, data: bytes, recording: str) -> None:
        entry = zipfile.ZipInfo(name, _EPOCH)
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.external_attr = 0o644 << 16
        # Ids may hold dots, so that a name does not say whose it is.
        entry.comment = recording.encode()
        self._zip.writestr(entry, data)
        if recording not in self.holds[-1:]:
            self.holds.append(recording)

    def _name(self, path: Path) -> str:
        parts = path.relative_to(self._transcripts).parts
        return "/".join(parts[1:] if len(parts) > 1 and is_sub_folder(parts[0]) else parts)
