"""Puts a finished folder in its place: readers see the old one or the whole new one, and nothing foreign is lost."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from audiogrid.core.atomic_files import canonical_json
from audiogrid.core.errors import InputError, RetryableError
from audiogrid.records.bags import PlacedBag, printable

_HOST = socket.gethostname().split(".")[0]
_SHOWN = 3


def fingerprint(files: Mapping[str, tuple[int, int]]) -> str:
    """Returns a hash of the names, sizes and times of the files of a bag."""
    text = canonical_json(sorted((name, *facts) for name, facts in files.items()))
    # A person's file may have a name that is not UTF-8.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def files_in(folder: Path) -> dict[str, tuple[int, int]]:
    """Returns size and time of every file below ``folder``; a link, or what else is no plain file, has size -1."""
    found = {}
    for root, folders, names in os.walk(folder):
        for name in [*names, *(one for one in folders if Path(root, one).is_symlink())]:
            path = Path(root, name)
            status = path.lstat()
            size = status.st_size if path.is_file() and not path.is_symlink() else -1
            found[path.relative_to(folder).as_posix()] = (size, status.st_mtime_ns)
    return found


def is_newest(target: Path, record: PlacedBag) -> bool:
    """Returns whether the folder ``target`` is the newest bag of a record, just as it was written."""
    return target.is_dir() and not target.is_symlink() and files_in(target) == record.facts


def check_replaceable(target: Path, record: PlacedBag) -> None:
    """Raises ``InputError`` unless ``target`` is free, empty, or as audiogrid left it there."""
    if not os.path.lexists(target):
        return
    if target.is_symlink() or not target.is_dir():
        raise InputError(f"{target} is there already and no folder: move it away, or choose another place with --out")
    present = files_in(target)
    if not present or fingerprint(present) in record.states:
        return
    expected = record.facts
    foreign = sorted(name for name, facts in present.items() if expected.get(name) != facts)
    gone = sorted(expected.keys() - present.keys())
    named = ", ".join(map(printable, (foreign or gone)[:_SHOWN]))
    if not record.files:
        why = "it was not made by this run"
    elif foreign:
        why = f"since it was made, {len(foreign)} file(s) were added or changed ({named})"
    else:
        why = f"since it was made, {len(gone)} file(s) were removed ({named})"
    raise InputError(f"{target} is kept as it is: {why}. Move it away, or choose another place with --out")


def _beside(target: Path) -> str:
    return f".tmp-{target.name}-{_HOST}-"


def _remove_leftovers(target: Path) -> None:
    """Delete what calls left beside ``target`` that were killed on this machine."""
    for path in target.parent.glob(f"{_glob_safe(_beside(target))}*"):
        pid = path.name.removeprefix(_beside(target)).split(".")[0]
        if pid.isdigit() and (int(pid) == os.getpid() or not psutil.pid_exists(int(pid))):
            shutil.rmtree(path, ignore_errors=True)


def _glob_safe(name: str) -> str:
    return "".join(f"[{char}]" if char in "*?[" else char for char in name)


@contextmanager
def staging_folder(target: Path) -> Iterator[Path]:
    """Yields a free name beside ``target`` to write to, and removes what is left there at the end.

    Raises ``InputError`` where nothing can be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(target)
        staging = target.parent / f"{_beside(target)}{os.getpid()}"
        staging.mkdir()
    except OSError as error:
        raise InputError(f"nothing can be written beside {target} ({error.strerror}): choose another place") from None
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def put_in_place(staging: Path, target: Path) -> None:
    """Move ``staging`` to ``target``; what was there, and was checked to be replaceable, is deleted afterwards.

    A kill in between leaves ``target`` free. Raises ``RetryableError`` if it cannot be moved, or if somebody else took
    the place meanwhile.
    """
    # One call for all files: a sync for each of 60,000 would take minutes.
    os.sync()
    old = staging.with_name(f"{staging.name}.old")
    try:
        if target.is_dir():
            target.rename(old)
        staging.rename(target)
    except OSError as error:
        if old.is_dir() and not target.exists():
            old.rename(target)
        raise RetryableError(
            f"{target} could not be put in its place ({error.strerror}): try again, or choose another place with --out"
        ) from error
    shutil.rmtree(old, ignore_errors=True)
