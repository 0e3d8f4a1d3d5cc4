"""Recordings listed in a table: one row each, tab- or comma-separated, with a header."""

from __future__ import annotations

import codecs
import csv
import difflib
import io
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from audiogrid.core.errors import InputError
from audiogrid.core.language_codes import check_language, normalise_language
from audiogrid.core.visible import exists, may_exist
from audiogrid.media.audio_tracks import AUTO, TrackWish, parse_tracks
from audiogrid.probing.recording_source import (
    CHANNELS,
    Channels,
    RecordingSource,
    Rejection,
    listing_problem,
    printable,
)
from audiogrid.probing.reserved_columns import FILE_COLUMNS, reserved_column_problem
from audiogrid.remote.address import Address, is_remote, parse, unknown_scheme
from audiogrid.remote.listing import Remote
from audiogrid.remote.storage_services import readable_schemes

#: Columns of a table: name and meaning. docs/recordings.md lists them (``make docs``).
COLUMNS = {
    "recording": "id of the recording and name of its outputs. Empty: the file's stem, made safe for a file name",
    "path": "the audio or video file, or its address (the only column a table must have)",
    "language": "its language: a code, tag or name. Empty: the run's `language`",
    "prompt": "a sentence in the style and spelling of what is said. Empty: the run's `prompt`",
    "hotwords": "words and names it probably contains. Empty: the run's `hotwords`",
    "channels": "`mix` or `split`. Empty: the run's `channels`",
    "tracks": "audio tracks to transcribe: `auto`, `all`, a number from 1, a language, or several with commas. "
    "Empty: the run's `tracks`",
    "reference": "file with the true text, for `snakemake compare`",
}
# Common misspellings of column names. Kept as columns of their own, they would lose a setting silently.
_ALIASES = {"lang": "language", "file": "path", "filename": "path", "filepath": "path", "audio": "path"}
_ALIASES |= {"channel": "channels", "track": "tracks", "hotword": "hotwords", "id": "recording"}

Row = tuple[RecordingSource, bool]


def read_table(table: Path, channels: Channels, tracks: TrackWish = (AUTO,)) -> tuple[list[Row], list[Rejection]]:
    """Returns the recordings of a table, each with whether the table gives its id, and the rejected rows.

    Paths are relative to the table's folder. ``channels``, ``tracks``: for rows without values of their own. Raises
    ``InputError`` when the table as a whole cannot be used.
    """
    header, records = _records(table)
    rows: list[Row] = []
    rejected: list[Rejection] = []
    first_use: dict[str, int] = {}
    for number, cells in records:
        if not any(cell.strip() for cell in cells):
            continue
        values = {name: cell.strip() for name, cell in zip(header, cells, strict=False)}
        name = values.get("recording", "")
        try:
            address = _address(values.get("path", ""))
            path = address.public if address else _resolve(table, values.get("path", ""))
            reason = _problem(table, values, path, address, extra=len(cells) - len(header))
        except InputError as error:
            # An address that cannot be parsed is not quoted: it may hold a secret.
            address, path, reason = None, "", str(error)
        if reason is None and name and name in first_use:
            reason = f"the id {name!r} is that of row {first_use[name]} already: give this recording another one"
        if reason is not None:
            rejected.append(Rejection(name, printable(path), f"Row {number} of {table.name}: {reason}."))
            continue
        if name:
            first_use[name] = number
        rows.append((_source(table, values, path, channels, tracks, address), bool(name)))
    if not rows and not rejected:
        raise InputError(f"{table} lists no recordings: add a row per recording below the header")
    return rows, rejected


def _address(value: str) -> Address | None:
    """The remote address in a cell; ``None`` for a local path."""
    return parse(value) if is_remote(value) else None


def private_addresses(table: Path) -> dict[str, Address]:
    """Remote addresses of a table, secrets included, by the public form that results show; of equal ones the first.

    Raises ``InputError`` when the table cannot be read.
    """
    header, records = _records(table)
    found: dict[str, Address] = {}
    for _, cells in records:
        value = dict(zip(header, cells, strict=False)).get("path", "").strip()
        with suppress(InputError):
            address = _address(value)
            if address:
                found.setdefault(address.public, address)
    return found


def _source(
    table: Path, values: dict[str, str], path: str, channels: Channels, tracks: TrackWish, address: Address | None
) -> RecordingSource:
    own = values.get("channels", "").lower()
    return RecordingSource(
        recording=values.get("recording", ""),
        path=path,
        language=normalise_language(values.get("language", "")) or None,
        prompt=values.get("prompt") or None,
        hotwords=values.get("hotwords") or None,
        channels=next((known for known in CHANNELS if known == own), channels),
        tracks=parse_tracks(values["tracks"]) if values.get("tracks") else tracks,
        reference=_resolve(table, values.get("reference", "")) or None,
        columns={
            name: _resolve(table, value) if name in FILE_COLUMNS else value
            for name, value in values.items()
            if name not in COLUMNS and value
        },
        remote=Remote(address) if address else None,
        address_table=str(table) if address and address.is_private else None,
    )


def _resolve(table: Path, value: str) -> str:
    if not value:
        return ""
    try:
        path = table.parent / Path(value).expanduser()
    except RuntimeError:
        path = table.parent / value
    # Shorten `config/../samples/x`, unless a link makes the short path another file.
    straight = os.path.normpath(path)
    return straight if os.path.realpath(straight) == os.path.realpath(path) else str(path)


def _problem(table: Path, values: dict[str, str], path: str, address: Address | None, *, extra: int) -> str | None:
    """Returns what is wrong with a row and how to correct it, without a final stop, or ``None``."""
    if extra > 0:
        return f"has {extra} cell(s) more than the header: quote cells that hold a separator"
    if not path:
        return "its path is empty: name the file"
    if "\0" in path:
        return "its path holds a NUL byte: write the path again"
    reason = _local_problem(values["path"], path) if address is None else _remote_problem(address)
    if reason is not None:
        return reason
    if is_remote(values.get("reference", "")):
        return "its reference is remote: name a local text"
    own = values.get("channels", "")
    if own and own.lower() not in CHANNELS:
        return f"channels is {own!r}: write mix or split, or leave it empty"
    try:
        parse_tracks(values.get("tracks", ""))
    except ValueError as error:
        return f"{error}; or rename the column, to my_tracks say"
    language = values.get("language", "")
    wrong = check_language(language) if language else None
    return f"language {wrong}" if wrong else reserved_column_problem(values, lambda name: _resolve(table, name))


def _local_problem(given: str, path: str) -> str | None:
    if scheme := unknown_scheme(given):
        return f"{scheme}:// is not supported: use {readable_schemes()} or a copy"
    file = Path(path)
    if not may_exist(file) and not file.is_symlink():
        return f"{given!r} does not exist: correct the path, which counts from the table's folder"
    if exists(file) and file.is_dir():
        return f"{given!r} is a folder: name a file"
    reason = listing_problem(path)
    return None if reason is None else reason.rstrip(".")


def _remote_problem(address: Address) -> str | None:
    # Whether it exists is checked later, for many addresses at a time.
    if not address.key or address.key.endswith("/"):
        return f"{address.public} names no single file: name one, or put the folder under recordings"
    return None


def _text(table: Path) -> str:
    try:
        data = table.read_bytes()
    except OSError as error:
        raise InputError(f"{table} cannot be read ({error.strerror}): make it readable") from None
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(f"{table}, line {line}: not UTF-8 text: save the table as UTF-8") from None


def _records(table: Path) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """The header in lower case, and the rows with their line numbers (the header is line 1)."""
    text = _text(table)
    first = re.split(r"[\r\n]", text, maxsplit=1)[0]
    if not first.strip():
        raise InputError(f"{table} has no header: its first line must name the columns, {', '.join(COLUMNS)}")
    delimiter = _delimiter(first, table)
    header = [name.strip().lower() for name in next(csv.reader([first], delimiter=delimiter))]
    _check_header(header, table)
    return header, _rows(text, delimiter, table)


def _rows(text: str, delimiter: str, table: Path) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number = 1
    try:
        for cells in reader:
            if number > 1:
                yield number, cells
            number = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{table}, row {number}: {error}: check its quotes") from None


def _delimiter(header: str, table: Path) -> str:
    """The separator that the suffix stands for, unless the header only makes sense with another one."""
    own = "\t" if table.suffix.lower() == ".tsv" else ","
    for delimiter in (own, "\t", ",", ";"):
        cells = next(csv.reader([header], delimiter=delimiter))
        if "path" in (cell.strip().lower() for cell in cells):
            return delimiter
    return own


def _check_header(header: list[str], table: Path) -> None:
    allowed = f"columns are {', '.join(COLUMNS)}; only path is required, further ones are kept as they are"
    for name in header:
        if header.count(name) > 1:
            raise InputError(f"{table}: column {name!r} occurs twice: remove one; {allowed}")
    for name in header:
        if name in COLUMNS:
            continue
        near = _ALIASES.get(name) or next(iter(difflib.get_close_matches(name, COLUMNS, 1, cutoff=0.8)), None)
        if near and near not in header:
            raise InputError(f"{table}: column {name!r} is unknown, did you mean {near!r}? {allowed}")
    if "path" not in header:
        raise InputError(f"{table}: column 'path' is missing, found {', '.join(map(repr, header))}; {allowed}")
