"""Transcript documents of given texts, and search indexes over them, for tests of the index and of its page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from audiogrid.merging.search_part import search_lines
from audiogrid.searching.build_index import Sizes, write_index
from audiogrid.searching.index_files import Contents
from audiogrid.searching.postings import PostingSorter
from audiogrid.searching.search_page import render_search_page

#: A file of the index for a few words each: what is found lies in many of them.
TINY = Sizes(postings=600, lines=120, recordings=2)


def document(
    recording: str,
    lines: Sequence[str],
    *,
    language: str = "en",
    speakers: Sequence[str] = (),
    date: str = "",
    path: str = "",
) -> dict[str, Any]:
    """A document with a segment per line, three seconds apart, a word every 0.4 s."""
    segments, at = [], 0.0
    for number, line in enumerate(lines):
        words = []
        for word in line.split(" "):
            words.append({"start": at, "end": at + 0.3, "word": f" {word}", "probability": 0.9})
            at += 0.4
        at += 3
        who = {"speaker": speakers[number]} if speakers else {}
        span = {"start": words[0]["start"], "end": words[-1]["end"]}
        chunk = f"{recording}.0000"
        segments.append(
            {"id": number, **span, "text": line, "language": language, "chunk": chunk, "words": words, **who}
        )
    dated = {"date": date} if date else {}
    where = path or f"in/{recording}.wav"
    return {"recording": recording, "path": where, "language": language, "segments": segments, "gaps": [], **dated}


def write_search(
    root: Path, documents: Iterable[dict[str, Any]], *, sizes: Sizes = TINY, in_memory: int = 25, in_posting: int = 4
) -> Contents:
    """Index and page of documents in the folder of a run; returns the contents of the index, in ``search/made``."""
    runs = root / "runs"
    runs.mkdir(parents=True)
    values = (
        json.loads(line)
        for one in documents
        for line in search_lines(one, root, root / "transcripts" / f"{one['recording']}.html")
    )
    target = root / "search" / "made"
    contents = write_index(values, target, root.name, PostingSorter(runs, in_memory, in_posting), sizes)
    (root / "search.html").write_text(render_search_page(contents, "search/made"), encoding="utf-8")
    return contents
