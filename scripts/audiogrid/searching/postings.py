"""Sorts the terms of a run by term in little memory: runs of sorted postings on disk, merged at the end."""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path

from audiogrid.core.packed_numbers import pack, pack_rising
from audiogrid.core.search_terms import term_of
from audiogrid.searching.index_files import Posting

#: Positions kept in memory before they go to disk.
IN_MEMORY = 3_000_000
#: Positions in one posting at most, so that no file of the index is much larger than it should be.
IN_POSTING = 16_384


class PostingSorter:
    """Takes terms in the order of positions, and gives them back in the order of terms. ``folder``: for its runs."""

    def __init__(self, folder: Path, in_memory: int = IN_MEMORY, in_posting: int = IN_POSTING) -> None:
        self._folder = folder
        self._in_memory = in_memory
        self._in_posting = in_posting
        self._runs: list[Path] = []
        self._lists: dict[str, array[int]] = {}
        # The lists again, by the term as it is written: a text has few words that were not there before.
        self._written: dict[str, array[int]] = {}
        self._count = 0

    def add_line(self, position: int, written: list[str]) -> None:
        """Add a line: its terms as they are written, the first one at ``position``."""
        self._list("").append(position)
        known = self._written
        for word in written:
            found = known.get(word)
            if found is None:
                found = known[word] = self._list(term_of(word))
            found.append(position)
            position += 1
        self._count += len(written) + 1
        if self._count >= self._in_memory:
            self._spill()

    def _list(self, term: str) -> array[int]:
        found = self._lists.get(term)
        if found is None:
            found = self._lists[term] = array("Q")
        return found

    def _spill(self) -> None:
        path = self._folder / f"run{len(self._runs)}.tsv"
        with path.open("w", encoding="utf-8", newline="\n") as file:
            for term in sorted(self._lists):
                positions = self._lists[term]
                for at in range(0, len(positions), self._in_posting):
                    some = positions[at : at + self._in_posting]
                    file.write(f"{term}\t{some[0]}\t{some[-1]}\t{len(some)}\t{pack_rising(some[1:], some[0])}\n")
        self._runs.append(path)
        self._lists, self._written, self._count = {}, {}, 0

    def postings(self) -> Iterator[Posting]:
        """Yields all postings: by term, those of one term in the order of positions."""
        self._spill()
        runs = [_lines(path, number) for number, path in enumerate(self._runs)]
        yield from _joined(heapq.merge(*runs, key=lambda line: (line[0], line[1])), self._in_posting)


_Line = tuple[str, int, int, int, int, str]


def _lines(path: Path, number: int) -> Iterator[_Line]:
    """Yields term, number of the run, first and last position, count and steps."""
    with path.open(encoding="utf-8", newline="\n") as file:
        for line in file:
            term, first, last, count, steps = line[:-1].split("\t")
            yield term, number, int(first), int(last), int(count), steps


def _joined(lines: Iterable[_Line], most: int) -> Iterator[Posting]:
    """Yields postings: neighbours of one term as one, as long as it does not become too large."""
    term, first, last, count, parts = "", 0, 0, 0, [""]
    for new, _, start, end, number, steps in lines:
        if count and (new != term or count + number > most):
            yield Posting(term, first, count, "".join(parts))
            count = 0
        if count:
            parts += [pack([start - last]), steps]
        else:
            term, first, parts = new, start, [steps]
        last, count = end, count + number
    if count:
        yield Posting(term, first, count, "".join(parts))
