"""What a run did with files of earlier runs, as sentences: for the last lines on the terminal and for the report."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field

from audiogrid.core.atomic_files import write_json
from audiogrid.core.json_values import read_document, to_json
from audiogrid.merging.superseded import Superseded
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.written_files import WrittenLists

# Names that a sentence holds.
_NAMED = 3


@dataclass(frozen=True)
class Notices:
    """Files, relative to the run's folder. ``superseded``: moved there; ``edited``: kept under another name.

    ``kept``: transcripts of an earlier run, of recordings that have failed this time.
    """

    superseded: list[str] = field(default_factory=list)
    edited: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    def sentences(self, folder: RunFolder) -> list[str]:
        """Returns a sentence for each kind of file that there is."""
        found = []
        if self.superseded:
            found.append(
                f"{len(self.superseded)} file(s) of recordings or formats that are no longer wanted are now in "
                f"{folder.superseded}/: {_names(self.superseded)}"
            )
        if self.edited:
            found.append(f"{len(self.edited)} transcript(s) edited by hand were kept: {_names(self.edited)}")
        if self.kept:
            found.append(
                f"{len(self.kept)} transcript(s) of an earlier run stay until there are new ones: {_names(self.kept)}"
            )
        return found


def _names(files: Sequence[str]) -> str:
    more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    return ", ".join(files[:_NAMED]) + more


def write_notices(
    folder: RunFolder, moved: Sequence[Superseded], edited: Iterable[str] = (), kept: Iterable[str] = ()
) -> Notices:
    """Write and return the notices of a run that has ended.

    ``moved``: to ``superseded/``. ``edited``: transcripts that were edited by hand and kept, relative to the run's
    folder. ``kept``: see ``kept_transcripts``.
    """
    present = sorted(name for name in edited if (folder.root / name).is_file())
    notices = Notices([one.file for one in moved], present, sorted(set(kept)))
    write_json(folder.notices, to_json(notices), indent=1)
    return notices


def kept_transcripts(folder: RunFolder, lost: Container[str], bundles: Iterable[str]) -> list[str]:
    """Returns the transcripts of an earlier run that recordings in ``lost`` still have, relative to the run's folder.

    ``bundles``: those whose merge may have written them.
    """
    lists = WrittenLists(folder)
    return [
        f"{folder.transcripts.name}/{name}"
        for bundle in bundles
        if (written := lists.get(bundle)) is not None
        for name, file in written.files.items()
        if any(one in lost for one in file.recordings) and (folder.transcripts / name).is_file()
    ]


def read_notices(folder: RunFolder) -> Notices:
    """Returns the notices of the last end of a run; none where there are none."""
    try:
        return read_document(Notices, folder.notices)
    except (OSError, ValueError):
        return Notices()
