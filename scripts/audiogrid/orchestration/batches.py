"""Runs several batches one after another: finds them, starts them, reports how each ended."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from audiogrid.core.errors import InputError
from audiogrid.core.timebase import SAMPLE_RATE, clock
from audiogrid.orchestration.launch import PROFILE, config_tail, split_arguments

FOLDER = Path("config") / "batches"
_SUFFIXES = (".yaml", ".yml")


def parse_names(text: str) -> list[str]:
    """Returns the names in ``BATCH`` of make, parted by blanks or commas. Raises ``InputError`` for an open quote."""
    try:
        return shlex.split(text.replace(",", " "))
    except ValueError as error:
        raise InputError(f"BATCH={text!r} cannot be read: {error}") from error


def find_batches(names: Sequence[str], folder: Path = FOLDER) -> list[Path]:
    """Returns the configuration files of batches, in order: names in ``folder`` or paths; without names, all there.

    Raises ``InputError`` when there is none, or one that is named does not exist.
    """
    there = sorted(path for path in folder.glob("*") if path.suffix in _SUFFIXES and not path.name.startswith("."))
    if not names and not there:
        raise InputError(f"there is no batch in {folder}/: put one .yaml file per batch there, or name the files")
    return list(dict.fromkeys(_find(name, there, folder) for name in names)) if names else there


def _find(name: str, there: Sequence[Path], folder: Path) -> Path:
    for path in [Path(name), *(folder / f"{name}{suffix}" for suffix in ("", *_SUFFIXES))]:
        if path.is_file():
            return path
    known = [path.stem for path in there]
    near = difflib.get_close_matches(name, known, 1)
    advice = f"did you mean {near[0]!r}?" if near else f"known in {folder}/: {', '.join(known) or 'none'}"
    raise InputError(f"there is no batch {name!r}: {advice}")


def batch_arguments(batch: Path, words: Sequence[str], start: Sequence[str] = ("--profile", PROFILE)) -> list[str]:
    """Returns the arguments of the ``snakemake`` that runs a batch. ``words``: further arguments of Snakemake."""
    arguments, config = split_arguments(words)
    # A file name that begins with a dash must not be read as an option.
    file = str(batch) if batch.is_absolute() or not str(batch).startswith("-") else f"./{batch}"
    return [*start, *arguments, "--configfile", file, *config_tail(config)]


@dataclass(frozen=True)
class BatchResult:
    """How a batch ended: Snakemake's exit code, and the seconds it took."""

    batch: Path
    code: int
    seconds: float


def run_all(batches: Sequence[Path], run: Callable[[Path], int], now: Callable[[], float]) -> list[BatchResult]:
    """Run every batch, also after a failed one. A batch that was interrupted (Ctrl-C) is the last."""
    results = []
    for batch in batches:
        began = now()
        try:
            code = run(batch)
        except KeyboardInterrupt:
            code = 130
        results.append(BatchResult(batch, code, now() - began))
        if code == 130:
            break
    return results


def result_lines(results: Sequence[BatchResult], wanted: Sequence[Path], again: str = "make batch BATCH=") -> list[str]:
    """The last lines of the output: a row per batch, and the command that repeats each failed one."""
    done = {one.batch: one for one in results}
    width = max(len(str(batch)) for batch in wanted)
    lines = [f"{'batch':<{width}}  exit  time"]
    for batch in wanted:
        one = done.get(batch)
        if one is None:
            lines.append(f"{batch!s:<{width}}     -  not begun")
        else:
            lines.append(f"{batch!s:<{width}}  {one.code:>4}  {clock(round(one.seconds) * SAMPLE_RATE)}")
    good = sum(one.code == 0 for one in results)
    lines.append(f"{good} of {len(wanted)} batch(es) ended well" + ("." if good == len(wanted) else ":"))
    lines += [f"  again: {again}{shlex.quote(str(one.batch))}" for one in results if one.code]
    return lines
