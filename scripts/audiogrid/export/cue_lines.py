"""Breaks words into subtitle lines: the width of a text, where a cut is easy to read, balanced lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from audiogrid.export.line_breaking import can_break, has_content, pieces, width

Cut = Literal["sentence", "clause", "pause", "none"]

_CLOSING = re.escape("\"'”’»)]}」』）】")
_SENTENCE_END = re.compile(rf"[.!?…。！？؟।॥։။។።]+[{_CLOSING}]*$")
_CLAUSE_END = re.compile(rf"[,;:—–、，；：،؛]+[{_CLOSING}]*$")
_ABBREVIATION = re.compile(r"(?:^|\W)(?:mr|mrs|ms|dr|prof|st|vs|e\.g|i\.e|[a-z])\.$", re.IGNORECASE)
#: A pause after a word without punctuation from which it is a good place for a cut, in ms.
_SMALL_PAUSE = 300
#: A line break at the end of a clause may make lines differ by so many columns more.
_CLAUSE_BREAK_WORTH = 6
#: What a line of one word below so many columns costs, and one of nothing but punctuation, in columns.
_SHORT, _LONE_WORD, _NO_CONTENT = 6, 12.0, 1000.0


@dataclass(frozen=True)
class Token:
    """A word, or a part of one that is longer than a line.

    ``start``, ``end`` in ms; ``space``: whether a space stands before it; ``width`` in columns;
    ``cut``: what kind of place for a cut its end is.
    """

    start: int
    end: int
    text: str
    space: bool
    width: int
    cut: Cut


def milliseconds(seconds: float) -> int:
    """Returns whole milliseconds, the unit of subtitle formats."""
    return round(seconds * 1000)


def cut_kind(text: str, following: str) -> Cut:
    """Returns how good the end of a word is for a cut, given the word that follows."""
    if text[-1].isalnum():
        return "none"
    if _SENTENCE_END.search(text):
        # "approx. five" goes on, "Mr. Smith" too.
        is_end = not following[:1].islower() and not _ABBREVIATION.search(text)
        return "sentence" if is_end else "none"
    return "clause" if _CLAUSE_END.search(text) else "none"


def ends_sentence(text: str) -> bool:
    """Returns whether a word looks like the last one of a sentence."""
    return cut_kind(text, "") == "sentence"


def make_tokens(words: Sequence[Mapping[str, Any]], columns: int) -> list[Token]:
    """Returns words as tokens of at most ``columns`` columns, in order: a line may be broken between any two of them.

    ``words``: as in ``spoken_segments``. Words between which no line may be broken are one token.
    """
    spoken = [(word, word["word"].strip()) for word in words if word["word"].strip()]
    tokens: list[Token] = []
    for index, (word, text) in enumerate(spoken):
        start, end = milliseconds(word["start"]), milliseconds(word["end"])
        if index + 1 < len(spoken):
            after, following = spoken[index + 1]
            cut = cut_kind(text, following)
            if cut == "none" and milliseconds(after["start"]) - end >= _SMALL_PAUSE:
                cut = "pause"
        else:
            cut = cut_kind(text, "")
            # The decoder ended a segment here, which makes it a better place than most.
            cut = "pause" if cut == "none" else cut
        token = Token(start, end, text, word["word"][0].isspace(), width(text), cut)
        if token.width <= columns and not any(map(str.isspace, text)):
            append_token(tokens, token, columns)
        else:
            for part in _split(token, columns):
                append_token(tokens, part, columns)
    return tokens


def append_token(tokens: list[Token], token: Token, columns: int) -> None:
    """Append a token, or join it to the last one where no line may be broken between them and both fit a line."""
    last = tokens[-1] if tokens else None
    if last is not None and last.width + token.space + token.width <= columns:
        before = f"{last.text} " if token.space else last.text
        if not can_break(before, token.text):
            text = before + token.text
            # Punctuation takes no time of its own, unless there is nothing else.
            end = token.end if has_content(token.text) or not has_content(last.text) else last.end
            start = last.start if has_content(last.text) or not has_content(token.text) else token.start
            tokens[-1] = replace(token, start=start, end=end, text=text, space=last.space, width=width(text))
            return
    tokens.append(token)


def _split(token: Token, columns: int) -> Iterator[Token]:
    """Yields the parts of a token that is longer than a line or contains spaces. They share its time by length."""
    parts = [
        (part, number == 0 and (token.space or piece_number > 0))
        for piece_number, piece in enumerate(token.text.split())
        for number, part in enumerate(pieces(piece, columns))
    ]
    done, total = 0, sum(len(part) for part, _ in parts)
    for part, space in parts:
        start = token.start + (token.end - token.start) * done // total
        done += len(part)
        end = token.start + (token.end - token.start) * done // total
        cut = token.cut if done == total else "none"
        yield replace(token, start=start, end=end, text=part, space=space, width=width(part), cut=cut)


def join_tokens(tokens: Sequence[Token]) -> str:
    """Returns the tokens as running text."""
    return "".join(f" {token.text}" if token.space and index else token.text for index, token in enumerate(tokens))


def fill_lines(tokens: Sequence[Token], first: int, reserved: int, limit: int, lines: int) -> int:
    """Returns the index after the last token, from ``first`` on, that fits into ``lines`` lines; at least one fits.

    ``reserved``: columns of the first line already in use; ``limit``: columns of a line.
    """
    line, column = 1, reserved
    for index in range(first, len(tokens)):
        token = tokens[index]
        need = token.width + (token.space and index > first and column > 0)
        if index > first and column + need > limit:
            line, column, need = line + 1, 0, token.width
            if line > lines:
                return index
        column += need
    return len(tokens)


def lines_needed(tokens: Sequence[Token], reserved: int, limit: int) -> int:
    """Returns the smallest number of lines that hold the tokens."""
    count, first = 0, 0
    while first < len(tokens):
        first = fill_lines(tokens, first, reserved if count == 0 else 0, limit, 1)
        count += 1
    return count


def _line_penalty(tokens: Sequence[Token]) -> float:
    """Returns what speaks against a line: it is one short word, or nothing but punctuation."""
    if len(tokens) == 1 and tokens[0].width < _SHORT:
        return _LONE_WORD
    return 0.0 if any(has_content(token.text) for token in tokens) else _NO_CONTENT


def break_lines(tokens: Sequence[Token], reserved: int, limit: int) -> list[str]:
    """Returns as few lines as possible, of similar length. A break at the end of a clause may unbalance them a little.

    ``reserved``: columns of the first line already in use (a speaker's name).
    """
    whole = reserved + sum(token.width + token.space for token in tokens) - tokens[0].space
    if whole <= limit:
        return [join_tokens(tokens)]
    left = lines_needed(tokens, reserved, limit)
    column = reserved - tokens[0].space
    best, place = float("inf"), 1
    for index in range(1, len(tokens)):
        token = tokens[index - 1]
        column += token.width + token.space
        if column > limit and index > 1:
            break
        if left == 2:
            fits = whole - column - tokens[index].space <= limit
        else:
            fits = lines_needed(tokens[index:], 0, limit) < left
        if not fits:
            continue
        score = abs(column - whole / left) - (_CLAUSE_BREAK_WORTH if token.cut in ("sentence", "clause") else 0)
        score += _line_penalty(tokens[:index]) + (_line_penalty(tokens[index:]) if left == 2 else 0)
        if score < best:
            best, place = score, index
    return [join_tokens(tokens[:place]), *break_lines(tokens[place:], 0, limit)]
