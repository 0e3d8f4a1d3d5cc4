"""Tables of a run as a test wants them; the report joins them from the parts that jobs leave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from audiogrid.core.tsv import table_line, write_table
from audiogrid.merging.merge_bundle import FAILURE_COLUMNS, Failure, failure_row
from audiogrid.merging.summary_table import SUMMARY_COLUMNS, summary_line


def write_failures(path: Path, failures: Iterable[Failure]) -> None:
    """Write a ``failed.tsv``."""
    write_table(path, FAILURE_COLUMNS, map(failure_row, failures))


def write_summary(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a ``summary.tsv``."""
    path.write_bytes(b"".join([table_line(list(SUMMARY_COLUMNS)), *map(summary_line, rows)]))
