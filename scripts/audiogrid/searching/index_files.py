"""The files of a search index, below ``results/<run>/search/<generation>/``.

Each is a script with one call, ``audiogridPart(name, value)``, because a page that is opened from a file system can
load scripts and nothing else. The value is JSON.

| file | value |
|---|---|
| ``index.js`` | ``Contents``: where everything is |
| ``p/<n>.js`` | terms in their order: term, first position, number of positions, the steps to all others |
| ``l/<n>.js`` | lines: number of the speaker or -1, start, text, steps between the starts of its terms |
| ``r/<n>.js`` | recordings: id, first position, file, language, date, media, page, speakers |

A position is the number of a term in the whole run. The empty term has the positions at which lines begin. A term with
many positions has several entries, one after another.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from audiogrid.core.atomic_files import write_bytes
from audiogrid.core.errors import InputError
from audiogrid.core.json_values import from_json, to_json

VERSION = 1


class Recording(NamedTuple):
    """A recording in the index. ``first``: its first position; ``media`` and ``page``: addresses below the run."""

    recording: str
    first: int
    file: str
    language: str
    date: str
    media: str
    page: str
    speakers: list[str]


class Line(NamedTuple):
    """A line of a transcript. ``start``: in steps of ``STEP_MS``; ``times``: packed, of its terms from there on."""

    speaker: int
    start: int
    text: str
    times: str


class Posting(NamedTuple):
    """Positions of a term: the first, and packed steps to the others."""

    term: str
    first: int
    number: int
    steps: str


@dataclass(frozen=True)
class Contents:
    """Where everything in an index is.

    ``terms`` and ``firsts``: first term of each file of postings, and its first position. ``lines``: first position of
    each file of lines, then the number of terms; ``recordings``: the same for files of recordings. ``longest``:
    terms of the longest line. ``languages``: recordings by language.
    """

    run: str
    version: int = VERSION
    words: int = 0
    longest: int = 0
    terms: list[str] = field(default_factory=list)
    firsts: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    recordings: list[int] = field(default_factory=list)
    names: int = 0
    languages: dict[str, int] = field(default_factory=dict)
    has_speakers: bool = False
    has_dates: bool = False


def part_file(folder: Path, name: str) -> Path:
    """Returns the file of a part, by its name: ``index``, or a letter and a number such as ``p12``."""
    return folder / "index.js" if name == "index" else folder / name[0] / f"{name[1:]}.js"


def write_part_file(folder: Path, name: str, value: Any) -> None:
    """Write a part of an index."""
    text = json.dumps(to_json(value), ensure_ascii=False, separators=(",", ":"))
    path = part_file(folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    data = f'audiogridPart("{name}",{text})\n'.encode("utf-8", "replace")
    if name == "index":
        write_bytes(path, data)
    else:
        # No need to sync each: the folder counts only once it is complete and has its name, see `sync_parts`.
        path.write_bytes(data)


def sync_parts(folder: Path) -> None:
    """Wait until all parts of an index are on disk: a power cut must not leave a table of contents without them."""
    for path in folder.rglob("*.js"):
        with path.open("rb") as file:
            os.fsync(file.fileno())


def how_to_rebuild(search: Path) -> str:
    """Returns what to do about an index. ``search``: the folder of a run's indexes.

    Snakemake makes the index again only where the page is missing, and an index that is there is not made twice.
    """
    page = search.with_name(f"{search.name}.html")
    return f"delete {search} and {page} and run the same command again; nothing is decoded"


def read_part_file(folder: Path, name: str) -> Any:
    """Returns the value of a part. Raises ``InputError`` where it is missing or damaged."""
    path = part_file(folder, name)
    try:
        text = path.read_text(encoding="utf-8")
        return json.loads(text[text.index(",") + 1 : text.rindex(")")])
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}): {how_to_rebuild(folder.parent)}") from None


def read_contents(folder: Path) -> Contents:
    """Returns the contents of an index. Raises ``InputError`` as ``read_part_file`` does."""
    try:
        found = from_json(Contents, read_part_file(folder, "index"))
    except ValueError as error:
        raise InputError(
            f"{folder} is from another version of audiogrid ({error}): {how_to_rebuild(folder.parent)}"
        ) from None
    if found.version != VERSION:
        raise InputError(f"{folder} is from another version of audiogrid: {how_to_rebuild(folder.parent)}")
    return found
