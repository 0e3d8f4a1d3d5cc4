"""Writes a bag (BagIt 1.0, RFC 8493): files with checksums in a folder that appears whole or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

from audiogrid.core.errors import RetryableError
from audiogrid.export.packs import PackedFile
from audiogrid.media.file_parts import MediaFile
from audiogrid.records.bags import PAYLOAD, Packed, printable

Source = MediaFile | PackedFile
"""What a file of a bag can be copied from."""

#: RFC 8493 asks creators for SHA-512 unless told otherwise; SHA-256 is what transcripts are listed with elsewhere.
ALGORITHMS = ("sha256", "sha512")
_BLOCK = 1 << 20
_TAG_FILES = ("bagit.txt", "bag-info.txt", *(f"manifest-{name}.txt" for name in ALGORITHMS))


@dataclass
class BagWriter:
    """Collects the files of a bag in ``folder``, which must not exist yet. ``files``: name below the bag -> facts.

    ``known``: facts of an earlier bag in ``earlier``: a file that has not changed since is linked from there, not
    read again.
    """

    folder: Path
    known: Mapping[str, Packed] = field(default_factory=dict)
    earlier: Path | None = None
    files: dict[str, Packed] = field(default_factory=dict)
    reused: int = 0

    def copy(
        self, name: str, source: Source, identity: str = "", change: Callable[[bytes], bytes] | None = None
    ) -> Packed:
        """Copy a file to ``data/<name>``; its checksums are taken on the way.

        ``identity``: its path or address, by which it is known again (default: as ``source`` is written), with what
        else the copy depends on. ``change``: returns the bytes of the copy from those of the file.
        Raises ``OSError``, and ``RetryableError`` if the file was written meanwhile.
        """
        came_from = facts_of(source, identity)
        path = f"{PAYLOAD}{name}"
        if not self._reuse(path, came_from):
            with source.open("rb") as file:
                blocks = _blocks(cast(BinaryIO, file))
                self._store(path, blocks if change is None else [change(b"".join(blocks))], came_from)
            if facts_of(source, identity) != came_from:
                raise RetryableError(f"{source} was written while it was packed: try again")
        return self.files[path]

    def write(self, name: str, data: bytes) -> Packed:
        """Write ``data/<name>``."""
        return self._store(f"{PAYLOAD}{name}", [data])

    def finish(self, info: Iterable[tuple[str, str]]) -> None:
        """Write what makes a folder a bag. ``info``: fields of ``bag-info.txt``, in order."""
        payload = sorted(self.files.items())
        size = sum(one.size for _, one in payload)
        lines = [*info, ("Payload-Oxum", f"{size}.{len(payload)}")]
        texts = {
            "bagit.txt": "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
            "bag-info.txt": "".join(f"{name}: {value}\n" for name, value in lines),
        }
        for algorithm in ALGORITHMS:
            rows = (f"{one.hashes[algorithm]}  {name}\n" for name, one in payload)
            texts[f"manifest-{algorithm}.txt"] = "".join(rows)
        tags = {name: self._store(name, [texts[name].encode()]) for name in _TAG_FILES}
        for algorithm in ALGORITHMS:
            rows = (f"{tags[name].hashes[algorithm]}  {name}\n" for name in sorted(tags))
            self._store(f"tagmanifest-{algorithm}.txt", ["".join(rows).encode()])

    def _reuse(self, name: str, came_from: tuple[str, int, int]) -> bool:
        """Link a file of the earlier bag that neither its source nor anybody in the bag has changed since."""
        known = self.known.get(name)
        if self.earlier is None or known is None or known.source != came_from:
            return False
        old, new = self.earlier / name, self.folder / name
        try:
            status = old.stat()
            if (status.st_size, status.st_mtime_ns) != (known.size, known.mtime_ns) or old.is_symlink():
                return False
            new.parent.mkdir(parents=True, exist_ok=True)
            new.hardlink_to(old)
        except OSError:
            # It is gone, or this file system has no links.
            return False
        self.files[name] = known
        self.reused += 1
        return True

    def _store(self, name: str, blocks: Iterable[bytes], came_from: tuple[str, int, int] | None = None) -> Packed:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as target:
            size, hashes = _tally(blocks, target)
        self.files[name] = Packed(size, hashes, came_from, path.stat().st_mtime_ns)
        return self.files[name]


def facts_of(source: Source, identity: str = "") -> tuple[str, int, int]:
    """Returns path, size and modification time of a file: they tell whether it is still the same."""
    status = source.stat()
    return printable(identity or str(source)), int(status.st_size), int(status.st_mtime_ns)


def checksums(source: Source, identity: str) -> Packed:
    """Returns size and checksums of a file that is not copied. Raises ``OSError``."""
    came_from = facts_of(source, identity)
    with source.open("rb") as file:
        size, hashes = _tally(_blocks(cast(BinaryIO, file)), None)
    return Packed(size, hashes, came_from)


def _blocks(file: BinaryIO) -> Iterable[bytes]:
    while block := file.read(_BLOCK):
        yield block


def _tally(blocks: Iterable[bytes], target: BinaryIO | None) -> tuple[int, dict[str, str]]:
    """Returns number and checksums of the bytes in ``blocks``, after writing them to ``target`` if there is one."""
    sums = {name: hashlib.new(name) for name in ALGORITHMS}
    size = 0
    for block in blocks:
        size += len(block)
        for one in sums.values():
            one.update(block)
        if target is not None:
            target.write(block)
    return size, {name: one.hexdigest() for name, one in sums.items()}
