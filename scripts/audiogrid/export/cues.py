"""Lays out words as subtitle cues that can be read in the time for which they are shown.

The rules are those of the BBC's and Netflix's guides: at most two lines of 42 characters, 1 to 7 seconds, no
overlaps. A cue ends at the end of a sentence if possible, else of a clause, else the text is divided evenly.
Times are whole milliseconds, the unit of every subtitle format.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from audiogrid.core.timebase import SAMPLE_RATE, clock
from audiogrid.export.cue_lines import Token, append_token, break_lines, fill_lines, make_tokens, milliseconds
from audiogrid.export.spoken_words import spoken_segments

# Costs of a cut after a word by its kind, of every cue, of a sentence end inside a cue, of poor reading times.
_CUT_COSTS = {"sentence": 0.0, "clause": 1.5, "pause": 2.0, "none": 4.0}
_CUE_COST = 1.0
_INNER_SENTENCE_COST = 1.3
_TOO_SHORT_COST = 3.0
_TOO_FAST_COST = 0.5


@dataclass(frozen=True)
class CueOptions:
    """Layout of subtitles.

    ``max_line_chars`` counts columns: wide (East Asian) characters count twice. A cue is shown longer to keep to
    ``max_chars_per_second`` if a pause follows it. A pause of ``pause_seconds`` always begins a new
    cue; ``gap_seconds`` lie between two cues.
    """

    max_line_chars: int = 42
    max_lines: int = 2
    max_seconds: float = 7.0
    min_seconds: float = 1.0
    max_chars_per_second: float = 20.0
    pause_seconds: float = 1.5
    gap_seconds: float = 0.0


@dataclass(frozen=True)
class Cue:
    """Lines shown from ``start`` to ``end`` (ms). ``gap``: whether it says that a chunk was not transcribed."""

    start: int
    end: int
    lines: list[str]
    speaker: str | None = None
    gap: bool = False


def gap_text(gap: Mapping[str, Any]) -> str:
    """Returns the notice that every text format shows for a missing chunk."""
    start, end = (clock(round(gap[key] * SAMPLE_RATE)) for key in ("start", "end"))
    return f"[not transcribed {start}-{end}: {gap['reason']}]"


def speaker_prefix(speaker: str | None) -> str:
    """Returns the label of a speaker in plain text, empty without one."""
    return "" if speaker is None else f"{speaker}: "


def _reserved(speaker: str | None, options: CueOptions) -> int:
    """Returns the columns that the speaker's label takes, at most half a line."""
    return min(len(speaker_prefix(speaker)), options.max_line_chars // 2)


def _phrases(
    segments: Sequence[Mapping[str, Any]], gaps: Sequence[Mapping[str, Any]], options: CueOptions
) -> Iterator[tuple[str | None, list[Token]]]:
    """Yields runs of tokens of one speaker without a long pause or a missing chunk between them."""
    pause = milliseconds(options.pause_seconds)
    stops = sorted(milliseconds(gap["start"]) for gap in gaps)
    speaker: str | None = None
    phrase: list[Token] = []
    stop = 0
    for segment in spoken_segments(segments):
        name = segment.get("speaker")
        columns = options.max_line_chars - _reserved(name, options)
        for token in make_tokens(segment["words"], columns):
            passed = stop
            while stop < len(stops) and stops[stop] <= token.start:
                stop += 1
            if phrase and (name != speaker or stop > passed or token.start - phrase[-1].end >= pause):
                yield speaker, phrase
                phrase = []
            speaker = name
            append_token(phrase, token, columns)
    if phrase:
        yield speaker, phrase


def _ends(tokens: Sequence[Token], reserved: int, options: CueOptions) -> list[int]:
    """Returns where the cues of a phrase end: the partition of least cost, computed from the end backwards.

    Ten hours have 90,000 words, so the loop fills the lines itself instead of calling ``fill_lines``.
    """
    count = len(tokens)
    columns, max_lines = options.max_line_chars, options.max_lines
    room = columns * max_lines
    shortest, longest = milliseconds(options.min_seconds), milliseconds(options.max_seconds)
    speed = options.max_chars_per_second / 1000
    shapes = [(token.width, int(token.space), token.end, token.cut == "sentence") for token in tokens]
    costs = [_CUE_COST + _CUT_COSTS[token.cut] for token in tokens]
    starts = [token.start for token in tokens]
    best = [0.0] * (count + 1)
    choice = [count] * (count + 1)
    for first in range(count - 1, -1, -1):
        least, chosen = float("inf"), first + 1
        start = starts[first]
        line, column, used, inner = 1, reserved, reserved - shapes[first][1], 0.0
        for index in range(first, count):
            width, space, end, is_sentence = shapes[index]
            if index > first:
                if end - start > longest:
                    break
                if column + space + width > columns:
                    line, column = line + 1, 0
                    if line > max_lines:
                        break
                elif column:
                    column += space
            column += width
            used += width + space
            cost = inner + (used / room) ** 2 + best[index + 1]
            if index + 1 < count:
                shown = starts[index + 1] - start
                cost += costs[index]
                if shown < shortest:
                    cost += _TOO_SHORT_COST * (1 - shown / shortest)
                if shown * speed < used:
                    cost += _TOO_FAST_COST
            else:
                cost += _CUE_COST
            if cost < least:
                least, chosen = cost, index + 1
            if is_sentence:
                inner += _INNER_SENTENCE_COST
        best[first], choice[first] = least, chosen
    ends, first = [], 0
    while first < count:
        first = choice[first]
        ends.append(first)
    return ends


def _phrase_cues(speaker: str | None, tokens: Sequence[Token], options: CueOptions) -> Iterator[Cue]:
    reserved = _reserved(speaker, options)
    longest = milliseconds(options.max_seconds)
    first = 0
    for end in _ends(tokens, reserved, options):
        part = tokens[first:end]
        start = part[0].start
        yield Cue(
            start,
            min(part[-1].end, start + longest),
            break_lines(part, reserved, options.max_line_chars),
            speaker,
        )
        first = end


def _gap_cue(gap: Mapping[str, Any], options: CueOptions) -> Cue:
    """Returns a cue that lasts as long as the gap, so that a viewer sees it at any time. Shortens a long reason."""
    speaker = gap.get("speaker")
    reserved = _reserved(speaker, options)
    limit = options.max_line_chars
    words = [{"start": 0.0, "end": 0.0, "word": f" {word}"} for word in gap_text(gap).split()]
    tokens = make_tokens(words, limit - reserved)
    fitting = fill_lines(tokens, 0, reserved, limit, options.max_lines)
    lines = break_lines(tokens[:fitting], reserved, limit)
    if fitting < len(tokens):
        room = limit - 1 - (reserved if len(lines) == 1 else 0)
        lines[-1] = f"{lines[-1][:room].rstrip()}…"
    return Cue(milliseconds(gap["start"]), milliseconds(gap["end"]), lines, speaker, gap=True)


def _timed(cues: Sequence[Cue], duration: int, options: CueOptions) -> Iterator[Cue]:
    """Yields the cues without overlaps, shown longer where there is time before the next one.

    A cue is delayed only when two channels speak at once, and by ``min_seconds`` and
    ``gap_seconds`` at most.
    """
    shortest, longest = milliseconds(options.min_seconds), milliseconds(options.max_seconds)
    gap = milliseconds(options.gap_seconds)
    earliest = 0
    for index, cue in enumerate(cues):
        start = max(cue.start, earliest)
        said = max(cue.end, start + 1)
        readable = 1000 * sum(map(len, cue.lines)) / options.max_chars_per_second
        wanted = max(said, min(start + round(max(shortest, readable)), start + longest, max(duration, said)))
        if index + 1 < len(cues):
            # Show every cue for at least this long, even if the next one starts earlier.
            least = min(said, start + max(1, shortest))
            wanted = min(wanted, max(cues[index + 1].start - gap, least))
        yield replace(cue, start=start, end=wanted)
        earliest = wanted + gap


def make_cues(document: Mapping[str, Any], options: CueOptions | None = None) -> list[Cue]:
    """Returns all cues of a transcript document in order, including the notices of gaps."""
    options = options or CueOptions()
    segments, gaps = document["segments"], document["gaps"]
    cues = [
        cue for speaker, tokens in _phrases(segments, gaps, options) for cue in _phrase_cues(speaker, tokens, options)
    ]
    cues += [_gap_cue(gap, options) for gap in gaps]
    cues.sort(key=lambda cue: (cue.start, cue.end))
    return list(_timed(cues, milliseconds(document["duration"]), options))
