"""Renders a transcript for readers: Word and Markdown."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from xml.sax.saxutils import escape

from audiogrid.export.cues import gap_text
from audiogrid.export.format_options import time_mark
from audiogrid.export.line_breaking import is_right_to_left
from audiogrid.export.paragraphs import Paragraph, texts_of
from audiogrid.export.provenance import machine_made
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


def _run_xml(text: str, properties: str = "") -> str:
    inside = f"<w:rPr>{properties}</w:rPr>" if properties else ""
    return f'<w:r>{inside}<w:t xml:space="preserve">{escape(text)}</w:t></w:r>'


def _paragraph_xml(paragraph: Paragraph, style: str) -> str:
    """Returns a paragraph as Word writes it: its time, the speaker in bold, doubtful words highlighted."""
    runs = [_run_xml(mark)] if (mark := time_mark(paragraph.start, style)) else []
    if paragraph.speaker:
        runs.append(_run_xml(f"{one_line(paragraph.speaker)}: ", "<w:b/>"))
    is_reversed = is_right_to_left(paragraph.text)
    for doubtful, text in _marked(paragraph):
        highlight = '<w:highlight w:val="yellow"/>' if doubtful else ""
        runs.append(_run_xml(text, highlight + ("<w:rtl/>" if is_reversed else "")))
    direction = "<w:pPr><w:bidi/></w:pPr>" if is_reversed else ""
    return f"<w:p>{direction}{''.join(runs)}</w:p>"


def render_docx(transcript: Transcript) -> bytes:
    """Returns a Word document: a paragraph per speaker, its time as ``[hh:mm:ss]``, doubtful words highlighted.

    python-docx makes the document around the paragraphs. They are written as text: as its objects, those of ten hours
    take as long as all other formats together.
    """
    from docx import Document

    made = Document()
    made.core_properties.author = "audiogrid"
    made.core_properties.title = one_line(transcript.name)
    made.core_properties.comments = machine_made(transcript.document)
    made.add_heading(one_line(transcript.name), level=1)
    # The last paragraph gives its place to those of the transcript.
    made.add_paragraph("…")
    buffer = io.BytesIO()
    made.save(buffer)
    style = str(transcript.options.value("docx", "time_marks"))
    body = "".join(_paragraph_xml(paragraph, style) for paragraph in transcript.paragraphs).encode()
    return _finished(buffer.getvalue(), body)


def _finished(data: bytes, body: bytes) -> bytes:
    """Returns the archive with its paragraphs, and with one fixed date for all members.

    Equal transcripts thus give equal files.
    """
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.infolist():
            content = old.read(member)
            if member.filename == "word/document.xml":
                end = content.rindex(b"<w:sectPr")
                content = content[: content.rindex(b"<w:p>", 0, end)] + body + content[end:]
            new.writestr(zipfile.ZipInfo(member.filename, (1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return target.getvalue()
