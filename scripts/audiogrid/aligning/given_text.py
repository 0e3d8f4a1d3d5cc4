"""Reads the text that a recording is said to have: txt, srt, vtt or docx, with or without names of speakers."""

from __future__ import annotations

import html
import math
import re
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from audiogrid.core.errors import InputError
from audiogrid.core.text import clean_name, clean_text, comparison_form
from audiogrid.core.word_paragraphs import WordParagraph, read_paragraphs

#: A longer text is not read: ten hours of speech have about 600 kB.
LARGEST_BYTES = 20_000_000
_LARGEST_UNPACKED = 200_000_000
_TIME_LINE = re.compile(r"^\s*[\d:.,]+\s*-->.*$")
_TIME = re.compile(r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})")
# Nobody can read a cue that is shown for fewer seconds.
_SHORTEST_CUE = 0.05
_NUMBER_LINE = re.compile(r"^\s*\d+\s*$")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")
_TAG = re.compile(r"</?(?:v|c|i|b|u|lang|ruby|rt|font)\b[^>]*>|<\d[\d:.]*>|\{\\[^}]*\}")
_NAME = re.compile(r"[^\W\d_][^:.!?\[\]()]{0,39}:?")
_OTHER_FORMATS = (b"{\\rtf", b"%pdf", b"<!doctype html", b"<html", b"pk\3\4", b"\xd0\xcf\x11\xe0")
_LABEL = re.compile(r"^([^\W\d_][^:.!?\[\]()]{0,39}):\s+(?=\S)")
# Scripts without spaces between words: each character is a word. Thai, Lao, Burmese, Khmer; Chinese and Japanese.
_UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    r"\U00020000-\U0003ffff]"
)
_SENTENCE_END = (".", "?", "!", "…", "。", "？", "！")
_CLOSING = "\"'”»)] "


def is_sentence_end(word: str) -> bool:
    """Returns whether a sentence ends behind a word, by its punctuation."""
    return word.rstrip(_CLOSING).endswith(_SENTENCE_END)


@dataclass(frozen=True)
class GivenWord:
    """A word of the text. ``text``: as written, with its leading space; ``form``: as it is compared.

    ``paragraph``: number of its paragraph; ``speaker``: who says it, empty where the text does not say.
    """

    text: str
    form: str
    paragraph: int
    speaker: str = ""

    @property
    def ends_sentence(self) -> bool:
        """Whether a sentence ends behind it."""
        return is_sentence_end(self.text)


@dataclass(frozen=True)
class _Paragraph:
    text: str
    speaker: str = ""


def read_given_text(path: Path) -> list[GivenWord]:
    """Returns the words of a text. Raises ``InputError`` when it cannot be read or holds no words."""
    try:
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            raise InputError(f"the text {path} has {size // 1_000_000} MB: name the text of this recording alone")
        paragraphs = _docx(path) if path.suffix.lower() == ".docx" else _plain(path)
    except OSError as error:
        raise InputError(f"the text {path} cannot be read ({error.strerror}): check its path in the table") from None
    words = list(_words(_with_labels(paragraphs)))
    if not any(word.form for word in words):
        raise InputError(f"the text {path} holds no words: name the file with the text of this recording")
    return words


def _plain(path: Path) -> list[_Paragraph]:
    data = path.read_bytes()
    if data.lstrip()[:20].lower().startswith(_OTHER_FORMATS):
        raise InputError(f"the text {path} is in a format that is not read: save it as txt or docx")
    try:
        text = data.decode(_encoding(data))
    except UnicodeDecodeError:
        raise InputError(f"the text {path} is not UTF-8 text: save it as UTF-8, or as docx") from None
    if "\0" in text:
        raise InputError(f"the text {path} is no text: name a txt, srt, vtt or docx file")
    suffix = path.suffix.lower()
    return list(_cues(text)) if suffix in (".srt", ".vtt") else _blocks(text)


def _encoding(data: bytes) -> str:
    """Returns UTF-16 where a mark says so, or where one byte of two is mostly zero, as in spaces.

    Else it is UTF-8: which of the many codes of eight bits a text may have cannot be told.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    high, low = data[::2].count(0), data[1::2].count(0)
    if max(high, low) <= 9 * min(high, low):
        return "utf-8-sig"
    return "utf-16-be" if high > low else "utf-16-le"


def _blocks(text: str) -> list[_Paragraph]:
    """Paragraphs are lines, or, where lines are broken inside of sentences, what empty lines part."""
    return [_Paragraph(line) for line in text.splitlines() if line.strip()]


def _cues(text: str) -> Iterator[_Paragraph]:
    """Yields the text of cues without numbers, times, notes and tags.

    Subtitles that roll show a line again above the next one, or for a moment between two cues: it is read once.
    """
    before: list[str] = []
    for block in re.split(r"\r?\n[^\S\n]*\r?\n", text.strip()):
        lines = block.splitlines()
        if lines and re.match(r"^(WEBVTT|NOTE|STYLE|REGION)\b", lines[0].lstrip("\ufeff")):
            continue
        at = next((index for index, line in enumerate(lines) if _TIME_LINE.match(line)), None)
        if at is not None and _lasts(lines[at]) < _SHORTEST_CUE:
            continue
        if at is None and lines and _NUMBER_LINE.match(lines[0]):
            at = 0
        shown = [line for line in lines[0 if at is None else at + 1 :] if _without_tags(line)]
        texts = [_without_tags(line) for line in shown]
        again = next((count for count in range(len(texts) - 1, 0, -1) if before[-count:] == texts[:count]), 0)
        before = texts or before
        for line, plain in zip(shown[again:], texts[again:], strict=True):
            voice = _VOICE.search(line)
            yield _Paragraph(plain, clean_name(html.unescape(voice[1])) if voice else "")


def _lasts(line: str) -> float:
    """Returns for how many seconds a cue is shown, by the line with its times."""
    times = [
        60 * (60 * int(hours or 0) + int(minutes)) + float(f"{s}.{ms}") for hours, minutes, s, ms in _TIME.findall(line)
    ]
    return times[1] - times[0] if len(times) == 2 else math.inf


def _without_tags(line: str) -> str:
    return html.unescape(_TAG.sub("", line)).strip()


def _docx(path: Path) -> list[_Paragraph]:
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _LARGEST_UNPACKED:
                raise InputError(f"the text {path} unpacks to more than 200 MB: save its text alone")
        paragraphs = [one for one in read_paragraphs(path.read_bytes()) if one.text.strip()]
    except InputError:
        raise
    except Exception as error:
        # The library raises what its parsers raise: bad archives, bad XML, missing parts.
        raise InputError(f"the text {path} is no Word document ({type(error).__name__}): save it again") from None
    return list(_rows_with_names(paragraphs))


def _rows_with_names(paragraphs: Sequence[WordParagraph]) -> Iterator[_Paragraph]:
    """Yields paragraphs; a name in a cell of its own is put before what stands beside it, a colon between them.

    Times and numbers in a cell of their own are left out.
    """
    for row, group in groupby(paragraphs, lambda one: one.row):
        texts = [one.text.strip() for one in group]
        if row is not None:
            texts = [text for text in texts if any(map(str.isalpha, text))]
            if len(texts) > 1 and _NAME.fullmatch(texts[0]):
                texts[:2] = [f"{texts[0].rstrip(':')}: {texts[1]}"]
        yield from map(_Paragraph, texts)


def _with_labels(paragraphs: Sequence[_Paragraph]) -> list[_Paragraph]:
    """Takes names of speakers off the beginnings of paragraphs.

    A name stands before at least two of them, or in capitals, so that a sentence with a colon stays whole.
    """
    labels = [_LABEL.match(one.text.strip()) for one in paragraphs]
    counts = Counter(label[1] for label in labels if label)
    found, speaker = [], ""
    for one, label in zip(paragraphs, labels, strict=True):
        if one.speaker:
            found.append(one)
        elif label and (counts[label[1]] > 1 or label[1].isupper()) and len(label[1].split()) <= 4:
            speaker = clean_name(label[1])
            found.append(_Paragraph(one.text.strip()[label.end() :], speaker))
        else:
            found.append(_Paragraph(one.text, speaker))
    return found


def _words(paragraphs: Sequence[_Paragraph]) -> Iterator[GivenWord]:
    """Yields words; what holds no letter belongs to the word before it, or to the next one."""
    for number, paragraph in enumerate(paragraphs):
        text = clean_text(unicodedata.normalize("NFC", paragraph.text))
        held, waiting = "", None
        for piece in split_words(text):
            form = comparison_form(piece)
            if not form:
                if waiting is None:
                    held += piece
                else:
                    waiting = GivenWord(waiting.text + piece, waiting.form, number, paragraph.speaker)
                continue
            if waiting is not None:
                yield waiting
            # What stands before the first word keeps its distance to it.
            waiting, held = GivenWord(held + piece, form, number, paragraph.speaker), ""
        if waiting is not None:
            yield waiting


def split_words(text: str) -> Iterator[str]:
    """Yields the words of a text with their leading space; in scripts without spaces, characters."""
    for word in text.split():
        lead = " "
        while found := _UNSPACED.search(word):
            if found.start():
                yield lead + word[: found.start()]
                lead = ""
            end = found.end()
            while end < len(word) and unicodedata.category(word[end]).startswith("M"):
                end += 1
            yield lead + word[found.start() : end]
            word, lead = word[end:], ""
        if word:
            yield lead + word
