"""Renders a transcript for readers: Word and Markdown."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from audiogrid.export.cues import gap_text
from audiogrid.export.format_options import time_mark
from audiogrid.export.paragraphs import Paragraph, texts_of
from audiogrid.export.renderers.plain_files import one_line
from audiogrid.export.rendering import Transcript

#: Words below this probability are marked as doubtful.
DOUBTFUL = 0.5
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~&])")
_BLOCK_START = re.compile(r"^(\s*)([-+=]|\d+[.)])(?=\s|$|[-+=])")


def _runs(words: Iterable[Mapping[str, Any]], texts: Iterable[str]) -> Iterator[tuple[bool, str]]:
    """Yields stretches of a paragraph's text with whether they are doubtful."""
    held, doubtful = "", False
    for word, text in zip(words, texts, strict=True):
        is_doubtful = word.get("probability", 1.0) < DOUBTFUL
        if held and is_doubtful != doubtful:
            yield doubtful, held
            held = ""
        held, doubtful = held + text, is_doubtful
    if held:
        yield doubtful, held


def _marked(paragraph: Paragraph) -> list[tuple[bool, str]]:
    """Returns the stretches of a paragraph; a gap is one stretch with its notice."""
    if paragraph.gap is not None:
        return [(False, one_line(gap_text(paragraph.gap)))]
    texts = [re.sub(r"\s+", " ", text) for text in texts_of(paragraph.words)]
    return list(_runs(paragraph.words, texts))


def _escaped(text: str) -> str:
    return _BLOCK_START.sub(r"\1\\\2", _MARKDOWN.sub(r"\\\1", text)) if text else ""


def render_md(transcript: Transcript) -> str:
    """Returns Markdown: a paragraph per speaker and sentence group, its time in front, doubtful words in italics."""
    lines = [f"# {_escaped(one_line(transcript.name))}".rstrip()]
    for paragraph in transcript.paragraphs:
        speaker = f"**{_escaped(one_line(paragraph.speaker))}:** " if paragraph.speaker else ""
        text = ""
        for doubtful, part in _marked(paragraph):
            body = _MARKDOWN.sub(r"\\\1", part)
            inner = body.strip()
            space = body[: len(body) - len(body.lstrip())], body[len(body.rstrip()) :] if inner else ""
            text += f"{space[0]}<em>{inner}</em>{space[1]}" if doubtful and inner else body
        mark = _MARKDOWN.sub(r"\\\1", time_mark(paragraph.start, transcript.options.value("md", "time_marks")))
        lines.append(f"{mark}{speaker}{text.strip()}")
    return "\n\n".join(lines) + "\n"


def render_docx(transcript: Transcript) -> bytes:
    """Returns a Word document: a paragraph per speaker, its time as ``[hh:mm:ss]``, doubtful words highlighted."""
    from docx import Document
    from docx.enum.text import WD_COLOR_INDEX

    made = Document()
    made.core_properties.author = "audiogrid"
    made.core_properties.title = one_line(transcript.name)
    made.add_heading(one_line(transcript.name), level=1)
    for paragraph in transcript.paragraphs:
        block = made.add_paragraph()
        block.add_run(time_mark(paragraph.start, transcript.options.value("docx", "time_marks")))
        if paragraph.speaker:
            block.add_run(f"{one_line(paragraph.speaker)}: ").bold = True
        for doubtful, text in _marked(paragraph):
            run = block.add_run(text)
            if doubtful:
                run.font.highlight_color = WD_COLOR_INDEX.YELLOW
    buffer = io.BytesIO()
    made.save(buffer)
    return _without_dates(buffer.getvalue())


def _without_dates(data: bytes) -> bytes:
    """Returns the archive with one fixed date for all members, so that equal transcripts give equal files."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.infolist():
            new.writestr(
                zipfile.ZipInfo(member.filename, (1980, 1, 1, 0, 0, 0)), old.read(member), zipfile.ZIP_DEFLATED
            )
    return target.getvalue()
