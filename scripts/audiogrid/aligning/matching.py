"""Finds which words of a given text were heard where: the longest runs that both have in common, in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    """Words ``[first, last)`` of the text against words ``[heard_first, heard_last)`` that were heard.

    ``is_same``: both are the same words; else one of the two may be empty.
    """

    first: int
    last: int
    heard_first: int
    heard_last: int
    is_same: bool = False

    @property
    def words(self) -> int:
        """Words on the longer side."""
        return max(self.last - self.first, self.heard_last - self.heard_first)


def match_words(
    text: Sequence[str],
    heard: Sequence[str],
    begins_text: Callable[[int], bool] = lambda index: False,
    begins_heard: Callable[[int], bool] = lambda index: False,
) -> list[Run]:
    """Returns runs that cover both sequences in order; those with different words alternate with those of the same.

    ``begins_text`` and ``begins_heard``: whether a sentence begins at a word. A run that could as well lie a few words
    earlier is put where sentences begin.
    """
    from rapidfuzz.distance import Levenshtein

    if not text or not heard:
        return [Run(0, len(text), 0, len(heard))] if text or heard else []
    codes = Levenshtein.opcodes(text, heard)
    runs = [Run(c.src_start, c.src_end, c.dest_start, c.dest_end, c.tag == "equal") for c in codes]
    whole = _joined(_without_islands(_gathered(_joined(runs), text, heard)))
    moved = _moved(whole, text, heard, begins_text, begins_heard)
    return [part for run in moved for part in _parted(run, text, heard)]


def _joined(runs: Sequence[Run]) -> list[Run]:
    found: list[Run] = []
    for run in runs:
        if found and found[-1].is_same == run.is_same:
            before = found.pop()
            run = Run(before.first, run.last, before.heard_first, run.heard_last, run.is_same)
        found.append(run)
    return found


def _gathered(runs: Sequence[Run], text: Sequence[str], heard: Sequence[str]) -> list[Run]:
    """Joins two runs that only one side has to one, where the words between them may as well stand before both."""
    found: list[Run] = []
    for run in runs:
        if len(found) > 1 and not run.is_same:
            before, same = found[-2], found[-1]
            in_text = run.heard_first == run.heard_last and before.heard_first == before.heard_last
            in_heard = run.first == run.last and before.first == before.last
            side, first, last = (text, run.first, run.last) if in_text else (heard, run.heard_first, run.heard_last)
            if (in_text or in_heard) and _slides(side, first, last, same.words):
                found[-2:] = []
                if in_text:
                    end = run.last - same.words
                    run = Run(before.first, end, before.heard_first, before.heard_first)
                    same = Run(end, end + same.words, before.heard_first, before.heard_first + same.words, True)
                else:
                    end = run.heard_last - same.words
                    run = Run(before.first, before.first, before.heard_first, end)
                    same = Run(before.first, before.first + same.words, end, end + same.words, True)
                found += [run, same]
                continue
        if found and found[-1].is_same and run.is_same:
            run = Run(found[-1].first, run.last, found.pop().heard_first, run.heard_last, True)
        found.append(run)
    return found


def _slides(words: Sequence[str], first: int, last: int, by: int) -> bool:
    """Returns whether ``[first, last)`` may as well lie so many words earlier: what it passes is what it ends with."""
    return all(words[first - step] == words[last - step] for step in range(1, by + 1))


def _without_islands(runs: Sequence[Run]) -> list[Run]:
    """A word or two of a passage that is otherwise different agree by chance."""

    def is_island(index: int) -> bool:
        length = runs[index].words
        if not runs[index].is_same or not 0 < index < len(runs) - 1:
            return False
        before, after = runs[index - 1].words, runs[index + 1].words
        return min(before, after) >= 2 * length and before + after >= 6 * length

    return [
        Run(run.first, run.last, run.heard_first, run.heard_last) if is_island(index) else run
        for index, run in enumerate(runs)
    ]


def _moved(
    runs: Sequence[Run],
    text: Sequence[str],
    heard: Sequence[str],
    begins_text: Callable[[int], bool],
    begins_heard: Callable[[int], bool],
) -> list[Run]:
    """Moves runs that only one side has to where a sentence begins, if the words around allow it."""
    found = list(runs)
    for index in range(1, len(found) - 1):
        run, before, after = found[index], found[index - 1], found[index + 1]
        if run.is_same or (run.first < run.last and run.heard_first < run.heard_last):
            continue
        in_text = run.first < run.last
        words, begins = (text, begins_text) if in_text else (heard, begins_heard)
        first, last = (run.first, run.last) if in_text else (run.heard_first, run.heard_last)
        shift = _best_shift(words, first, last, before.words, after.words, begins)
        if not shift:
            continue
        move = Run(run.first + shift, run.last + shift, run.heard_first + shift, run.heard_last + shift)
        found[index] = move
        found[index - 1] = Run(before.first, move.first, before.heard_first, move.heard_first, True)
        found[index + 1] = Run(move.last, after.last, move.heard_last, after.heard_last, True)
    return [run for run in found if run.words]


def _best_shift(
    words: Sequence[str], first: int, last: int, back: int, forth: int, begins: Callable[[int], bool]
) -> int:
    """Returns by how many words ``[first, last)`` has to move to begin with a sentence; 0 if it cannot."""
    if begins(first):
        return 0
    for shift in range(1, back + 1):
        if words[first - shift] != words[last - shift]:
            break
        if begins(first - shift):
            return -shift
    for shift in range(1, forth + 1):
        if words[first + shift - 1] != words[last + shift - 1]:
            break
        if begins(first + shift):
            return shift
    return 0


# Parts of a run are alike from this similarity of their letters on (0 to 100); a part of fewer words is not split off.
_ALIKE = 60
_LEAST_PART = 3


def _parted(run: Run, text: Sequence[str], heard: Sequence[str]) -> list[Run]:
    """Splits a run with a misheard word beside a sentence that only one side has into these two."""
    surplus = (run.last - run.first) - (run.heard_last - run.heard_first)
    if run.is_same or run.first == run.last or run.heard_first == run.heard_last or abs(surplus) < _LEAST_PART:
        return [run]
    if surplus > 0:
        cut = _best_cut(text[run.first : run.last], heard[run.heard_first : run.heard_last])
        if cut is None:
            return [run]
        at, is_before = run.first + cut[0], cut[1]
        if is_before:
            return [
                Run(run.first, at, run.heard_first, run.heard_last),
                Run(at, run.last, run.heard_last, run.heard_last),
            ]
        return [
            Run(run.first, at, run.heard_first, run.heard_first),
            Run(at, run.last, run.heard_first, run.heard_last),
        ]
    cut = _best_cut(heard[run.heard_first : run.heard_last], text[run.first : run.last])
    if cut is None:
        return [run]
    at, is_before = run.heard_first + cut[0], cut[1]
    if is_before:
        return [Run(run.first, run.last, run.heard_first, at), Run(run.last, run.last, at, run.heard_last)]
    return [Run(run.first, run.first, run.heard_first, at), Run(run.first, run.last, at, run.heard_last)]


def _best_cut(longer: Sequence[str], shorter: Sequence[str]) -> tuple[int, bool] | None:
    """Returns where to cut the longer side, and whether its first part is the one that is like the shorter side."""
    from rapidfuzz import fuzz

    wanted, around = "".join(shorter), len(shorter) + 2
    cuts = range(max(1, len(shorter) - 2), min(len(longer) - _LEAST_PART, around) + 1)
    found = [(fuzz.ratio("".join(longer[:cut]), wanted), cut, True) for cut in cuts]
    found += [(fuzz.ratio("".join(longer[-cut:]), wanted), len(longer) - cut, False) for cut in cuts]
    best = max(found, default=(0.0, 0, True))
    return (best[1], best[2]) if best[0] >= _ALIKE else None
