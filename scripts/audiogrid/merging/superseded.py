"""Moves transcripts that no longer belong to a run out of the way: nothing is deleted, nothing old passes for new."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from audiogrid.core.tsv import read_table, write_table
from audiogrid.merging.transcript_writer import free_path
from audiogrid.records.plan import Plan
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.written_files import WrittenFiles, forget_files, read_written

_COLUMNS = ("file", "moved_to", "reason")
_NO_RECORDING = "its recording is no longer part of the run, or has another name"
_NO_FORMAT = "the run no longer writes this file (another format, say)"


@dataclass(frozen=True)
class Superseded:
    """A file that was moved. ``file`` and ``moved_to``: relative to the run's folder."""

    file: str
    moved_to: str
    reason: str


def _stale(plan: Plan, lists: dict[str, WrittenFiles]) -> Iterator[tuple[str, str]]:
    """Yields files that no longer belong, relative to ``transcripts/``, with the reason.

    The files of a recording that has failed this time stay: they are its last good transcripts.
    """
    bundle_of = {name: bundle.bundle for bundle in plan.bundles for name in bundle.recordings}
    seen = set()
    for written in lists.values():
        for name, file in written.files.items():
            if name in seen:
                continue
            seen.add(name)
            if file.recording not in bundle_of:
                yield name, _NO_RECORDING
                continue
            latest = lists.get(bundle_of[file.recording])
            merged = latest is not None and any(
                other.current and other.recording == file.recording for other in latest.files.values()
            )
            if latest is not None and merged and not (name in latest.files and latest.files[name].current):
                yield name, _NO_FORMAT


def supersede(folder: RunFolder, plan: Plan) -> list[Superseded]:
    """Move what no longer belongs to ``superseded/`` and add it to the table there. Returns what was moved."""
    lists = read_written(folder)
    moved, names = [], []
    for name, reason in _stale(plan, lists):
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
    bundles = [bundle.bundle for bundle in plan.bundles]
    if names or not set(lists) <= set(bundles):
        forget_files(folder, names, bundles)
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
