"""``audiogrid run`` and ``audiogrid align``: transcribe, or time a text that exists."""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

from audiogrid.cli.command import Command, add_snakemake_options, snakemake_words
from audiogrid.core.atomic_files import write_text
from audiogrid.core.errors import InputError
from audiogrid.orchestration.launch import (
    config_tail,
    has_config_file,
    run_name_of,
    snakemake_arguments,
    split_arguments,
)
from audiogrid.orchestration.project import is_project, start_options
from audiogrid.orchestration.start import become_snakemake
from audiogrid.records.run_folder import RunFolder
from audiogrid.remote.address import is_remote


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is transcribed, and how Snakemake is started."""
    parser.add_argument(
        "sources", nargs="*", metavar="SOURCE", help="a file, folder, glob, table (.tsv, .csv), s3://..."
    )
    parser.add_argument("--run", metavar="NAME", default="", help="name below results/ (default: made from SOURCE)")
    add_snakemake_options(parser)


def arguments_for(options: argparse.Namespace, targets: Sequence[str], rest: Sequence[str]) -> list[str]:
    """Returns the arguments of ``snakemake`` for sources and options. Raises ``InputError`` if nothing is named."""
    here = Path()
    words = snakemake_words(options, targets, rest)
    start = start_options(options.profile, here)
    for value in options.config:
        if "=" not in value:
            raise InputError(f"--config {value}: write KEY=VALUE, and what to transcribe before --config")
    if options.sources or options.run:
        return snakemake_arguments(options.sources, options.run, words, start=start)
    arguments, config = split_arguments(words)
    named = has_config_file(arguments) or any(value.startswith("recordings=") for value in config)
    if not named and not is_project(here) and not (here / "config" / "config.yaml").is_file():
        raise InputError(
            "name what to transcribe (audiogrid run FOLDER), or make a project folder that says it (audiogrid init DIR)"
        )
    # The configuration says what, and under which name.
    return [*start, *arguments, *config_tail(config)]


def run(options: argparse.Namespace, rest: list[str]) -> None:
    """Start the workflow."""
    become_snakemake(arguments_for(options, (), rest))


COMMAND = Command(
    summary="transcribe recordings",
    explanation="Transcribe recordings into results/NAME/transcripts/. In a project folder (see audiogrid init) its "
    "configuration applies and says what to transcribe unless SOURCE does; elsewhere the defaults apply. "
    "The same command goes on with a run that was interrupted. Other options of Snakemake follow behind "
    "--.",
    example="audiogrid run talks/ 'lectures/*.mp3' --config model=small language=en",
    add_arguments=add_arguments,
    run=run,
    takes_snakemake_options=True,
)


#: The table that the command writes into the folder of its run.
TABLE = "align.tsv"


def add_align_arguments(parser: argparse.ArgumentParser) -> None:
    """The recording and its text, and how Snakemake is started."""
    parser.add_argument("recording", metavar="RECORDING", help="an audio or video file, or its address")
    parser.add_argument("text", metavar="TEXT", help="the text that is spoken in it: txt, srt, vtt or docx")
    parser.add_argument("--run", metavar="NAME", default="", help="name below results/ (default: made from RECORDING)")
    add_snakemake_options(parser)


def _align_run(recording: str, results: Path) -> str:
    """Returns the name of the run of a recording: the same at every call, and of no other recording."""
    name = run_name_of([str(Path(recording).with_suffix(""))])
    folder = RunFolder(results / name)
    try:
        with (folder.root / TABLE).open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            is_own = next(csv.DictReader(file, delimiter="\t"), {}).get("path") == recording
    except FileNotFoundError:
        is_own = not folder.config.exists()
    return name if is_own else f"{name}-{hashlib.sha256(recording.encode(errors='surrogateescape')).hexdigest()[:6]}"


def write_align_table(options: argparse.Namespace, results: Path) -> tuple[Path, str]:
    """Writes the table of the one recording and its text. Returns it and the name of the run.

    Raises ``InputError`` when one of the two files does not exist.
    """
    recording, text = options.recording, Path(options.text).absolute()
    if not text.is_file():
        raise InputError(f"the text {options.text} does not exist: name a txt, srt, vtt or docx file")
    if not is_remote(recording):
        if not Path(recording).is_file():
            raise InputError(f"{recording} does not exist: name the recording, then its text")
        recording = str(Path(recording).absolute())
    name = options.run or _align_run(recording, results)
    lines = io.StringIO()
    csv.writer(lines, delimiter="\t", lineterminator="\n").writerows([("path", "text"), (recording, str(text))])
    table = results / name / TABLE
    table.parent.mkdir(parents=True, exist_ok=True)
    write_text(table, lines.getvalue())
    return table, name


def run_align(options: argparse.Namespace, rest: list[str]) -> None:
    """Start the workflow for the one recording."""
    table, name = write_align_table(options, Path("results"))
    start = start_options(options.profile, Path())
    become_snakemake(snakemake_arguments([str(table)], name, snakemake_words(options, (), rest), start=start))


ALIGN = Command(
    summary="time a text that exists",
    explanation="Give the words of a text the times at which they are spoken. All formats come out with that text; "
    "where it and the audio disagree stands in differences.tsv. For many recordings name the texts in a table.",
    example="audiogrid align lecture.mp4 script.docx",
    add_arguments=add_align_arguments,
    run=run_align,
    takes_snakemake_options=True,
)
