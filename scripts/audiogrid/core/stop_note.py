"""A note that a run has to end: written when its budget is used up, read by its jobs, which then begin nothing new."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from audiogrid.core.atomic_files import write_json
from audiogrid.core.json_values import read_document, to_json


@dataclass(frozen=True)
class StopNote:
    """``reason``: why the run ends, a phrase. ``waiting``: recordings that were not finished, where that is known."""

    reason: str
    waiting: int = 0

    def write(self, path: Path) -> None:
        """Write the note."""
        write_json(path, to_json(self))


def read_stop(path: Path) -> StopNote | None:
    """Returns the note in ``path``; ``None`` where there is none. One that cannot be read still ends the run."""
    try:
        # A file system that does not answer says nothing of a note.
        if not path.exists():
            return None
    except OSError:
        return None
    try:
        return read_document(StopNote, path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return StopNote("the run was stopped")
