"""`differences.tsv` (given texts against the audio) and `names.tsv` (what a glossary changed), a part per bundle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from audiogrid.core.tsv import write_table
from audiogrid.merging.ledger_table import join_parts
from audiogrid.records.run_folder import RunFolder

#: Columns of ``differences.tsv``: name and meaning. docs/align.md lists them.
COLUMNS = ("recording", "start", "end", "kind", "text", "heard", "channel")
#: Columns of ``names.tsv``. docs/glossary.md lists them.
NAME_COLUMNS = (
    *("recording", "start", "end", "heard", "term", "reason", "heard_logprob", "term_logprob", "channel", "corrected"),
)
#: What ``corrected`` has where a person has taken a term out and written nothing.
REMOVED = "(removed)"

_Changes = Mapping[str, Sequence[Mapping[str, Any]]]


def _part(folder: RunFolder, bundle: str, kind: str) -> Path:
    return folder.merged / f"{bundle}.{kind}.tsv"


def write_differences(folder: RunFolder, bundle: str, found: _Changes) -> None:
    """Write the differences of a bundle's recordings, by recording; no file where none has a text.

    Times in seconds; channels from 1.
    """
    _write(_part(folder, bundle, "differences"), COLUMNS, found)


def write_names(folder: RunFolder, bundle: str, found: _Changes) -> None:
    """Write what the glossary changed in a bundle's recordings, by recording; no file where none is judged."""
    _write(_part(folder, bundle, "names"), NAME_COLUMNS, found)


def _write(path: Path, columns: Sequence[str], found: _Changes) -> None:
    if not found:
        path.unlink(missing_ok=True)
        return
    rows = [
        [recording, *(_cell(one, column) for column in columns[1:])]
        for recording, changes in found.items()
        for one in changes
    ]
    write_table(path, columns, rows)


def _cell(one: Mapping[str, Any], column: str) -> Any:
    value = one.get(column)
    if value is None:
        return None
    if column == "channel":
        return value + 1
    if column == "corrected":
        return value or REMOVED
    return f"{value:.3f}" if isinstance(value, float) else value


def join_differences(folder: RunFolder, bundles: Iterable[str]) -> None:
    """Write ``differences.tsv`` from the parts of bundles; remove it where no recording has a text."""
    _join(folder.differences, COLUMNS, [_part(folder, bundle, "differences") for bundle in bundles])


def join_names(folder: RunFolder, bundles: Iterable[str]) -> None:
    """Write ``names.tsv`` from the parts of bundles; remove it where there is no glossary."""
    _join(folder.names, NAME_COLUMNS, [_part(folder, bundle, "names") for bundle in bundles])


def _join(table: Path, columns: Sequence[str], paths: Iterable[Path]) -> None:
    parts = [path for path in paths if path.is_file()]
    if not parts:
        table.unlink(missing_ok=True)
        return
    join_parts(table, columns, parts, have_headers=True)
