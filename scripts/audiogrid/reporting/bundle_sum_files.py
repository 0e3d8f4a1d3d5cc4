"""The sum of a bundle as a file: ``merged/<bundle>.sum``, written beside its record.

The job that merges a bundle also writes its rows of ``summary.tsv``. So whoever reports on a run reads two small
files a bundle, and the rows only to copy them.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from audiogrid.core.atomic_files import write_atomically
from audiogrid.core.file_sums import identity, read_sum, write_sum
from audiogrid.merging.ledger_table import part_path, part_totals
from audiogrid.merging.merge_bundle import MergedBundle
from audiogrid.merging.summary_table import summary_line
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.written_files import has_other_files
from audiogrid.reporting.bundle_sum import BundleSum, sum_bundle


def sum_path(folder: RunFolder, bundle: str) -> Path:
    """Returns the path of a bundle's sum."""
    return folder.merged / f"{bundle}.sum"


def rows_path(folder: RunFolder, bundle: str) -> Path:
    """Returns the path of a bundle's rows of ``summary.tsv``."""
    return folder.merged / f"{bundle}.summary.tsv"


def write_bundle_sum(folder: RunFolder, merged: MergedBundle) -> BundleSum:
    """Write and return the sum of a bundle whose record is written, and its rows of ``summary.tsv``."""

    def fill(file: BinaryIO) -> None:
        file.writelines(map(summary_line, merged.rows))

    write_atomically(rows_path(folder, merged.bundle), fill)
    found = sum_bundle(merged, part_totals(folder, merged.bundle))
    recordings = {*merged.files, *(failure.recording for failure in merged.failures)}
    found.other_files = has_other_files(folder, merged.bundle, recordings)
    write_sum(sum_path(folder, merged.bundle), _source(folder, merged.bundle), found)
    return found


def _source(folder: RunFolder, bundle: str) -> list[int]:
    """Returns what tells that a sum is that of a bundle: of its record, and of the rows that are copied into tables."""
    found = identity(folder.merged / f"{bundle}.json")
    for part in (part_path(folder, bundle), rows_path(folder, bundle)):
        found.append(part.stat().st_size if part.is_file() else -1)
    return found


def read_bundle_sum(folder: RunFolder, bundle: str) -> BundleSum:
    """Returns the sum of a merged bundle; where there is none (an earlier version merged it), it is made.

    Raises ``OSError``, and ``DocumentError`` where the bundle's record is damaged.
    """
    found = read_sum(BundleSum, sum_path(folder, bundle), _source(folder, bundle))
    if found is not None and rows_path(folder, bundle).is_file():
        return found
    return write_bundle_sum(folder, MergedBundle.read(folder.merged / f"{bundle}.json"))
