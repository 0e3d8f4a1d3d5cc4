"""The entries of a file of corrections: names of speakers, passages, and where paragraphs begin.

Each is tied to a span of audio. Fields that this version does not know are kept in ``more``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from audiogrid.core.text import clean_name, clean_text

# What a person types into one passage is shorter.
_LONGEST_TEXT = 20_000
_LATEST = 10_000_000.0
_SHORTEST = 0.001
#: Two spans are the same if both of their ends are nearer than this, in seconds.
SAME = 0.05


def _time(seconds: float) -> float | int:
    """Returns whole numbers without a point, as browsers write them."""
    return int(seconds) if seconds == int(seconds) else seconds


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}


@dataclass(frozen=True)
class SpeakerName:
    """The name of a voice. ``was``: what the transcript called it; ``at``: spans in seconds in which it speaks.

    The spans say whose name it is: speakers may be numbered anew by a later run. An empty name takes an earlier one
    back. ``when``: UTC, as in ``2026-05-01T12:00:00Z``; ``by``: who did it. ``more``: fields of later versions.
    """

    name: str
    was: str
    at: tuple[tuple[float, float], ...]
    when: str = ""
    by: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON value."""
        at = [[_time(time) for time in span] for span in self.at]
        return {"name": self.name, "was": self.was, "at": at, **_given(when=self.when, by=self.by), **self.more}

    @classmethod
    def from_json(cls, raw: Any) -> SpeakerName:
        """Inverse of ``to_json``. Raises ``ValueError`` that says what is wrong with an entry."""
        if not isinstance(raw, Mapping) or not isinstance(raw.get("name"), str):
            raise ValueError("it has no name")
        try:
            at = _spans(raw.get("at"))
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"{clean_name(raw['name'])!r}: at must list spans [start, end] in seconds") from None
        known = {name: clean_name(str(raw.get(name, ""))) for name in ("name", "was", "when", "by")}
        return cls(known["name"], known["was"], at, known["when"], known["by"], _more(raw, *known, "at"))


@dataclass(frozen=True)
class Passage:
    """Words of a recording as a person wants them. ``start``, ``end``: their span in seconds.

    ``was``: what stood there (empty: nothing); ``text``: what should (empty: nothing). Equal texts confirm what
    stands there. ``before`` and ``after``: some words around it, which help to find it in another transcript.
    ``channel``: from 1, where channels are transcribed apart, else 0. ``when``, ``by``, ``more``: as in
    ``SpeakerName``.
    """

    start: float
    end: float
    was: str
    text: str
    before: str = ""
    after: str = ""
    channel: int = 0
    when: str = ""
    by: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON value."""
        optional = _given(before=self.before, after=self.after, channel=self.channel, when=self.when, by=self.by)
        at = [_time(self.start), _time(self.end)]
        return {"at": at, "was": self.was, "text": self.text, **optional, **self.more}

    @classmethod
    def from_json(cls, raw: Any) -> Passage:
        """Inverse of ``to_json``. Raises ``ValueError`` that says what is wrong with an entry."""
        if not isinstance(raw, Mapping) or not isinstance(raw.get("text"), str) or not isinstance(raw.get("was"), str):
            raise ValueError("it has no was and text")
        texts = {name: _line(raw.get(name, "")) for name in ("was", "text", "before", "after", "when", "by")}
        said = texts["text"] or texts["was"]
        try:
            start, end = map(float, raw.get("at", ()))
            # Where nothing stood, and at a word without a length, both ends may be the same.
            end = start + _SHORTEST if end == start else end
            _spans([(start, end)])
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"{said[:40]!r}: at must be a span [start, end] in seconds") from None
        if not said:
            raise ValueError("was and text are both empty")
        channel = _channel(raw)
        return cls(start, end, **texts, channel=channel, more=_more(raw, *texts, "at", "channel"))

    @property
    def is_confirmation(self) -> bool:
        """Whether it says that what stands there is right."""
        return self.was == self.text

    def is_same_place(self, other: Passage) -> bool:
        """Whether two passages have the same span of the same channel."""
        apart = max(abs(self.start - other.start), abs(self.end - other.end))
        return self.channel == other.channel and apart <= SAME


@dataclass(frozen=True)
class ParagraphStart:
    """Says whether a paragraph begins at a word. ``at``: start of the word in seconds; ``word``: its text.

    ``begins``: false joins the paragraph with the one before. Other fields: as in ``Passage``.
    """

    at: float
    word: str
    begins: bool
    channel: int = 0
    when: str = ""
    by: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON value."""
        optional = _given(channel=self.channel, when=self.when, by=self.by)
        return {"at": _time(self.at), "word": self.word, "begins": self.begins, **optional, **self.more}

    @classmethod
    def from_json(cls, raw: Any) -> ParagraphStart:
        """Inverse of ``to_json``. Raises ``ValueError`` that says what is wrong with an entry."""
        if not isinstance(raw, Mapping) or not isinstance(raw.get("begins"), bool):
            raise ValueError("begins must be true or false")
        texts = {name: _line(raw.get(name, "")) for name in ("word", "when", "by")}
        try:
            at = float(raw.get("at", -1.0))
        except (TypeError, ValueError, OverflowError):
            at = -1.0
        if isinstance(raw.get("at"), bool) or not 0 <= at < _LATEST:
            raise ValueError("at must be a time in seconds")
        return cls(at, begins=raw["begins"], **texts, channel=_channel(raw), more=_more(raw, *texts, *_OF_START))


_OF_START = ("at", "begins", "channel")


def _line(value: Any) -> str:
    return " ".join(clean_text(str(value)[:_LONGEST_TEXT]).split())


def _channel(raw: Mapping[str, Any]) -> int:
    channel = raw.get("channel", 0)
    if not isinstance(channel, int) or isinstance(channel, bool) or not 0 <= channel < 1000:
        raise ValueError("channel must be a number from 1")
    return channel


def _more(raw: Mapping[str, Any], *known: str) -> dict[str, Any]:
    return {name: value for name, value in raw.items() if name not in known}


def _spans(raw: Any) -> tuple[tuple[float, float], ...]:
    """Raises ``ValueError`` or ``TypeError`` for anything but a list of spans in seconds."""
    spans = tuple((float(start), float(end)) for start, end in raw)
    if not spans or not all(math.isfinite(end) and 0 <= start < end for start, end in spans):
        raise ValueError
    return spans
