"""Reads the text of a transcript that a person edited in another program: subtitles, text, Word, ELAN, Praat."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from audiogrid.core.errors import InputError
from audiogrid.core.text import clean_text
from audiogrid.core.word_paragraphs import read_paragraphs

# A transcript of ten hours has 6 MB.
_LARGEST = 200_000_000
_TIMES = re.compile(r"(?:(\d+):)?(\d+):(\d+)[.,](\d{3})\s*-->")
_TAG = re.compile(r"<[^<>]*>")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]*)>")
_MARK = re.compile(r"^(?:\[\d+:\d\d:\d\d\]|#\d+:\d\d:\d\d-\d+#)\s*")
_GAP = re.compile(r"^\[not transcribed \d+:\d\d:\d\d-\d+:\d\d:\d\d: .*\]$")
_INTERVAL = re.compile(r'xmin\s*=\s*([\d.eE+-]+)\s*xmax\s*=\s*[\d.eE+-]+\s*text\s*=\s*"((?:[^"]|"")*)"')
_TIER = re.compile(r'class\s*=\s*"IntervalTier"\s*name\s*=\s*"((?:[^"]|"")*)"')


@dataclass(frozen=True)
class EditedText:
    """A piece of text. ``start``: in seconds, where the file says it; ``speaker``: empty where it names none."""

    text: str
    start: float | None = None
    speaker: str = ""


def _subtitles(text: str) -> Iterator[EditedText]:
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n").replace("\r", "\n")):
        lines = block.strip().split("\n")
        found = next(((n, match) for n, line in enumerate(lines) if (match := _TIMES.match(line.strip()))), None)
        if found is None:
            continue
        number, match = found
        hours, minutes, seconds, thousandths = (int(part or 0) for part in match.groups())
        said = " ".join(lines[number + 1 :])
        voice = _VOICE.search(said)
        start = 3600 * hours + 60 * minutes + seconds + thousandths / 1000
        yield EditedText(html.unescape(_TAG.sub("", said)), start, html.unescape(voice[1]) if voice else "")


def _srt(data: bytes) -> Iterator[EditedText]:
    yield from _subtitles(data.decode("utf-8-sig"))


def _txt(data: bytes) -> Iterator[EditedText]:
    for block in re.split(r"\n\s*\n", data.decode("utf-8-sig").replace("\r\n", "\n")):
        yield EditedText(_MARK.sub("", " ".join(block.split())))


def _docx(data: bytes) -> Iterator[EditedText]:
    for paragraph in read_paragraphs(data):
        if not paragraph.style.startswith(("Heading", "Title")):
            yield EditedText(_MARK.sub("", paragraph.text.strip()))


def _eaf(data: bytes) -> Iterator[EditedText]:
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise ValueError("it declares entities, which ELAN never does")
    # Without entities nothing in it grows.
    root = ElementTree.fromstring(data)
    times = {slot.get("TIME_SLOT_ID"): slot.get("TIME_VALUE") for slot in root.iter("TIME_SLOT")}
    for tier in root.iter("TIER"):
        if tier.get("PARENT_REF"):
            continue
        for annotation in tier.iter("ALIGNABLE_ANNOTATION"):
            start = float(times.get(annotation.get("TIME_SLOT_REF1")) or 0) / 1000
            value = annotation.findtext("ANNOTATION_VALUE") or ""
            yield EditedText(value, start, tier.get("PARTICIPANT") or tier.get("TIER_ID") or "")


def _textgrid(data: bytes) -> Iterator[EditedText]:
    text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    tiers = list(_TIER.finditer(text))
    names = {tier[1] for tier in tiers}
    for number, tier in enumerate(tiers):
        # Beside each tier of segments there may be one of its words.
        if any(tier[1] == f"{name} words" for name in names):
            continue
        end = tiers[number + 1].start() if number + 1 < len(tiers) else len(text)
        for interval in _INTERVAL.finditer(text, tier.end(), end):
            if interval[2].strip():
                yield EditedText(interval[2].replace('""', '"'), float(interval[1]), tier[1].replace('""', '"'))


#: Readers by the end of a file's name, and the output format that a file with it is made from.
READERS: dict[str, tuple[str, Callable[[bytes], Iterator[EditedText]]]] = {
    ".srt": ("srt", _srt),
    ".vtt": ("vtt", _srt),
    ".txt": ("txt", _txt),
    ".docx": ("docx", _docx),
    ".eaf": ("eaf", _eaf),
    ".textgrid": ("textgrid", _textgrid),
}


def read_texts(data: bytes, ending: str) -> list[EditedText]:
    """Returns the texts of a file, without notices of gaps. ``ending``: a key of ``READERS``.

    Raises ``InputError`` that says why it cannot be read.
    """
    try:
        found = [
            EditedText(clean_text(one.text).strip(), one.start, " ".join(clean_text(one.speaker).split()))
            for one in READERS[ending][1](data)
        ]
    except Exception as error:
        # Whatever a damaged file makes a library do.
        raise InputError(f"cannot be read as {READERS[ending][0]} ({type(error).__name__}: {error})") from None
    return [one for one in found if one.text and not _GAP.match(one.text)]


def read_edited(path: Path) -> list[EditedText]:
    """Returns the texts of a file. Raises ``InputError`` with its name and what is wrong with it."""
    ending = path.suffix.lower()
    if ending not in READERS:
        raise InputError(f"{path}: corrections are taken from json, {', '.join(one[1:] for one in READERS)}")
    try:
        if path.stat().st_size > _LARGEST:
            raise InputError("is too large to be a transcript")
        found = read_texts(path.read_bytes(), ending)
        if not found:
            raise InputError("holds no text")
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error})") from None
    except InputError as error:
        raise InputError(f"{path} {error}") from None
    return found
