"""Transcripts of a bundle in one zip, which a run with `pack: true` writes: what is in them, and how it is read."""

from __future__ import annotations

import json
import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import IO, Any

from audiogrid.core.atomic_files import read_json

MEMBER = "member"
"""In a file of ``merged/<bundle>.json``: its name within the zip that ``path`` names."""

_NAME = re.compile(r"b\d+\.zip")


def pack_of(transcripts: Path, bundle: str) -> Path:
    """Returns the zip of a bundle."""
    return transcripts / f"{bundle}.zip"


def packs(transcripts: Path) -> Iterator[Path]:
    """Yields the zips of a run in the order of their names; none where there are no transcripts."""
    try:
        names = sorted(path.name for path in transcripts.iterdir() if _NAME.fullmatch(path.name))
    except OSError:
        names = []
    for name in names:
        yield transcripts / name


def unpacked_name(file: Mapping[str, str]) -> str:
    """Returns where a file of ``merged/<bundle>.json`` is once its zip is unpacked into a folder of the zip's name.

    A file that is not packed stays where it is.
    """
    return f"{file['path'].removesuffix('.zip')}/{file[MEMBER]}" if MEMBER in file else file["path"]


@dataclass(frozen=True)
class PackedFile:
    """A file in a zip, which is read like any other. Its size and time are those of the zip."""

    pack: Path
    member: str

    def __str__(self) -> str:
        """Returns zip and file, as a person writes them."""
        return f"{self.pack}, {self.member}"

    def stat(self) -> os.stat_result:
        """Returns what is known of the zip."""
        return self.pack.stat()

    def open(self, mode: str = "rb") -> IO[bytes]:
        """Opens the file for reading. Raises ``OSError`` where it cannot be read."""
        try:
            return _opened(self.pack, self.stat().st_mtime_ns).open(self.member)
        except (zipfile.BadZipFile, KeyError) as error:
            raise OSError(f"{self}: {error}") from error


def unpacked(pack: Path) -> Iterator[tuple[str, PackedFile]]:
    """Yields the files of a zip with their names below a folder of the zip's name.

    Left out are names that lead out of it, which a person may have put there. Raises ``OSError`` where it cannot be
    read.
    """
    try:
        names = _opened(pack, pack.stat().st_mtime_ns).namelist()
    except zipfile.BadZipFile as error:
        raise OSError(f"{pack}: {error}") from error
    for name in dict.fromkeys(names):
        path = PurePosixPath(name)
        if not (name.endswith("/") or path.is_absolute() or ".." in path.parts or "\\" in name):
            yield f"{pack.stem}/{path}", PackedFile(pack, name)


def read_transcript(root: Path, file: Mapping[str, str]) -> Any:
    """Returns the JSON transcript that ``merged/<bundle>.json`` names, packed or not. ``root``: the run's folder.

    Raises ``OSError``, and ``ValueError`` where it is damaged.
    """
    path = root / file["path"]
    return json.loads(_member(path, file[MEMBER])) if MEMBER in file else read_json(path)


def find_packed(transcripts: Path, name: str) -> bytes | None:
    """Returns a file of a transcript, such as ``talk.json``, from the zip that holds it; ``None`` where none does.

    Of several the one of the latest bundle counts: a recording that has changed is in a new one. Raises ``OSError``,
    and ``ValueError`` where it is damaged.
    """
    for path in reversed(list(packs(transcripts))):
        if name in _names(path, path.stat().st_mtime_ns):
            return _member(path, name)
    return None


def read_beside_or_packed(path: Path, transcripts: Path) -> Any:
    """Returns the JSON transcript at ``path`` or, where there is no such file, of that name in a zip.

    Raises ``OSError`` where there is none, and ``ValueError`` where it is damaged.
    """
    packed = None if path.is_file() else find_packed(transcripts, path.name)
    return read_json(path) if packed is None else json.loads(packed)


def packed_names(transcripts: Path) -> list[str]:
    """Returns the names of all files in zips, each once."""
    return sorted({name for path in packs(transcripts) for name in _names(path, path.stat().st_mtime_ns)})


# All that a run of a million recordings has.
@lru_cache(maxsize=10_000)
def _names(path: Path, changed: int) -> frozenset[str]:
    try:
        with zipfile.ZipFile(path) as pack:
            return frozenset(pack.namelist())
    except (OSError, zipfile.BadZipFile):
        return frozenset()


# To read the list of names again for each file would take a time that grows with the square of their number.
@lru_cache(maxsize=2)
def _opened(path: Path, changed: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


def _member(path: Path, name: str) -> bytes:
    try:
        return _opened(path, path.stat().st_mtime_ns).read(name)
    except (zipfile.BadZipFile, KeyError, zlib.error) as error:
        raise ValueError(f"{path}, {name}: {error}") from error
