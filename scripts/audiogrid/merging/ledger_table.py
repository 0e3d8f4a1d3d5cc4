"""`ledger.tsv`: what became of every sample of every recording of a run. Each bundle writes its part."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from audiogrid.core.atomic_files import write_atomically
from audiogrid.core.errors import InputError
from audiogrid.core.tsv import escape_cell, unescape_cell
from audiogrid.records.ledger import LedgerSpan
from audiogrid.records.run_folder import RunFolder

#: Columns of ``ledger.tsv``: name and meaning. docs/results.md lists them (``make docs``).
LEDGER_COLUMNS = {
    "recording": "id of the recording",
    "start": "first sample of the span, at 16 kHz from the start of the recording",
    "end": "first sample after it: where the next span of the recording starts",
    "kind": "what became of it, see below",
    "reason": "why, see below",
    "channels": "with `channels: split`, the channels of which this is said, from 1",
}

#: Samples by kind and reason.
Totals = dict[tuple[str, str], int]


def part_path(folder: RunFolder, bundle: str) -> Path:
    """Returns the path of a bundle's part of the table."""
    return folder.merged / f"{bundle}.ledger.tsv"


def _lines(recording: str, spans: Iterable[LedgerSpan]) -> Iterator[bytes]:
    name = escape_cell(recording)
    for span in spans:
        channels = ",".join(map(str, span.channels))
        yield f"{name}\t{span.start}\t{span.end}\t{span.kind}\t{span.reason}\t{channels}\n".encode()


def write_part(folder: RunFolder, bundle: str, ledgers: Mapping[str, Sequence[LedgerSpan]]) -> None:
    """Write the ledgers of the recordings of a bundle, by recording: rows without a header."""

    def fill(file: BinaryIO) -> None:
        for recording, spans in ledgers.items():
            file.writelines(_lines(recording, spans))

    write_atomically(part_path(folder, bundle), fill)


def part_totals(folder: RunFolder, bundle: str) -> dict[str, Totals]:
    """Returns the sums of a bundle's part of the table, by recording; none where there is no part.

    A bundle that an earlier version has merged has none. Raises ``InputError`` where the part is damaged.
    """
    totals: dict[str, Totals] = {}
    path = part_path(folder, bundle)
    with suppress(FileNotFoundError), path.open("rb") as part:
        for line in part:
            try:
                name, start, end, kind, reason, _ = line.decode().rstrip("\n").split("\t")
                samples = int(end) - int(start)
            except ValueError:
                report = folder.merged / f"{bundle}.json"
                raise InputError(
                    f"{path} is damaged: delete it and {report}, and run again; nothing is decoded"
                ) from None
            sums = totals.setdefault(unescape_cell(name), {})
            sums[kind, reason] = sums.get((kind, reason), 0) + samples
    return totals


def write_ledger(folder: RunFolder, bundles: Iterable[str]) -> None:
    """Write ``ledger.tsv`` from the parts of bundles, block by block; a bundle without one has no rows in it."""
    join_parts(folder.ledger, LEDGER_COLUMNS, (part_path(folder, bundle) for bundle in bundles))


def join_parts(
    path: Path, columns: Iterable[str], parts: Iterable[Path | bytes], *, have_headers: bool = False
) -> None:
    """Write a table from its ``columns`` and files with rows, or the rows themselves; a file that is not there is none.

    ``have_headers``: the first line of each file is no row. Only a block is held at a time, however long the table is.
    """

    def fill(file: BinaryIO) -> None:
        file.write(("\t".join(columns) + "\n").encode())
        for part in parts:
            if isinstance(part, bytes):
                file.write(part)
                continue
            with suppress(FileNotFoundError), part.open("rb") as rows:
                if have_headers:
                    rows.readline()
                shutil.copyfileobj(rows, file)

    write_atomically(path, fill)


def add_totals(ledgers: Iterable[Totals]) -> Totals:
    """Returns the sums over several recordings."""
    sums: Totals = {}
    for totals in ledgers:
        for key, samples in totals.items():
            sums[key] = sums.get(key, 0) + samples
    return sums
