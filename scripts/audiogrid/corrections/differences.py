"""Turns the differences between a transcript and a copy that a person edited into corrections.

The copy may have lost times and line breaks: only the order of its words counts. What the output format itself changes
(SubRip has no arrows, for example) is no correction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import SequenceMatcher
from typing import Any

from audiogrid.core.errors import InputError
from audiogrid.core.text import LONGEST_NAME, clean_name
from audiogrid.corrections.apply_passages import split_words
from audiogrid.corrections.edited_files import READERS, EditedText, read_texts
from audiogrid.corrections.entries import Passage, SpeakerName
from audiogrid.corrections.locating import form
from audiogrid.corrections.speaker_names import name_speaker
from audiogrid.export.formats import render
from audiogrid.export.line_breaking import separator
from audiogrid.records.chunks import channel_of_chunk

# A copy with a smaller share of the transcript's words is of another recording.
_LEAST_COMMON = 0.5
_AROUND = 4


@dataclass(frozen=True)
class _Piece:
    """A piece of a transcript as ``split_words`` makes them, and the word that it begins and ends in."""

    text: str
    first: Mapping[str, Any]
    last: Mapping[str, Any]
    channel: int

    @property
    def plain(self) -> str:
        return self.text.strip()


def unchanged_texts(document: Mapping[str, Any], ending: str) -> list[EditedText]:
    """Returns the texts that a copy had before anybody edited it. ``ending``: as in ``READERS``."""
    rendered = render(document, READERS[ending][0])
    return read_texts(rendered if isinstance(rendered, bytes) else rendered.encode(), ending)


def edited_passages(
    document: Mapping[str, Any], texts: Sequence[EditedText], own: Sequence[EditedText], by: str = ""
) -> list[Passage]:
    """Returns the corrections that make a document say what an edited copy says. ``own``: its ``unchanged_texts``.

    Raises ``InputError`` where the copy has less than half of the words.
    """
    when = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    of_format = {(one.start, one.end, one.was, one.text) for one in _passages(document, own, when, "")}
    found = _passages(document, _as_spoken(texts, own), when, clean_name(by))
    return [one for one in found if (one.start, one.end, one.was, one.text) not in of_format]


def edited_names(
    document: Mapping[str, Any], texts: Sequence[EditedText], own: Sequence[EditedText], by: str = ""
) -> list[SpeakerName]:
    """Returns the names that an edited copy gives to speakers: those that all of a speaker's texts have there.

    Where only some have another name, they are another speaker's, and no entry can say that. ``own``: as for
    ``edited_passages``.
    """
    given: dict[str, set[str]] = {}
    for _, name, _, speaker in _known(texts, own):
        if speaker:
            given.setdefault(speaker, set()).add(name)
    speakers = {segment["speaker"] for segment in document["segments"] if segment.get("speaker")}
    found = []
    for speaker in sorted(speakers & given.keys()):
        names = given[speaker] - {""}
        if len(given[speaker]) == 1 and names and names != {speaker}:
            found.append(name_speaker(document, speaker, names.pop(), by))
    return found


def _as_spoken(texts: Sequence[EditedText], own: Sequence[EditedText]) -> list[EditedText]:
    """Returns texts with the speakers that the transcript gives them, where the copy has others.

    ``own``: the same of the unchanged transcript. Without this a new name in front of a text would be taken for words,
    and words of another speaker for words at another time.
    """
    known = _known(texts, own)
    renamed = dict.fromkeys((_head(one)[0] for one in own), "")
    for _, name, _, speaker in known:
        if name and speaker:
            renamed.setdefault(name, speaker)
    found = []
    for one, name, said, speaker in known:
        who = speaker or renamed.get(name) or ""
        found.append(EditedText(said, one.start, who) if name and who else one)
    return found


def _known(texts: Sequence[EditedText], own: Sequence[EditedText]) -> list[tuple[EditedText, str, str, str | None]]:
    """Returns texts of a copy with the name in front, what is said, and the speaker that the transcript gives it.

    A text is known by when it starts, else by its words.
    """
    heads = {text: name for one in own for name, text in [_head(one)]}
    spoken = {one.start: heads[_head(one)[1]] for one in own if one.start is not None}
    known = []
    # As many texts as there were: each is in the place that it had.
    beside = [_head(one)[0] for one in own] if len(own) == len(texts) else [""] * len(texts)
    for one, at_place in zip(texts, beside, strict=True):
        name, said = _head(one)
        whole = heads.get(one.text) == ""
        speaker = None if whole else heads.get(said) or (spoken.get(one.start) if one.start is not None else at_place)
        known.append((one, name, said, speaker))
    return known


def _head(one: EditedText) -> tuple[str, str]:
    """Returns the name of the speaker of a text, empty where there is none, and the text without it."""
    if one.speaker:
        return one.speaker, one.text
    name, found, rest = one.text.partition(": ")
    return (name, rest.strip()) if found and len(name) <= LONGEST_NAME else ("", one.text)


def _passages(document: Mapping[str, Any], texts: Sequence[EditedText], when: str, by: str) -> list[Passage]:
    speakers = {segment["speaker"] for segment in document["segments"] if segment.get("speaker")}
    texts = [_with_speaker(one, speakers) for one in texts]
    apart = bool(speakers) and all(one.speaker in speakers for one in texts)
    found: list[Passage] = []
    common = total = 0
    for speaker in sorted(speakers) if apart else [""]:
        segments = [one for one in document["segments"] if not apart or one.get("speaker") == speaker]
        pieces = _pieces(document, segments)
        said = [one for one in texts if not apart or one.speaker == speaker]
        wanted = _split([one.text for one in said])
        passages, alike = _compared(pieces, wanted, when, by)
        found += passages
        common, total = common + alike, total + max(len(pieces), len(wanted))
    if total and common < _LEAST_COMMON * total:
        raise InputError(
            f"has {100 * common / total:.0f} % of the words of {document['recording']} only: it seems to be the text "
            "of another recording"
        )
    return sorted(found, key=lambda one: one.start)


def _with_speaker(one: EditedText, speakers: Iterable[str]) -> EditedText:
    """Returns a text without the name of its speaker in front."""
    for name in () if one.speaker else sorted(speakers, key=len, reverse=True):
        if one.text.startswith(f"{name}:"):
            return EditedText(one.text[len(name) + 1 :].strip(), one.start, name)
    return one


def _pieces(document: Mapping[str, Any], segments: Sequence[Mapping[str, Any]]) -> list[_Piece]:
    found = []
    before = ""
    for segment in segments:
        channel = channel_of_chunk(document["recording"], segment["chunk"])
        joined = "".join(word["word"] for word in segment["words"]).strip()
        # Which word each character that is no space belongs to.
        owners = [word for word in segment["words"] for char in word["word"] if not char.isspace()]
        at = 0
        pieces = _after(before, joined)
        before = joined
        for text in pieces:
            length = len("".join(text.split()))
            own = owners[at : at + length]
            at += length
            if own:
                found.append(_Piece(text, own[0], own[-1], 0 if channel is None else channel + 1))
    return found


def _split(texts: Iterable[str]) -> list[str]:
    """Returns texts that follow each other as pieces."""
    found: list[str] = []
    before = ""
    for text in texts:
        found += _after(before, text)
        before = text
    return found


def _after(before: str, text: str) -> list[str]:
    """Returns a text as pieces, the first one with what separates it from the text before."""
    pieces = split_words(text)
    return [separator(before, pieces[0]) + pieces[0], *pieces[1:]] if pieces else []


def _compared(pieces: Sequence[_Piece], wanted: Sequence[str], when: str, by: str) -> tuple[list[Passage], int]:
    """Returns the corrections, and how many pieces are alike."""
    if not pieces:
        return [], 0
    forms = [form(piece.text) for piece in pieces], [form(text) for text in wanted]
    matcher = SequenceMatcher(None, *forms, autojunk=False)
    spans: list[tuple[int, int, int, int]] = []
    alike = 0
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            alike += b - a
            spans += [
                (n, n + 1, c + n - a, c + n - a + 1)
                for n in range(a, b)
                if pieces[n].plain != wanted[c + n - a].strip()
            ]
        else:
            spans.append((a, b, c, d))
    return [_passage(pieces, wanted, span, when, by) for span in _joined(pieces, spans)], alike


def _joined(pieces: Sequence[_Piece], spans: Sequence[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    """Returns spans that end where words do, and hold at least a word; those that touch are one."""
    found: list[tuple[int, int, int, int]] = []
    for a, b, c, d in spans:
        if a == b:
            # Something was added: it belongs to the word before it, at the beginning to the one after it.
            a, b, c, d = (a - 1, b, c - 1, d) if a else (a, b + 1, c, d + 1)
        while 0 < a < len(pieces) and pieces[a - 1].last is pieces[a].first:
            a, c = a - 1, c - 1
        while 0 < b < len(pieces) and pieces[b - 1].last is pieces[b].first:
            b, d = b + 1, d + 1
        if found and a <= found[-1][1] and c <= found[-1][3]:
            first = found.pop()
            a, b, c, d = first[0], max(b, first[1]), first[2], max(d, first[3])
        found.append((a, b, max(0, c), d))
    return found


def _passage(
    pieces: Sequence[_Piece], wanted: Sequence[str], span: tuple[int, int, int, int], when: str, by: str
) -> Passage:
    a, b, c, d = span
    words = pieces[a:b]
    return Passage(
        words[0].first["start"],
        max(words[-1].last["end"], words[0].first["start"] + 0.001),
        _text(words),
        "".join(wanted[c:d]).strip(),
        _text(pieces[max(0, a - _AROUND) : a]),
        _text(pieces[b : b + _AROUND]),
        words[0].channel,
        when,
        by,
    )


def _text(pieces: Sequence[_Piece]) -> str:
    return " ".join("".join(piece.text for piece in pieces).split())
