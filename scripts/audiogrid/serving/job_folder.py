"""Where each file of a job of the service lies."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from audiogrid.core.atomic_files import read_json, write_json
from audiogrid.export.formats import FORMATS
from audiogrid.records.run_folder import RunFolder

#: Name of the table that describes an upload; it lies beside it.
TABLE = "recording.tsv"


class JobFolder:
    """The folder ``jobs/<2 letters of the id>/<id>/`` below the state folder of the service.

    ``upload/`` holds what the client sent and a table of one row that describes it; ``run/`` is a run of this one
    recording, of which only the transcripts stay; ``keys.json`` lists the results of the store that they consist of.
    ``uncorrected.json`` is the transcript document without what a person corrected, where they differ.
    """

    def __init__(self, state: Path, job: str) -> None:
        self.root = state / "jobs" / job[:2] / job
        self.upload = self.root / "upload"
        self.table = self.upload / TABLE
        self.run = RunFolder(self.root / "run")
        self.keys = self.root / "keys.json"
        self.uncorrected = self.root / "uncorrected.json"

    def transcript(self, recording: str, name: str) -> Path:
        """Returns the file of a format."""
        return self.run.transcripts / f"{recording}{FORMATS[name].ending}"

    def document(self, recording: str) -> dict[str, Any]:
        """Returns the transcript document. Raises ``OSError`` or ``ValueError``."""
        document: dict[str, Any] = read_json(self.transcript(recording, "json"))
        return document

    def write_keys(self, keys: list[str]) -> None:
        """Note which results of the store the transcript consists of."""
        write_json(self.keys, sorted(set(keys)))

    def read_keys(self) -> set[str]:
        """Returns the noted keys; none where there are none yet."""
        try:
            return set(read_json(self.keys))
        except (OSError, ValueError):
            return set()

    def drop_work(self) -> None:
        """Delete everything of the run but its transcripts."""
        with suppress(OSError):
            for path in self.run.root.iterdir():
                if path != self.run.transcripts:
                    shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)

    def drop_upload(self) -> None:
        """Delete what the client sent."""
        shutil.rmtree(self.upload, ignore_errors=True)

    def drop(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.root, ignore_errors=True)
        with suppress(OSError):
            self.root.parent.rmdir()


def all_keys(state: Path) -> set[str]:
    """Returns the keys that the jobs of a service refer to, for those who remove results of its store."""
    found: set[str] = set()
    for path in state.glob("jobs/*/*/keys.json"):
        try:
            found |= set(read_json(path))
        except (OSError, ValueError):
            continue
    return found
