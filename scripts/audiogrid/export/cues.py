"""Lays out words as subtitle cues that can be read in the time for which they are shown.

The rules are those of the BBC's and Netflix's guides: at most two lines of 42 characters, 1 to 7 seconds, no
overlaps. A cue ends at the end of a sentence if possible, else of a clause, else the text is divided evenly.
Times are whole milliseconds, the unit of every subtitle format.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

from audiogrid.core.timebase import SAMPLE_RATE, clock
from audiogrid.export.cue_lines import Token, append_token, break_lines, fill_lines, make_tokens, milliseconds
from audiogrid.export.line_breaking import has_content, width
from audiogrid.export.spoken_words import spoken_segments

# Costs of a cut after a word by its kind, of every cue, of a sentence end inside a cue, of poor reading times.
_CUT_COSTS = {"sentence": 0.0, "clause": 1.5, "pause": 2.0, "none": 4.0}
_CUE_COST = 1.0
_INNER_SENTENCE_COST = 1.3
_TOO_SHORT_COST = 3.0
_TOO_FAST_COST = 0.5
# Of a cue that is one short word although more is said, and of one that is nothing but punctuation.
_LONE_WORD_COST = 2.0
_NO_CONTENT_COST = 1000.0
#: A word below this many columns is short.
_SHORT = 6


#: Limits of languages in columns, a wide character being two: lines of 13 or 16 wide characters and 4, 9 or 12 of them
#: a second. Netflix, Timed Text Style Guides for Japanese, Chinese and Korean.
LINE_COLUMNS = {"ja": 26, "zh": 32, "yue": 32, "ko": 32}
READING_SPEEDS = {"ja": 8.0, "zh": 18.0, "yue": 18.0, "ko": 24.0}
#: Most languages but English have this limit in Netflix's guides, in characters per second.
NETFLIX_SPEED = 17.0


@dataclass(frozen=True)
class CueOptions:
    """Layout of subtitles.

    ``max_line_chars`` counts columns: wide (East Asian) characters count twice. A cue is shown longer to keep to
    ``max_chars_per_second`` if a pause follows it. A pause of ``pause_seconds`` always begins a new
    cue; ``gap_seconds`` lie between two cues, and a gap below ``close_gaps_seconds`` is closed to that.
    ``by_language``: whether Chinese, Japanese and Korean have their own limits where these are lower. ``preset``: the
    guide that the values are from.
    """

    max_line_chars: int = 42
    max_lines: int = 2
    max_seconds: float = 7.0
    min_seconds: float = 1.0
    max_chars_per_second: float = 20.0
    pause_seconds: float = 1.5
    gap_seconds: float = 0.08
    close_gaps_seconds: float = 0.0
    by_language: bool = True
    preset: str = "none"

    def columns(self, language: str | None) -> int:
        """Returns the longest line of a language, in columns."""
        limit = LINE_COLUMNS.get(language or "") if self.by_language else None
        return min(self.max_line_chars, limit or self.max_line_chars)

    def speed(self, language: str | None) -> float:
        """Returns the fastest reading speed of a language, in columns per second."""
        limit = READING_SPEEDS.get(language or "") if self.by_language else None
        if limit is None and self.by_language and self.preset == "netflix" and language not in (None, "en"):
            limit = NETFLIX_SPEED
        return min(self.max_chars_per_second, limit or self.max_chars_per_second)


@dataclass(frozen=True)
class Cue:
    """Lines shown from ``start`` to ``end`` (ms). ``gap``: whether it says that a chunk was not transcribed."""

    start: int
    end: int
    lines: list[str]
    speaker: str | None = None
    gap: bool = False
    language: str | None = None


def gap_text(gap: Mapping[str, Any]) -> str:
    """Returns the notice that every text format shows for a missing chunk."""
    start, end = (clock(round(gap[key] * SAMPLE_RATE)) for key in ("start", "end"))
    return f"[not transcribed {start}-{end}: {gap['reason']}]"


def speaker_prefix(speaker: str | None) -> str:
    """Returns the label of a speaker in plain text, empty without one."""
    return "" if speaker is None else f"{speaker}: "


def _reserved(speaker: str | None, columns: int) -> int:
    """Returns the columns that the speaker's label takes, at most half of those of a line."""
    return min(width(speaker_prefix(speaker)), columns // 2)


@dataclass(frozen=True)
class _Phrase:
    """Tokens of one speaker without a long pause or a missing chunk between them. ``columns``: of a line."""

    speaker: str | None
    language: str | None
    columns: int
    tokens: list[Token]


def _phrases(
    segments: Sequence[Mapping[str, Any]], gaps: Sequence[Mapping[str, Any]], options: CueOptions
) -> Iterator[_Phrase]:
    """Yields the phrases of segments, in order."""
    pause = milliseconds(options.pause_seconds)
    stops = sorted(milliseconds(gap["start"]) for gap in gaps)
    phrase = _Phrase(None, None, options.max_line_chars, [])
    stop = 0
    for segment in segments:
        name, language = segment.get("speaker"), segment.get("language")
        whole = options.columns(language)
        columns = whole - _reserved(name, whole)
        for token in make_tokens(segment["words"], columns):
            passed = stop
            while stop < len(stops) and stops[stop] <= token.start:
                stop += 1
            tokens = phrase.tokens
            # A language with other limits begins a cue of its own.
            is_other = name != phrase.speaker or whole != phrase.columns
            if tokens and (is_other or stop > passed or token.start - tokens[-1].end >= pause):
                yield phrase
                tokens = []
            if not tokens:
                phrase = _Phrase(name, language, whole, tokens)
            append_token(phrase.tokens, token, columns)
    if phrase.tokens:
        yield phrase


def _with_content(phrases: Iterator[_Phrase]) -> Iterator[_Phrase]:
    """Yields phrases that hold more than punctuation; what is nothing else joins the speaker's phrase beside it.

    Punctuation takes no time of its own there. Where its speaker says nothing else it is left out.
    """
    held: _Phrase | None = None
    loose: list[Token] = []
    for phrase in phrases:
        if any(has_content(token.text) for token in phrase.tokens):
            phrase = replace(phrase, tokens=_timed_by_words(phrase.tokens))
            if held is not None:
                yield held
            if loose:
                start = phrase.tokens[0].start
                before = [replace(token, start=start, end=start) for token in loose]
                phrase, loose = replace(phrase, tokens=[*before, *phrase.tokens]), []
            held = phrase
        elif held is not None and held.speaker == phrase.speaker:
            end = held.tokens[-1].end
            held.tokens.extend(replace(token, start=end, end=end) for token in phrase.tokens)
        else:
            loose = [*loose, *phrase.tokens]
    if held is not None:
        yield held


def _timed_by_words(tokens: list[Token]) -> list[Token]:
    """Returns tokens of which punctuation takes no time of its own: it is where the nearer word ends or begins.

    So a cue of that word always has the time for it.
    """
    words = [index for index, token in enumerate(tokens) if has_content(token.text)]
    if len(words) == len(tokens):
        return tokens
    found, passed = list(tokens), 0
    for index, token in enumerate(tokens):
        if passed < len(words) and words[passed] == index:
            passed += 1
            continue
        before = tokens[words[max(0, passed - 1)]].end
        after = tokens[words[min(passed, len(words) - 1)]].start
        is_later = passed == 0 or (passed < len(words) and after - token.end < token.start - before)
        at = after if is_later else before
        found[index] = replace(token, start=at, end=at)
    return found


def _ends(phrase: _Phrase, reserved: int, options: CueOptions) -> list[int]:
    """Returns where the cues of a phrase end: the partition of least cost, computed from the end backwards.

    Ten hours have 90,000 words, so the loop fills the lines itself instead of calling ``fill_lines``.
    """
    tokens = phrase.tokens
    count = len(tokens)
    columns, max_lines = phrase.columns, options.max_lines
    room = columns * max_lines
    shortest, longest = milliseconds(options.min_seconds), milliseconds(options.max_seconds)
    speed = options.speed(phrase.language) / 1000
    shapes = [(token.width, int(token.space), token.end, token.cut == "sentence") for token in tokens]
    costs = [_CUE_COST + _CUT_COSTS[token.cut] for token in tokens]
    starts = [token.start for token in tokens]
    # Where the tokens with content are; empty where all have some, which is nearly always.
    contents = _contents(tokens)
    best = [0.0] * (count + 1)
    choice = [count] * (count + 1)
    for first in range(count - 1, -1, -1):
        least, chosen = float("inf"), first + 1
        start = starts[first]
        line, column, used, inner = 1, reserved, reserved - shapes[first][1], 0.0
        for index in range(first, count):
            width, space, end, is_sentence = shapes[index]
            if index > first:
                # Punctuation has no time of its own: it goes with a word that lasts too long by itself.
                is_too_long = end - start > longest
                if is_too_long and not (contents and contents[index] in (contents[first], contents[index + 1])):
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
            if index == first and width < _SHORT and count > 1:
                cost += _LONE_WORD_COST
            if contents and contents[first] == contents[index + 1]:
                cost += _NO_CONTENT_COST
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


def _contents(tokens: Sequence[Token]) -> list[int]:
    """Returns how many tokens before each hold more than punctuation; empty where all do."""
    found = [has_content(token.text) for token in tokens]
    return [] if all(found) else [0, *accumulate(map(int, found))]


def _phrase_cues(phrase: _Phrase, options: CueOptions) -> Iterator[Cue]:
    reserved = _reserved(phrase.speaker, phrase.columns)
    longest = milliseconds(options.max_seconds)
    first = 0
    for end in _ends(phrase, reserved, options):
        part = phrase.tokens[first:end]
        first = end
        # A run of punctuation as long as a cue is left out: nobody said it.
        if not any(has_content(token.text) for token in part):
            continue
        start = part[0].start
        yield Cue(
            start,
            min(part[-1].end, start + longest),
            break_lines(part, reserved, phrase.columns),
            phrase.speaker,
            language=phrase.language,
        )


def _gap_cue(gap: Mapping[str, Any], options: CueOptions) -> Cue:
    """Returns a cue that lasts as long as the gap, so that a viewer sees it at any time. Shortens a long reason."""
    speaker = gap.get("speaker")
    limit = options.max_line_chars
    reserved = _reserved(speaker, limit)
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
    close = milliseconds(options.close_gaps_seconds)
    earliest = 0
    for index, cue in enumerate(cues):
        start = max(cue.start, earliest)
        said = max(cue.end, start + 1)
        readable = 1000 * sum(map(width, cue.lines)) / options.speed(cue.language)
        wanted = max(said, min(start + round(max(shortest, readable)), start + longest, max(duration, said)))
        if index + 1 < len(cues):
            # Show every cue for at least this long, even if the next one starts earlier.
            least = min(said, start + max(1, shortest))
            following = cues[index + 1].start - gap
            if following - wanted < close:
                # A short gap flickers: show the cue until the next one, as far as it may be shown.
                wanted = max(wanted, min(following, start + longest))
            wanted = min(wanted, max(following, least))
        yield replace(cue, start=start, end=wanted)
        earliest = wanted + gap


def make_cues(
    document: Mapping[str, Any], options: CueOptions | None = None, spoken: Sequence[Mapping[str, Any]] | None = None
) -> list[Cue]:
    """Returns all cues of a transcript document in order, including the notices of gaps.

    ``spoken``: its segments as ``spoken_segments`` returns them, for callers that have them.
    """
    options = options or CueOptions()
    gaps = document["gaps"]
    segments = spoken_segments(document["segments"]) if spoken is None else spoken
    phrases = _with_content(_phrases(segments, gaps, options))
    cues = [cue for phrase in phrases for cue in _phrase_cues(phrase, options)]
    cues += [_gap_cue(gap, options) for gap in gaps]
    cues.sort(key=lambda cue: (cue.start, cue.end))
    return list(_timed(cues, milliseconds(document["duration"]), options))
