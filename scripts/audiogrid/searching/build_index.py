"""Builds the search index of a run from the parts of its bundles, in a stream, and the page that reads it.

The index lies in a folder of its own that is named for what it was made from. A page is written only when its index is
complete, and an older index goes only then: a reader, or a run that is killed, never meets half of one.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiogrid import __version__
from audiogrid.core.atomic_files import write_text
from audiogrid.core.errors import InputError
from audiogrid.core.search_terms import term_pattern
from audiogrid.merging.search_part import part_path, read_part
from audiogrid.records.run_folder import RunFolder
from audiogrid.searching.index_files import (
    VERSION,
    Contents,
    Line,
    Posting,
    Recording,
    how_to_rebuild,
    part_file,
    read_contents,
    sync_parts,
    write_part_file,
)
from audiogrid.searching.postings import PostingSorter
from audiogrid.searching.search_page import render_search_page


@dataclass(frozen=True)
class Sizes:
    """How much a file of an index holds, which is what a page loads at once: characters, or recordings."""

    postings: int = 100_000
    lines: int = 64_000
    recordings: int = 500


_SIZES = Sizes()


class _Writer:
    """Writes numbered files of one letter, each up to a size. ``firsts`` and ``terms``: what each begins with."""

    def __init__(self, folder: Path, letter: str, size: int) -> None:
        self._folder, self._letter, self._limit = folder, letter, size
        self._held: list[Any] = []
        self._size = 0
        self.firsts: list[int] = []
        self.terms: list[str] = []

    def add(self, entry: Any, size: int, first: int, term: str = "") -> None:
        """Add an entry that begins at a position."""
        if not self._held:
            self.firsts.append(first)
            self.terms.append(term)
        self._held.append(entry)
        self._size += size
        if self._size >= self._limit:
            self.close()

    def close(self) -> None:
        """Write what is held."""
        if self._held:
            write_part_file(self._folder, f"{self._letter}{len(self.firsts) - 1}", self._held)
            self._held, self._size = [], 0


def _generation(folder: RunFolder, bundles: Iterable[str]) -> str:
    """Returns a name for the index that belongs to the parts as they are now."""
    seen = hashlib.sha256(f"{VERSION} {__version__} {folder.root.name}".encode())
    for bundle in bundles:
        path = part_path(folder, bundle)
        if path.is_file():
            with path.open("rb") as file:
                seen.update(f"{bundle} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return seen.hexdigest()[:16]


def _values(folder: RunFolder, bundles: Iterable[str]) -> Iterator[Any]:
    """Yields the values of all parts. Raises ``InputError`` where one is damaged."""
    for bundle in bundles:
        path = part_path(folder, bundle)
        if not path.is_file():
            # A bundle that an earlier version has merged.
            continue
        try:
            yield from read_part(path)
        except (ValueError, KeyError):
            report = folder.merged / f"{bundle}.json"
            raise InputError(f"{path} is damaged: delete it and {report}, and run again; nothing is decoded") from None


def write_index(
    values: Iterable[Any], target: Path, run: str, sorter: PostingSorter, sizes: Sizes = _SIZES
) -> Contents:
    """Write an index into the folder ``target``: of recordings, each an object followed by its lines.

    Returns its contents. ``run``: name of the run; ``sorter``: an empty one.
    """
    lines = _Writer(target, "l", sizes.lines)
    recordings = _Writer(target, "r", sizes.recordings)
    find = term_pattern().findall
    position = longest = names = 0
    languages: dict[str, int] = {}
    has_speakers = has_dates = False
    for value in values:
        if isinstance(value, dict):
            one = Recording(first=position, **value)
            recordings.add(one, 1, position)
            names += 1
            languages[one.language] = languages.get(one.language, 0) + 1
            has_speakers |= bool(one.speakers)
            has_dates |= bool(one.date)
            continue
        line = Line(*value)
        terms = find(line.text)
        sorter.add_line(position, terms)
        lines.add(line, len(line.text) + len(line.times) + 20, position)
        longest = max(longest, len(terms))
        position += len(terms)
    lines.close()
    recordings.close()
    postings = _Writer(target, "p", sizes.postings)
    for posting in sorter.postings():
        postings.add(posting, _size(posting), posting.first, posting.term)
    postings.close()
    contents = Contents(
        run,
        words=position,
        longest=longest,
        terms=postings.terms,
        firsts=postings.firsts,
        lines=[*lines.firsts, position],
        recordings=[*recordings.firsts, position],
        names=names,
        languages=dict(sorted(languages.items())),
        has_speakers=has_speakers,
        has_dates=has_dates,
    )
    write_part_file(target, "index", contents)
    return contents


def _size(posting: Posting) -> int:
    return len(posting.term) + len(posting.steps) + 16


def build_index(folder: RunFolder, bundles: Iterable[str]) -> None:
    """Write the search index and ``search.html`` of a run, unless they are there already.

    Raises ``InputError`` where a part of a bundle is damaged, and ``OSError``.
    """
    bundles = list(bundles)
    generation = _generation(folder, bundles)
    target = folder.search / generation
    if not part_file(target, "index").is_file():
        folder.search.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.search) as made:
            runs, fresh = Path(made, "runs"), Path(made, generation)
            runs.mkdir()
            fresh.mkdir()
            write_index(_values(folder, bundles), fresh, folder.root.name, PostingSorter(runs))
            sync_parts(fresh)
            shutil.rmtree(target, ignore_errors=True)
            fresh.rename(target)
    page = render_search_page(read_contents(target), f"{folder.search.name}/{generation}")
    write_text(folder.search_page, page)
    for other in folder.search.iterdir():
        if other.is_dir() and other.name != generation:
            shutil.rmtree(other, ignore_errors=True)


def remove_index(folder: RunFolder) -> None:
    """Remove page and index of a run that is not to be searched."""
    folder.search_page.unlink(missing_ok=True)
    shutil.rmtree(folder.search, ignore_errors=True)


def find_index(folder: RunFolder) -> Path:
    """Returns the folder of a run's index. Raises ``InputError`` where it has none."""
    found = sorted(folder.search.glob("*/index.js")) if folder.search.is_dir() else []
    found = [path for path in found if not path.parent.name.startswith(".")]
    if not found and folder.search_page.exists():
        raise InputError(f"{folder.root} has no search index: {how_to_rebuild(folder.search)}")
    if not found:
        raise InputError(
            f"{folder.root} has no search index: run the same command again, without search: false; nothing is decoded"
        )
    return max(found, key=lambda path: path.stat().st_mtime_ns).parent
