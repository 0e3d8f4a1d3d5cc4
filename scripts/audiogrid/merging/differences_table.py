"""`differences.tsv`: where given texts and the audio disagree. Each bundle writes its part."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from audiogrid.core.atomic_files import write_atomically
from audiogrid.core.tsv import table_line, write_table
from audiogrid.records.run_folder import RunFolder

#: Columns of ``differences.tsv``: name and meaning. docs/align.md lists them.
COLUMNS = ("recording", "start", "end", "kind", "text", "heard", "channel")


def _part(folder: RunFolder, bundle: str) -> Path:
    return folder.merged / f"{bundle}.differences.tsv"


def write_differences(folder: RunFolder, bundle: str, found: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Write the differences of a bundle's recordings, by recording; no file where none has a text.

    Times in seconds; channels from 1.
    """
    if not found:
        _part(folder, bundle).unlink(missing_ok=True)
        return
    rows = [
        (
            recording,
            f"{one['start']:.3f}",
            f"{one['end']:.3f}",
            one["kind"],
            one["text"],
            one["heard"],
            one["channel"] + 1 if "channel" in one else None,
        )
        for recording, differences in found.items()
        for one in differences
    ]
    write_table(_part(folder, bundle), COLUMNS, rows)


def join_differences(folder: RunFolder, bundles: Iterable[str]) -> None:
    """Write ``differences.tsv`` from the parts of bundles; remove it where no recording has a text."""
    parts = [path for bundle in bundles if (path := _part(folder, bundle)).is_file()]
    if not parts:
        folder.differences.unlink(missing_ok=True)
        return

    def fill(file: BinaryIO) -> None:
        file.write(table_line(COLUMNS))
        for path in parts:
            with path.open("rb") as part:
                # Each part has a header of its own.
                part.readline()
                shutil.copyfileobj(part, file)

    write_atomically(folder.differences, fill)
