"""Where a given text and the audio disagree: what is not heard, what is not in the text, what is heard otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from audiogrid.aligning.anchoring import Anchored
from audiogrid.aligning.matching import Run
from audiogrid.aligning.stretches import LEAST_UNHEARD, MOSTLY_ALIKE
from audiogrid.records.aligned import TimedWord

#: Kinds of differences: name and meaning. docs/align.md lists them (``make docs``).
KINDS = {
    "not heard": "words of the text that nobody says there",
    "not in the text": "words that are said and that the text does not have",
    "different": "the text says something else than what is heard; the transcript follows the text",
    "moved": "words of the text that are said at another place, which has a row of its own",
}
# What the model heard itself must be at least so probable to be called missing in the text.
_LEAST_HEARD = 0.35
# A given passage whose tokens are less probable than this on the audio is not what is said there.
_INAUDIBLE = 0.12
_UNLIKELY = 0.35
# Letters of two readings: from this similarity on (0 to 100) one is the other, misheard. Any two English sentences are
# alike to about 50.
_ALIKE = 60
_SAME = 80


@dataclass(frozen=True)
class Difference:
    """A place in ``[start, end)``, samples of its track; ``text`` and ``heard``: both readings, one may be empty."""

    kind: str
    start: int
    end: int
    text: str
    heard: str
    channel: int | None = None


def is_inaudible(anchored: Anchored, run: Run, timed: Mapping[int, TimedWord]) -> bool:
    """Returns whether words of the text are not what is said: nothing was heard there, and they are improbable."""
    words = range(run.first, run.last)
    if len(words) < LEAST_UNHEARD or run.heard_first < run.heard_last:
        return False
    return _probability(words, timed) < _INAUDIBLE


def find_differences(anchored: Anchored, timed: Mapping[int, TimedWord]) -> list[Difference]:
    """Returns the differences in the order of the text. ``timed``: the aligned words by index, in samples."""
    found = [
        one
        for number, run in enumerate(anchored.runs)
        if not run.is_same and (one := _difference(anchored, number, run, timed)) is not None
    ]
    return _with_moves(found)


def _difference(anchored: Anchored, number: int, run: Run, timed: Mapping[int, TimedWord]) -> Difference | None:
    words, heard = range(run.first, run.last), anchored.heard[run.heard_first : run.heard_last]
    is_missing = number in anchored.unheard or is_inaudible(anchored, run, timed)
    is_long = len(heard) >= LEAST_UNHEARD
    certain = is_long and sum(word.probability for word in heard) / len(heard) >= _LEAST_HEARD
    if not words:
        return _made("not in the text", anchored, run) if certain else None
    if is_missing:
        return _made("different" if certain else "not heard", anchored, run)
    if not heard or max(len(words), len(heard)) < LEAST_UNHEARD:
        return None
    if run.alike >= MOSTLY_ALIKE:
        return None
    text = "".join(anchored.words[index].form for index in words)
    likeness = _ratio(text, "".join(word.form for word in heard))
    if likeness >= _ALIKE or (_probability(words, timed) >= _UNLIKELY and not _is_surplus(words, heard)):
        return None
    return _made("different", anchored, run)


def _is_surplus(words: Sequence[int], heard: Sequence[object]) -> bool:
    return abs(len(words) - len(heard)) >= LEAST_UNHEARD


def _probability(words: Sequence[int], timed: Mapping[int, TimedWord]) -> float:
    known = [timed[index].probability for index in words if index in timed]
    return sum(known) / len(known) if known else 0.0


def _ratio(one: str, other: str) -> float:
    from rapidfuzz import fuzz

    return float(fuzz.ratio(one, other))


def _made(kind: str, anchored: Anchored, run: Run) -> Difference:
    heard = anchored.heard[run.heard_first : run.heard_last]
    channel = None
    if heard:
        start, end, channel = heard[0].start, heard[-1].end, heard[0].channel
    elif anchored.heard:
        # Nothing is heard: between the words around.
        before, after = (
            anchored.heard[max(0, run.heard_first - 1)],
            anchored.heard[min(run.heard_last, len(anchored.heard) - 1)],
        )
        start, end, channel = before.end if run.heard_first else 0, after.start, before.channel
        end = max(start, end)
    else:
        start = end = 0
    text = " ".join("".join(anchored.words[index].text for index in range(run.first, run.last)).split())
    return Difference(kind, start, end, text, " ".join("".join(word.text for word in heard).split()), channel)


def _with_moves(found: Sequence[Difference]) -> list[Difference]:
    """Marks what the text has at one place and the audio at another."""
    result = list(found)
    said = {index for index, one in enumerate(found) if one.kind == "not in the text"}
    for index, one in enumerate(found):
        if one.kind != "not heard":
            continue
        near = sorted(said, key=lambda other: abs(other - index))[:20]
        match = next((other for other in near if _ratio(one.text.lower(), found[other].heard.lower()) >= _SAME), None)
        if match is not None:
            said.discard(match)
            result[index] = replace(one, kind="moved")
            result[match] = replace(found[match], kind="moved")
    return result
