"""Which bags a run has written, and what each file of them was made from.

``results/<run>/.state/bags/<hash of the bag's place>.json``: it tells which folders a later call may replace, which
files need not be copied again, and whether a bag is older than the results.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from audiogrid.core.atomic_files import write_json
from audiogrid.core.json_values import read_document, to_json
from audiogrid.records.run_folder import RunFolder

SCHEMA = 1
#: Below it lies what a bag is about; the files beside it describe the bag.
PAYLOAD = "data/"
# Copied files that are no results.
_OTHERS = (f"{PAYLOAD}recordings/", f"{PAYLOAD}workflow/")
# Transcripts that the run has in a zip per bundle. (Folders of transcripts have two hexadecimal digits as names.)
_PACKED = re.compile(rf"^({PAYLOAD}transcripts/b\d{{4,}})/.+", re.DOTALL)


@dataclass(frozen=True)
class Packed:
    """A file of a bag. ``hashes``: algorithm -> checksum. ``source``: path, size and time of what it was copied from.

    ``mtime_ns``: of the file in the bag, by which a later call sees that nobody has changed it.
    """

    size: int
    hashes: dict[str, str]
    source: tuple[str, int, int] | None = None
    mtime_ns: int = 0


@dataclass(frozen=True)
class PlacedBag:
    """What audiogrid wrote at ``target``. ``files``: of the newest bag; ``hashed``: recordings that were only read.
    ``wish``: what was asked for (``PublishSettings.wish``); ``origin``: a hash of all that the bag was made from.

    ``states``: fingerprints of the newest bag and those before. All are audiogrid's: a call that was killed may
    have noted the newer one and not put it in its place.
    """

    target: str = ""
    wish: str = ""
    files: dict[str, Packed] = field(default_factory=dict)
    hashed: dict[str, Packed] = field(default_factory=dict)
    states: list[str] = field(default_factory=list)
    origin: str = ""

    @property
    def facts(self) -> dict[str, tuple[int, int]]:
        """Returns size and modification time of each file of the newest bag, by name."""
        return {name: (one.size, one.mtime_ns) for name, one in self.files.items()}

    def write(self, path: Path) -> None:
        """Write the record of a bag."""
        write_json(path, {"schema": SCHEMA, **to_json(self)})


def record_path(folder: RunFolder, target: Path) -> Path:
    """Returns where the record of a run's bag at ``target`` lies.

    A bag in the run's folder is known by its place there, so that both can be moved together.
    """
    place, root = target.parent.resolve() / target.name, folder.root.resolve()
    place = place.relative_to(root) if place.is_relative_to(root) else place
    name = hashlib.sha256(os.fsencode(place)).hexdigest()[:16]
    return folder.root / ".state" / "bags" / f"{name}.json"


def read_record(path: Path) -> PlacedBag:
    """Returns the record of a bag; an empty one where there is none, or none that can be read."""
    try:
        return read_document(PlacedBag, path)
    except (OSError, ValueError):
        return PlacedBag()


def is_listable(name: str) -> bool:
    """Whether a file of this name can be in a bag that every program reads.

    RFC 8493 encodes line breaks and the percent sign in lists; bagit-python 1.9 does not decode the latter.
    """
    return name.isprintable() and "%" not in name


def printable(path: Path | str) -> str:
    """Returns a path as text that any file can hold: bytes that are not UTF-8 are written as escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def is_current(record: PlacedBag, wish: str, results: Iterable[tuple[str, Path]]) -> bool:
    """Whether a bag holds the results of the run as they are now, and was made with the same wishes.

    ``results``: name and path of each. The configuration does not count: every start writes it anew.
    """
    if not record.files or record.wish != wish:
        return False
    taken = {
        _PACKED.sub(r"\1.zip", name): one.source[1:]
        for name, one in record.files.items()
        if one.source and not name.startswith(_OTHERS)
    }
    now = {}
    for name, path in results:
        if is_listable(name):
            status = path.stat()
            now[PAYLOAD + name] = (status.st_size, status.st_mtime_ns)
    uncounted = {f"{PAYLOAD}run_config.yaml"}
    return all(taken.get(name) == now.get(name) for name in (taken.keys() | now.keys()) - uncounted)


def bag_files(bag: Path) -> list[list[tuple[str, Path]]]:
    """Returns the files of a bag by name, in the order in which they must appear somewhere else.

    First what it holds, then the lists with checksums, at last the file that makes the folder a bag.
    """
    names = sorted(path.relative_to(bag).as_posix() for path in bag.rglob("*") if path.is_file())
    last = [name for name in names if name == "bagit.txt"]
    held = [name for name in names if name.startswith(PAYLOAD)]
    lists = [name for name in names if name not in {*held, *last}]
    return [[(name, bag / name) for name in part] for part in (held, lists, last)]
