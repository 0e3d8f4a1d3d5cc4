"""``audiogrid corrections``: check the files with corrections, take in what a page has saved, list corrected names."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from audiogrid.aligning.learnt_terms import learnt_terms, ordinary_words
from audiogrid.cli.command import Command
from audiogrid.cli.run_argument import RESULTS, find_run, known_runs
from audiogrid.core.errors import EXIT_BAD_INPUT, EXIT_DONE, InputError
from audiogrid.corrections.corrected_recordings import Recordings, contents, judge, read_edited_transcript
from audiogrid.corrections.corrections_file import Corrections, add, list_files, read
from audiogrid.corrections.entries import Passage
from audiogrid.export.provenance import text_language
from audiogrid.records.run_folder import RunFolder
from audiogrid.reporting.recorded_settings import run_corrections


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, and with which files or runs."""
    parser.add_argument(
        "action",
        choices=["check", "import", "terms"],
        help="check: does each file fit a recording; import: take in files; terms: print corrected names",
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="check, terms: runs (default: all in results/); import: files of a page, or edited transcripts",
    )
    parser.add_argument(
        "--run", metavar="RUN", help="import: the run that was edited (default: the one that fits best)"
    )
    parser.add_argument("--recording", metavar="ID", help="import: its recording (default: by file name)")
    parser.add_argument("--by", default="", metavar="WHO", help="import: who edited it")
    parser.add_argument("--folder", type=Path, help="folder with the corrections (default: that of the run)")


def _folders(runs: list[RunFolder], given: Path | None) -> list[Path]:
    return [given] if given else list(dict.fromkeys(run_corrections(run) for run in runs)) or [Path("corrections")]


def check(names: list[str], given: Path | None) -> int:
    """Print a line per file. Returns the exit code: 2 where a file cannot be used at all."""
    runs = [find_run(name) for name in names] or known_runs()
    recordings = Recordings(runs)
    wrong = 0
    for folder in _folders(runs, given):
        for files in list_files(folder).values():
            for path in files:
                verdict = judge(path, recordings)
                print(verdict, flush=True)
                wrong += verdict.state == "wrong"
    return EXIT_BAD_INPUT if wrong else EXIT_DONE


def print_terms(names: list[str], given: Path | None) -> int:
    """Print the names that people have corrected as lines of a glossary. Returns the exit code."""
    runs = [find_run(name) for name in names] or known_runs()
    recordings = Recordings(runs)
    learnt: dict[str, dict[str, None]] = {}
    for folder in _folders(runs, given):
        for recording, files in list_files(folder).items():
            documents = [document for _, document in recordings.named(recording)]
            if not documents:
                continue
            pairs = [(one.was, one.text) for path in files for one in _passages(path) if not one.is_confirmation]
            ordinary = ordinary_words(documents)
            undone = [(one["term"], one["heard"]) for each in documents for one in each.get("glossary") or ()]
            for term in learnt_terms(pairs, ordinary, text_language(documents[0]), undone):
                learnt.setdefault(term.text, {}).update(dict.fromkeys(term.sounds))
    print("term\tsounds")
    for text, sounds in sorted(learnt.items()):
        print(f"{text}\t{'|'.join(sounds)}")
    print(f"{len(learnt)} term(s). Look through them before you add them to a glossary.", file=sys.stderr)
    return EXIT_DONE


def _passages(path: Path) -> Sequence[Passage]:
    """Returns the corrected words of a file; a file that cannot be read is told and has none."""
    try:
        return read(path).passages
    except InputError as error:
        print(f"left out: {error}", file=sys.stderr)
        return ()


def _read(path: Path, options: argparse.Namespace) -> Corrections:
    """Returns what a file holds. Raises ``InputError`` where it cannot be read or fits no recording."""
    if path.suffix.lower() == ".json":
        return read(path)
    runs = [find_run(options.run)] if options.run else known_runs()
    return read_edited_transcript(path, Recordings(runs), options.recording, options.by)


def take_in(files: list[str], folder: Path, options: argparse.Namespace) -> int:
    """Add what files hold to those in ``folder``. Raises ``InputError`` where one cannot be read; others are done."""
    troubles = []
    for name in files:
        try:
            new = _read(Path(name), options)
            if not (new.speakers or new.passages or new.paragraphs or new.unread):
                print(f"{name}: says what the transcript says; nothing to correct")
                continue
            written = add(folder, new)
        except InputError as error:
            troubles.append(str(error))
            continue
        for mistake in new.mistakes:
            print(f"{name}: {mistake}", file=sys.stderr)
        print(f"{name}: {contents(new)} into {written}")
    if troubles:
        raise InputError("; ".join(troubles))
    print("The next audiogrid run writes the transcripts anew; nothing is decoded.", file=sys.stderr)
    return EXIT_DONE


def run(options: argparse.Namespace, rest: list[str]) -> int:
    """Check, import or list names. Raises ``InputError`` where there is no run, or a file cannot be read."""
    if options.action == "check":
        return check(options.names, options.folder)
    if options.action == "terms":
        return print_terms(options.names, options.folder)
    if not options.names:
        raise InputError("name the files to import, such as ~/Downloads/talk.1a2b3c4d5e6f.json")
    every = (RunFolder(path.parent) for path in RESULTS.glob("*/run_config.yaml"))
    runs = [find_run(options.run)] if options.run else list(every)
    folders = _folders(runs, options.folder)
    if len(folders) > 1:
        several = ", ".join(map(str, folders))
        raise InputError(
            f"the runs here have several folders of corrections ({several}): "
            "name the run with --run, or the folder with --folder"
        )
    return take_in(options.names, folders[0], options)


COMMAND = Command(
    summary="check, import and list corrections",
    explanation="Corrections of a recording lie in a file under corrections/ and are applied whenever its transcript "
    "is written (docs/corrections.md). check says what fits and what does not; import adds what a page has saved, or "
    "the differences of an edited copy: srt, vtt, txt, docx, eaf, TextGrid; terms prints corrected names as lines of a "
    "glossary (docs/glossary.md).",
    example="audiogrid corrections import ~/Downloads/talk.1a2b3c4d5e6f.json",
    add_arguments=add_arguments,
    run=run,
)
