"""Which transcripts a run has written, with their hashes: what it may replace, and what no longer belongs to it.

``results/<run>/.state/written/<bundle>.json`` is written by ``merge`` and declared to no rule, so that Snakemake never
deletes it. A file whose hash is not in it was not written by the run.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from audiogrid.core.atomic_files import read_json, write_json
from audiogrid.core.json_values import read_document, to_json
from audiogrid.records.run_folder import RunFolder

SCHEMA = 1
# A killed job may have written a file, but not that it did: the hash before counts, too.
_HASHES = 2


@dataclass(frozen=True)
class WrittenFile:
    """A file under ``transcripts/``. ``hashes``: SHA-256 of the last versions, newest first.

    ``current``: whether the last merge of its recording wrote it. ``holds``: the recordings in a zip of several, whose
    ``recording`` is empty.
    """

    recording: str
    hashes: list[str]
    current: bool = True
    holds: list[str] = field(default_factory=list)

    @property
    def recordings(self) -> list[str]:
        """Whose file it is."""
        return self.holds or [self.recording]


@dataclass(frozen=True)
class WrittenFiles:
    """Files that one bundle's merge has written, by path relative to ``transcripts/``.

    ``complete``: whether the merge got to its end; else it may have written files that are not listed.
    """

    bundle: str
    complete: bool = True
    files: dict[str, WrittenFile] = field(default_factory=dict)

    def write(self, folder: RunFolder) -> None:
        """Write the list of the bundle."""
        write_json(_path(folder, self.bundle), {"schema": SCHEMA, **to_json(self)}, indent=1)

    def merged(
        self, hashes: Mapping[str, tuple[str, str]], holds: Mapping[str, Sequence[str]] | None = None
    ) -> WrittenFiles:
        """Returns the list after a merge. ``hashes``: file -> recording and SHA-256, of all that it wrote.

        ``holds``: zip -> recordings in it. Other files of the same recordings are no longer current; those of other
        recordings stay as they are.
        """
        holds = holds or {}
        recordings = {recording for recording, _ in hashes.values()}.union(*holds.values())
        files = {
            name: replace(file, current=file.current and not recordings.issuperset(file.recordings))
            for name, file in self.files.items()
        }
        for name, (recording, sha256) in hashes.items():
            known = [one for one in (files[name].hashes if name in files else []) if one != sha256]
            files[name] = WrittenFile(recording, [sha256, *known][:_HASHES], holds=list(holds.get(name, ())))
        return WrittenFiles(self.bundle, True, files)


def _path(folder: RunFolder, bundle: str) -> Path:
    return folder.written / f"{bundle}.json"


def read_bundle(folder: RunFolder, bundle: str) -> WrittenFiles | None:
    """Returns the list of one bundle; ``None`` where there is none, or it cannot be read."""
    try:
        return read_document(WrittenFiles, _path(folder, bundle))
    except (OSError, ValueError):
        return None


class WrittenLists:
    """The lists of all bundles that were ever merged in a run, each read when it is asked for, and once."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self.read: dict[str, WrittenFiles] = {}
        try:
            self.bundles = sorted(path.stem for path in folder.written.iterdir() if path.suffix == ".json")
        except OSError:
            self.bundles = []

    def get(self, bundle: str) -> WrittenFiles | None:
        """Returns the list of a bundle; ``None`` where there is none or it cannot be read."""
        if bundle not in self.read:
            found = read_bundle(self._folder, bundle)
            if found is None:
                return None
            self.read[bundle] = found
        return self.read[bundle]


def read_written(folder: RunFolder) -> dict[str, WrittenFiles]:
    """Returns the lists of all bundles that were ever merged in a run; one that cannot be read counts as none."""
    lists = WrittenLists(folder)
    return {bundle: found for bundle in lists.bundles if (found := lists.get(bundle)) is not None}


def has_other_files(folder: RunFolder, bundle: str, recordings: Collection[str]) -> bool:
    """Whether the list of a bundle has files of other recordings, or files that its last merge did not write."""
    written = read_bundle(folder, bundle)
    files = written.files.values() if written is not None else []
    return any(not file.current or not set(file.recordings).issubset(recordings) for file in files)


def adopt_merged(folder: RunFolder) -> None:
    """Make the lists of a run that was merged before there were any, from ``merged/<bundle>.json``."""
    if folder.written.is_dir() or not folder.merged.is_dir():
        return
    for path in sorted(folder.merged.glob("*.json")):
        try:
            report = read_json(path)
            hashes = {
                Path(file["path"]).relative_to(folder.transcripts.name).as_posix(): (recording, file["sha256"])
                for recording, files in report["files"].items()
                for file in files.values()
            }
        except (OSError, ValueError, KeyError, TypeError):
            continue
        WrittenFiles(path.stem).merged(hashes).write(folder)


def forget_files(folder: RunFolder, names: Iterable[str], bundles: Container[str], lists: WrittenLists) -> None:
    """Take files off the lists, and delete lists of former bundles whose files are all gone or on another list.

    ``bundles``: those of the present plan. Only what ``lists`` has read is looked at.
    """
    gone = set(names)
    listed = {name for bundle, written in lists.read.items() if bundle in bundles for name in written.files}
    for bundle, written in lists.read.items():
        left_behind = gone if bundle in bundles else gone | listed
        files = {name: file for name, file in written.files.items() if name not in left_behind}
        if not files and bundle not in bundles:
            _path(folder, bundle).unlink(missing_ok=True)
        elif len(files) < len(written.files):
            WrittenFiles(bundle, written.complete, files).write(folder)
