"""Lays out ledgers as bars: one over the time of a recording, or one of shares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.export.charts import Lane, Lanes, Mark, time_ticks
from audiogrid.export.template import clock, percent, span
from audiogrid.records.ledger import KINDS, MUSIC, NO_SPEECH, NO_WORDS, REASONS, UNREADABLE, WORDS

#: Kinds with their reasons, in the order in which they are shown.
REASONS_IN_ORDER = [
    (kind, reason) for kind in KINDS for reason in ([""] if kind == WORDS else [r for k, r in REASONS if k == kind])
]
# CSS classes of kinds.
_CLASSES = {WORDS: "k2", NO_WORDS: "bad", UNREADABLE: "k1", NO_SPEECH: "faint"}
_MUSIC_CLASS = "k3"
# Steps into which a recording is divided to draw speech and the lack of it.
_STEPS = 500
# Lost speech is drawn at least this wide, in per cent; nearer to each other, two losses are one mark.
_NARROWEST, _NEAREST = 0.25, 0.2


def named(kind: str, reason: str = "") -> str:
    """Returns kind and reason as words: ``speech without words (withheld)``."""
    words = kind.replace("_", " ")
    return f"{words} ({reason.replace('_', ' ')})" if reason else words


def _class(kind: str, reason: str) -> str:
    return _MUSIC_CLASS if (kind, reason) == (NO_SPEECH, MUSIC) else _CLASSES[kind]


def _legend(present: Iterable[tuple[str, str]]) -> dict[str, str]:
    found = {_class(*one): one for one in present}
    entries = {_CLASSES[kind]: named(kind) for kind in KINDS} | {_MUSIC_CLASS: named(NO_SPEECH, MUSIC)}
    return {name: words for name, words in entries.items() if name in found}


def _shares(spans: Sequence[Mapping[str, Any]], samples: int, kind: str, reason: str = "") -> list[float]:
    """Returns which share of each step of a recording is of one kind."""
    steps = [0.0] * _STEPS
    width = samples / _STEPS
    for one in spans:
        if (one["kind"], one.get("reason", "")) != (kind, reason):
            continue
        first, last = one["start"] / width, one["end"] / width
        for step in range(int(first), min(_STEPS, int(last) + 1)):
            steps[step] += max(0.0, min(last, step + 1) - max(first, step))
    return steps


def _ground(spans: Sequence[Mapping[str, Any]], samples: int) -> Iterator[Mark]:
    """Yields where there are words, music and neither, as far as that can be seen at this width."""
    at = 0
    shares = zip(_shares(spans, samples, WORDS), _shares(spans, samples, NO_SPEECH, MUSIC), strict=True)
    seen = ((WORDS, "") if words >= 0.5 else (NO_SPEECH, MUSIC if music >= 0.5 else "") for words, music in shares)
    for (kind, reason), steps in groupby(seen):
        count = len(list(steps))
        times = [samples * step / _STEPS / SAMPLE_RATE for step in (at, at + count)]
        title = f"{clock(times[0])} to {clock(times[1])}: {'mostly ' if count > 1 else ''}{named(kind, reason)}"
        yield Mark(round(100 * at / _STEPS, 3), round(100 * count / _STEPS, 3), title, _class(kind, reason))
        at += count


def _losses(spans: Sequence[Mapping[str, Any]], samples: int) -> Iterator[Mark]:
    """Yields what is lost: each span, or several that are too near to each other to be told apart."""
    held: list[Mapping[str, Any]] = []
    for one in spans:
        if one["kind"] not in (NO_WORDS, UNREADABLE):
            continue
        gap = 100 * (one["start"] - held[-1]["end"]) / samples if held else 0.0
        if held and (gap > _NEAREST or held[-1]["kind"] != one["kind"]):
            yield _loss(held, samples)
            held = []
        held.append(one)
    if held:
        yield _loss(held, samples)


def _loss(spans: Sequence[Mapping[str, Any]], samples: int) -> Mark:
    start, end = spans[0]["start"], spans[-1]["end"]
    seconds = sum(one["end"] - one["start"] for one in spans) / SAMPLE_RATE
    reasons = dict.fromkeys(named(one["kind"], one.get("reason", "")) for one in spans)
    width = round(max(_NARROWEST, 100 * (end - start) / samples), 3)
    title = f"{clock(start / SAMPLE_RATE)}: {', '.join(reasons)}, {span(seconds)}"
    at = round(min(100 * start / samples, 100 - width), 3)
    return Mark(max(0.0, at), width, title, _CLASSES[spans[0]["kind"]], f"#t={start / SAMPLE_RATE:.3f}")


def ledger_bar(spans: Sequence[Mapping[str, Any]]) -> Lanes | None:
    """Returns a bar over the time of a recording, from the ``ledger`` of its document; ``None`` without one."""
    samples = spans[-1]["end"] if spans else 0
    if not samples:
        return None
    marks = [*_ground(spans, samples), *_losses(spans, samples)]
    worded = sum(one["end"] - one["start"] for one in spans if one["kind"] == WORDS)
    lane = Lane("Every second", marks, f"{percent(worded / samples, 0)} words")
    return Lanes(
        [lane], time_ticks(samples / SAMPLE_RATE, clock), _legend((one["kind"], one.get("reason", "")) for one in spans)
    )


def ledger_shares(rows: Sequence[tuple[str, Mapping[tuple[str, str], int], str]]) -> Lanes | None:
    """Returns a bar of shares per row: name, samples by kind and reason, and a link. ``None`` where there are none."""
    lanes = []
    for name, totals, href in rows:
        whole = sum(totals.values())
        if not whole:
            continue
        marks, at = [], 0
        for kind, reason in REASONS_IN_ORDER:
            samples = totals.get((kind, reason), 0)
            if samples:
                title = f"{named(kind, reason)}: {span(samples / SAMPLE_RATE)}, {percent(samples / whole)}"
                start, width = 100 * at / whole, 100 * samples / whole
                marks.append(Mark(round(start, 3), round(width, 3), title, _class(kind, reason)))
                at += samples
        lanes.append(Lane(name, marks, span(whole / SAMPLE_RATE), href))
    return Lanes(lanes, legend=_legend(one for _, totals, _ in rows for one in totals)) if lanes else None
