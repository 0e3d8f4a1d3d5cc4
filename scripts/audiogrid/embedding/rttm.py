"""Reads turns that somebody else found: RTTM, the format of NIST's and all later diarization evaluations."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from audiogrid.core.errors import InputError
from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.embedding.voices import Turn

# So much of the speech may lie beyond the end of the recording before the file is taken to be of another one.
_LARGEST_SHARE_BEYOND = 0.02


@dataclass(frozen=True)
class GivenTurns:
    """Turns with ``speaker`` as a number into ``names``, which are in the order of first appearance."""

    turns: list[Turn]
    names: list[str]
    notes: list[str]


def _row(path: Path, number: int, line: str) -> tuple[str, float, float, str]:
    cells = _cells(line)
    try:
        start, duration = float(cells[3]), float(cells[4])
        name = cells[7]
    except (IndexError, ValueError):
        raise InputError(
            f"{path}, line {number}: not a line of RTTM ({line[:80]!r}): it needs at least eight fields, the fourth "
            "and fifth being start and duration in seconds, the eighth a speaker"
        ) from None
    # `not (x >= 0)` is also true of NaN.
    if not (start >= 0) or not (0 <= duration < float("inf")) or start == float("inf"):
        raise InputError(f"{path}, line {number}: start and duration must be at least 0, not {cells[3]} and {cells[4]}")
    return cells[1], start, duration, name


def _cells(line: str) -> list[str]:
    """The fields of a line, between blanks and tabs; names may hold other characters that count as spaces."""
    return [cell for cell in re.split(r"[ \t]+", line) if cell]


def read_rttm(path: Path, recording: str, samples: int, stem: str = "") -> GivenTurns:
    """The turns of ``recording`` (its id, or ``stem``, its file's name) in an RTTM file. ``samples``: its length.

    Turns are cut at the end of the recording. Raises ``InputError`` when the file cannot be read, has a line that is
    no RTTM, or is of other recordings.
    """
    try:
        # Only these end a line: a name may hold others that `str.splitlines` takes for an end.
        lines = re.split(r"\r\n|\n|\r", path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"rttm: {path} cannot be read ({error}): name a readable file with UTF-8 text") from error
    rows = [
        _row(path, number, line)
        for number, line in enumerate(lines, 1)
        if line.strip() and not line.startswith(";") and _cells(line)[0].upper() == "SPEAKER"
    ]
    if not rows:
        raise InputError(f"rttm: {path} has no SPEAKER lines: name a file that says who speaks when")
    named = {row[0] for row in rows}
    notes = []
    mine = named & {recording, stem}
    if mine:
        rows = [row for row in rows if row[0] in mine]
    elif len(named) > 1:
        raise InputError(f"rttm: {path} is of {len(named)} recordings, and none of them is {recording!r}")
    else:
        notes.append(f"{path.name} calls its recording {rows[0][0]!r}")
    return _turns(path, rows, samples, notes)


def _turns(path: Path, rows: list[tuple[str, float, float, str]], samples: int, notes: list[str]) -> GivenTurns:
    numbers: dict[str, int] = {}
    turns: list[Turn] = []
    spoken = beyond = 0.0
    length = samples / SAMPLE_RATE
    for _, start, duration, name in sorted(rows, key=lambda row: (row[1], row[2], row[3])):
        spoken += duration
        beyond += max(0.0, start + duration - max(start, length))
        end = min(samples, round((start + duration) * SAMPLE_RATE))
        if round(start * SAMPLE_RATE) < end:
            turns.append(Turn(round(start * SAMPLE_RATE), end, numbers.setdefault(name, len(numbers))))
    if beyond > _LARGEST_SHARE_BEYOND * spoken:
        raise InputError(
            f"rttm: {path} has {beyond:.1f} s of speech beyond the end of the recording ({length:.1f} s): it is of "
            "another recording"
        )
    if beyond:
        notes.append(f"{path.name}: {beyond:.2f} s of speech beyond the end were left out")
    return GivenTurns(turns, list(numbers), notes)
