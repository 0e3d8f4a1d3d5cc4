"""The text of a Word document by paragraphs, also in tables and boxes, as it reads when all changes are accepted."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
# What Word keeps beside the text: what was moved away, and boxes a second time for old programs.
_SKIPPED = (f"{_W}moveFrom", "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback")
_WRITTEN_AS = {f"{_W}tab": " ", f"{_W}br": " ", f"{_W}cr": " ", f"{_W}noBreakHyphen": "-"}


@dataclass(frozen=True)
class WordParagraph:
    """A paragraph: its ``text``, the name of its ``style``, and where it stands in a table.

    ``row``: number of its row among all rows of the document, from 0; ``None`` outside of tables.
    """

    text: str
    style: str = ""
    row: int | None = None


def read_paragraphs(data: bytes) -> list[WordParagraph]:
    """Returns the paragraphs of a document in order; footnotes, headers and comments are not among them.

    Raises what the library raises: bad archives, bad XML, missing parts.
    """
    from docx import Document

    document = Document(io.BytesIO(data))
    names = {style.style_id: str(style.name) for style in document.styles}
    rows: dict[Any, int] = {}
    found = []
    for element in _inside(document.element.body, f"{_W}p"):
        row = next(element.iterancestors(f"{_W}tr"), None)
        number = None if row is None else rows.setdefault(row, len(rows))
        style = element.find(f"{_W}pPr/{_W}pStyle")
        name = "" if style is None else names.get(style.get(f"{_W}val"), "")
        found.append(WordParagraph(_text(element), name, number))
    return found


def _text(paragraph: Any) -> str:
    return "".join(
        (part.text or "") if part.tag == f"{_W}t" else _WRITTEN_AS[part.tag]
        for part in _inside(paragraph, f"{_W}t", *_WRITTEN_AS)
        # A box inside of a paragraph has paragraphs of its own.
        if next(part.iterancestors(f"{_W}p")) is paragraph
    )


def _inside(element: Any, *tags: str) -> Iterator[Any]:
    return (part for part in element.iter(*tags) if not any(True for _ in part.iterancestors(*_SKIPPED)))
