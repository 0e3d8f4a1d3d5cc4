"""Generation numbers of shards and bundles: parameters that make Snakemake run a finished job again.

A job may end well and leave something to be done: a shard left out chunks, or a transcript was deleted
by hand. The number that is wanted is then one more than the number in the job's report.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from audiogrid.core.atomic_files import read_json, write_json
from audiogrid.records.run_folder import RunFolder, is_sub_folder

T = TypeVar("T")
# Seconds for which the time of a folder may not yet tell of its last change (coarse clocks, network file systems).
_SETTLED = 2.0


# Of reports only what is needed is read: they hold something of every chunk and recording.
class _Facts(msgspec.Struct):
    problems: dict[str, Any] = {}


class _ShardReport(msgspec.Struct):
    generation: int = 0
    failed: dict[str, Any] = {}
    facts: _Facts = msgspec.field(default_factory=_Facts)


class _File(msgspec.Struct):
    path: str


class _BundleReport(msgspec.Struct):
    files: dict[str, dict[str, _File]]
    generation: int = 0


def _may_change_unseen(changed: int) -> bool:
    """Whether a folder of this time (ns) may change once more without another time; a server's clock may be ahead."""
    return abs(time.time() - changed / 1e9) < _SETTLED


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, ValueError):
        return None


def shard_generation(folder: RunFolder, shard: str) -> int:
    """Returns the wanted generation of ``shard``: a new one if the last left out recordings or chunks."""
    report = _read(folder.shards / f"{shard}.json", _ShardReport)
    if report is None:
        return 1
    is_final = report.generation and not (report.failed or report.facts.problems)
    return report.generation if is_final else report.generation + 1


class IntactBundles:
    """Tells which merged bundles of a run still have all their transcripts.

    Folders of transcripts are listed, once per change of them; to look at each file alone would take hours on a
    slow file system. What was found intact is kept in ``.state/intact.json`` (``remember``): as long as no folder has
    changed since, nothing is read at all.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._note = folder.root / ".state" / "intact.json"
        self._names: dict[str, tuple[int, frozenset[str]]] = {}
        self._remembered: tuple[int, dict[str, Any]] = (0, {})

    def generation(self, bundle: str) -> int:
        """Returns the wanted generation of ``bundle``: a new one if a transcript was deleted by hand."""
        path = self._folder.merged / f"{bundle}.json"
        known = self._noted(path)
        if known is not None:
            return known
        report = _read(path, _BundleReport)
        if report is None:
            # One that cannot be read may still say how often it was made.
            return _generation(path) + 1
        return report.generation + (not self._has_all(report))

    def is_intact(self, path: Path) -> bool:
        """Whether every transcript that ``merged/<bundle>.json`` lists still exists."""
        report = _read(path, _BundleReport)
        return report is not None and self._has_all(report)

    def remember(self, bundles: Iterable[str]) -> None:
        """Note which of the bundles are intact, for the next run."""
        folders = self._folder_times()
        if any(map(_may_change_unseen, folders.values())):
            # What is deleted within this moment would not change the time of its folder.
            time.sleep(_SETTLED)
        self._names.clear()
        found = {}
        for bundle in bundles:
            path = self._folder.merged / f"{bundle}.json"
            try:
                state = path.stat()
            except OSError:
                continue
            report = _read(path, _BundleReport)
            if report is not None and self._has_all(report):
                found[bundle] = [state.st_mtime_ns, state.st_size, report.generation]
        write_json(self._note, {"folders": folders, "bundles": found})

    def _has_all(self, report: _BundleReport) -> bool:
        paths = [file.path.rpartition("/") for files in report.files.values() for file in files.values()]
        present = {folder: self._present(folder) for folder in {folder for folder, _, _ in paths}}
        root = self._folder.root
        return all(
            name in names if (names := present[folder]) is not None else (root / folder / name).is_file()
            for folder, _, name in paths
        )

    def _present(self, folder: str) -> frozenset[str] | None:
        """Returns the names in a folder, by its path relative to the run's.

        Returns ``None`` where it has changed since it was listed: while a run writes transcripts, to list all of them
        again for each bundle would take a time that grows with the square of their number.
        """
        path = self._folder.root / folder
        try:
            changed = path.stat().st_mtime_ns
            if folder not in self._names:
                self._names[folder] = changed, frozenset(os.listdir(path))  # noqa: PTH208
            known = self._names[folder]
            is_current = known[0] == changed and not _may_change_unseen(changed)
            return known[1] if is_current else None
        except OSError:
            return frozenset()

    def _noted(self, path: Path) -> int | None:
        """Returns the generation of a bundle that was intact, if nothing has changed since."""
        try:
            version = self._note.stat().st_mtime_ns
            if self._remembered[0] != version:
                note = read_json(self._note)
                self._remembered = version, note["bundles"] if note["folders"] == self._folder_times() else {}
            changed, size, generation = self._remembered[1][path.stem]
            state = path.stat()
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return int(generation) if [state.st_mtime_ns, state.st_size] == [changed, size] else None

    def _folder_times(self) -> dict[str, int]:
        """Returns when names in the folders of transcripts last changed."""
        root = self._folder.transcripts
        try:
            folders = [root, *(Path(entry.path) for entry in os.scandir(root) if is_sub_folder(entry.name))]
            return {path.name: path.stat().st_mtime_ns for path in folders if path.is_dir()}
        except OSError:
            return {}


def _generation(path: Path) -> int:
    try:
        return int(read_json(path)["generation"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


_BUNDLES: dict[Path, IntactBundles] = {}


def intact_bundles(folder: RunFolder) -> IntactBundles:
    """Returns what is known of the bundles of a run, the same object for each call in this process."""
    return _BUNDLES.setdefault(folder.root, IntactBundles(folder))


def is_intact(folder: RunFolder, path: Path) -> bool:
    """Whether every transcript that ``merged/<bundle>.json`` lists still exists."""
    return intact_bundles(folder).is_intact(path)


def merge_generation(folder: RunFolder, bundle: str) -> int:
    """Returns the wanted generation of ``bundle``: a new one if a transcript was deleted by hand."""
    return intact_bundles(folder).generation(bundle)
