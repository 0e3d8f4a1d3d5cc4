"""`audiogrid score`: the error rate of transcripts where a person has corrected them."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field

from audiogrid.aligning.learnt_halves import HalfResult, learnt_halves
from audiogrid.aligning.learnt_terms import ordinary_words
from audiogrid.cli.command import Command
from audiogrid.cli.run_argument import find_run, known_runs
from audiogrid.core.errors import EXIT_DONE, InputError
from audiogrid.corrections.corrected_recordings import read_document
from audiogrid.export.packs import packed_names
from audiogrid.export.provenance import text_language
from audiogrid.merging.transcript_writer import is_edited_copy
from audiogrid.records.run_folder import RunFolder, is_sub_folder
from audiogrid.scoring.alignment import Alignment, align
from audiogrid.scoring.checked_stretches import GAP, checked_stretches, checked_text, cut_to, own_text
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


@dataclass
class _Scored:
    """The minutes that a person has checked, the model's own words against theirs by unit, what a glossary learns."""

    minutes: float = 0.0
    by_unit: dict[str, list[Alignment]] = field(default_factory=dict)
    learnt: HalfResult = field(default_factory=HalfResult)


def _score(run: RunFolder, gap: float) -> _Scored:
    found = _Scored()
    folders = [run.transcripts, *(one for one in run.transcripts.glob("??/") if is_sub_folder(one.name))]
    present = [path for folder in folders for path in folder.glob("*.json")]
    packed = [run.transcripts / name for name in packed_names(run.transcripts) if "/" not in name]
    for path in sorted({path.name: path for path in (*packed, *present) if path.suffix == ".json"}.values()):
        if path.name.endswith(".labelstudio.json") or is_edited_copy(path):
            continue
        document = read_document(run, path.stem)
        stretches = checked_stretches(document, gap)
        if not stretches:
            continue
        language = text_language(document)
        wanted = normalised_tokens(checked_text(document, stretches), language)
        said = normalised_tokens(own_text(document, stretches), language)
        found.minutes += sum(end - start for start, end in stretches) / 60
        found.by_unit.setdefault(unit(language), []).append(align(wanted, said))

        def errors(right: str, text: str, language: str | None = language) -> int:
            return align(normalised_tokens(right, language), normalised_tokens(text, language)).errors

        found.learnt += learnt_halves(cut_to(document, stretches), ordinary_words([document]), errors)
    return found


def run(options: argparse.Namespace, rest: list[str]) -> int:
    """Print a line per run. Raises ``InputError`` where no run has corrected words."""
    require_packages()
    runs = [find_run(name) for name in options.names] or known_runs()
    scored = 0
    for folder in runs:
        found = _score(folder, options.gap)
        minutes, by_unit = found.minutes, found.by_unit
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
        if found.learnt.terms:
            print(
                f"{folder.root.name}: names learnt from half of the corrections leave {found.learnt.after} of "
                f"{found.learnt.before} errors in the other half (by their spelling; a glossary also asks the audio)"
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
