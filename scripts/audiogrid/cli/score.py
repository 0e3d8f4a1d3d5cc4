"""`audiogrid score`: the error rate of transcripts where a person has corrected them."""

from __future__ import annotations

import argparse
import sys

from audiogrid.cli.command import Command
from audiogrid.cli.run_argument import find_run, known_runs
from audiogrid.core.errors import EXIT_DONE, InputError
from audiogrid.corrections.corrected_recordings import read_document
from audiogrid.merging.transcript_writer import is_edited_copy
from audiogrid.records.run_folder import RunFolder
from audiogrid.scoring.alignment import Alignment, align
from audiogrid.scoring.checked_stretches import GAP, checked_stretches, checked_text, own_text
from audiogrid.scoring.normalising import normalised_tokens, require_packages, unit

# With less than this a rate says little, in minutes.
_FEW = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which runs, and how far corrections may be from each other."""
    parser.add_argument("names", nargs="*", metavar="RUN", help="runs in results/, or their folders (default: all)")
    parser.add_argument(
        "--gap",
        type=float,
        default=GAP,
        metavar="SECONDS",
        help="words between two corrections count as checked if these are at most so far apart (default: %(default)g)",
    )


def _score(run: RunFolder, gap: float) -> tuple[float, dict[str, list[Alignment]]]:
    """Returns the minutes that a person has checked, and the model's own words against theirs, by unit."""
    minutes = 0.0
    found: dict[str, list[Alignment]] = {}
    for path in sorted([*run.transcripts.glob("*.json"), *run.transcripts.glob("[0-9a-f][0-9a-f]/*.json")]):
        if path.name.endswith(".labelstudio.json") or is_edited_copy(path):
            continue
        document = read_document(run, path.stem)
        stretches = checked_stretches(document, gap)
        if not stretches:
            continue
        language = document.get("language")
        wanted = normalised_tokens(checked_text(document, stretches), language)
        said = normalised_tokens(own_text(document, stretches), language)
        minutes += sum(end - start for start, end in stretches) / 60
        found.setdefault(unit(language), []).append(align(wanted, said))
    return minutes, found


def run(options: argparse.Namespace, rest: list[str]) -> int:
    """Print a line per run. Raises ``InputError`` where no run has corrected words."""
    require_packages()
    runs = [find_run(name) for name in options.names] or known_runs()
    scored = 0
    for folder in runs:
        minutes, by_unit = _score(folder, options.gap)
        if not by_unit:
            print(f"{folder.root.name}: no stretch with a correction at least every {options.gap:g} s")
            continue
        scored += 1
        for name, alignments in by_unit.items():
            tokens = sum(len(one.reference) for one in alignments)
            errors = sum(one.errors for one in alignments)
            kinds = [sum(one.count(kind) for one in alignments) for kind in ("substitute", "delete", "insert")]
            print(
                f"{folder.root.name}: {100 * errors / max(1, tokens):.1f} % errors in {tokens} {name} that a person "
                f"checked ({minutes:.1f} min of {len(alignments)} recording(s)): {kinds[0]} wrong, {kinds[1]} missing, "
                f"{kinds[2]} too many"
            )
        if minutes < _FEW:
            print(
                f"{folder.root.name}: that is little: correct some minutes without leaving words out", file=sys.stderr
            )
    if not scored:
        raise InputError("nothing to score: correct some minutes on the page of a recording, and import them")
    return EXIT_DONE


COMMAND = Command(
    summary="measure the error rate where a person has corrected",
    explanation="Holds what the model said against what a person made of it, in stretches of a transcript with a "
    "correction or a confirmed word at least every half minute; words between them count as right. Such a figure is "
    "kind to the model: what the person overlooked counts as right.",
    example="audiogrid score interviews",
    add_arguments=add_arguments,
    run=run,
)
