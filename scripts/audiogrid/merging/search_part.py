"""A bundle's part of the search index: the lines of its transcripts. Each bundle writes its part, as of the ledger.

A part is a text file of JSON values, one a line: an object for each recording, then a list for each of its lines.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from audiogrid.core.atomic_files import write_atomically
from audiogrid.core.packed_numbers import pack_rising
from audiogrid.core.search_terms import term_pattern
from audiogrid.core.secrets import masked
from audiogrid.core.text import clean_text
from audiogrid.export.media_links import media_url
from audiogrid.export.paragraphs import Paragraph, make_paragraphs, texts_of
from audiogrid.records.run_folder import RunFolder

# What a part says of a recording.
_FIELDS = ("recording", "file", "language", "date", "media", "page", "speakers")
#: Times of words are kept in steps of so many milliseconds, rounded down.
STEP_MS = 50


def part_path(folder: RunFolder, bundle: str) -> Path:
    """Returns the path of a bundle's part."""
    return folder.merged / f"{bundle}.search.jsonl"


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"


def _term_times(paragraph: Paragraph, text: str) -> list[int]:
    """Returns when each term of a paragraph's text is said: the start of the word in which it begins, in steps."""
    starts, ends, at = [], [], 0
    for word, written in zip(paragraph.words, texts_of(paragraph.words), strict=True):
        at += len(written)
        starts.append(int(1000 * word["start"]) // STEP_MS)
        ends.append(at)
    times, word_number, before = [], 0, 0
    for found in term_pattern().finditer(text):
        while ends[word_number] <= found.start():
            word_number += 1
        before = max(before, starts[word_number])
        times.append(before)
    return times


def search_lines(document: Mapping[str, Any], folder: Path, page: Path | None) -> list[bytes]:
    """Returns the lines of a recording's part. ``folder``: of the run; ``page``: of the recording, if it has one."""
    found = [paragraph for paragraph in make_paragraphs(document) if paragraph.words]
    speakers = list(dict.fromkeys(paragraph.speaker for paragraph in found if paragraph.speaker))
    path = str(document["path"])
    name = masked(path.split("?")[0] if "://" in path else path).replace("\\", "/").split("/")[-1]
    media = media_url(path, folder)
    lines = [
        _json(
            {
                "recording": document["recording"],
                "file": clean_text(name),
                "language": document.get("language") or "",
                "date": document.get("date", ""),
                "media": media if masked(media) == media else "",
                "page": "" if page is None else quote(page.relative_to(folder).as_posix()),
                "speakers": speakers,
            }
        )
    ]
    number = {speaker: index for index, speaker in enumerate(speakers)}
    for paragraph in found:
        text = paragraph.text
        times = _term_times(paragraph, text)
        if times:
            start = times[0]
            lines.append(_json([number.get(paragraph.speaker or "", -1), start, text, pack_rising(times, start)]))
    return lines


def write_search_part(folder: RunFolder, bundle: str, recordings: Sequence[Sequence[bytes]]) -> None:
    """Write the part of a bundle: the lines of its recordings."""

    def fill(file: BinaryIO) -> None:
        for lines in recordings:
            file.writelines(lines)

    write_atomically(part_path(folder, bundle), fill)


def read_part(path: Path) -> Iterator[Any]:
    """Yields the values of a part. Raises ``OSError``, and ``ValueError`` where it is damaged."""
    with path.open("rb") as file:
        for line in file:
            value = json.loads(line)
            if isinstance(value, dict):
                yield {field: value[field] for field in _FIELDS}
            elif isinstance(value, list) and list(map(type, value)) == [int, int, str, str]:
                yield value
            else:
                raise ValueError("neither a recording nor a line")
