"""Moves transcripts that no longer belong to a run out of the way: nothing is deleted, nothing old passes for new."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass

from audiogrid.core.tsv import read_table, write_table
from audiogrid.merging.transcript_writer import free_path
from audiogrid.records.plan import Plan
from audiogrid.records.plan_files.reader import PlanFile
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.written_files import WrittenLists, forget_files

_COLUMNS = ("file", "moved_to", "reason")
_NO_RECORDING = "its recording is no longer part of the run, or has another name"
_NO_FORMAT = "the run no longer writes this file (another format, say)"


@dataclass(frozen=True)
class Superseded:
    """A file that was moved. ``file`` and ``moved_to``: relative to the run's folder."""

    file: str
    moved_to: str
    reason: str


def _stale(plan: Plan | PlanFile, lists: WrittenLists, suspects: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yields files that no longer belong, relative to ``transcripts/``, with the reason.

    The files of a recording that has failed this time stay: they are its last good transcripts. ``suspects``: bundles
    whose lists may have such files.
    """
    suspected = [written for bundle in suspects if (written := lists.get(bundle)) is not None]
    recordings = {one for written in suspected for file in written.files.values() for one in file.recordings}
    bundle_of: dict[str, str] = {}
    if recordings:
        for bundle in plan.bundles:
            bundle_of |= {name: bundle.bundle for name in plan.names_of(bundle.bundle) if name in recordings}
    # Bundle -> the recordings of its current files.
    current: dict[str, set[str]] = {}

    def is_elsewhere(name: str, recording: str) -> bool:
        """Whether the last merge of a recording wrote other files than this one."""
        bundle = bundle_of[recording]
        latest = lists.get(bundle)
        if latest is None or (name in latest.files and latest.files[name].current):
            return False
        if bundle not in current:
            current[bundle] = {one for file in latest.files.values() if file.current for one in file.recordings}
        return recording in current[bundle]

    seen = set()
    for written in suspected:
        for name, file in written.files.items():
            if name in seen:
                continue
            seen.add(name)
            present = [one for one in file.recordings if one in bundle_of]
            if not present:
                yield name, _NO_RECORDING
            elif all(is_elsewhere(name, one) for one in present):
                yield name, _NO_FORMAT


def suspected_bundles(plan: Plan | PlanFile, lists: WrittenLists, suspects: Container[str] | None = None) -> list[str]:
    """Returns the bundles of whose files some may no longer belong to a run: former ones, and those in ``suspects``.

    ``suspects``: bundles of the plan whose sums say so; ``None``: all that were ever merged.
    """
    return [bundle for bundle in lists.bundles if suspects is None or bundle in suspects or bundle not in plan.bundle]


def supersede(folder: RunFolder, plan: Plan | PlanFile, suspects: Container[str] | None = None) -> list[Superseded]:
    """Move what no longer belongs to ``superseded/`` and add it to the table there. Returns what was moved.

    ``suspects``: see ``suspected_bundles``; no list of another bundle is read unless one of these leads to it.
    """
    lists = WrittenLists(folder)
    moved, names = [], []
    for name, reason in _stale(plan, lists, suspected_bundles(plan, lists, suspects)):
        names.append(name)
        path = folder.transcripts / name
        if not path.is_file():
            continue
        target = free_path(folder.superseded / name)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
        if path.parent != folder.transcripts and not any(path.parent.iterdir()):
            path.parent.rmdir()
        file, moved_to = (one.relative_to(folder.root).as_posix() for one in (path, target))
        moved.append(Superseded(file, moved_to, reason))
    if names or any(bundle not in plan.bundle for bundle in lists.bundles):
        forget_files(folder, names, plan.bundle, lists)
    if moved:
        _add_rows(folder, moved)
    return moved


def _add_rows(folder: RunFolder, moved: list[Superseded]) -> None:
    table = folder.superseded / "superseded.tsv"
    rows: list[tuple[str, str, str]] = []
    if table.is_file():
        _, present = read_table(table)
        # Somebody may have edited it.
        rows = [(row.get("file", ""), row.get("moved_to", ""), row.get("reason", "")) for row in present]
    write_table(table, _COLUMNS, [*rows, *((one.file, one.moved_to, one.reason) for one in moved)])
