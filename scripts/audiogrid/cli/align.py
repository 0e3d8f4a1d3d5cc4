"""``audiogrid align``: a recording whose text is known gets its times."""

from __future__ import annotations

import argparse
import csv
import io
from pathlib import Path

from audiogrid.cli.command import Command, add_snakemake_options, snakemake_words
from audiogrid.core.atomic_files import write_text
from audiogrid.core.errors import InputError
from audiogrid.orchestration.launch import free_run_name, snakemake_arguments
from audiogrid.orchestration.project import start_options
from audiogrid.orchestration.start import become_snakemake
from audiogrid.remote.address import is_remote

#: The table that the command writes into the folder of its run.
TABLE = "align.tsv"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The recording and its text, and how Snakemake is started."""
    parser.add_argument("recording", metavar="RECORDING", help="an audio or video file, or its address")
    parser.add_argument("text", metavar="TEXT", help="the text that is spoken in it: txt, srt, vtt or docx")
    parser.add_argument("--run", metavar="NAME", default="", help="name below results/ (default: made from RECORDING)")
    add_snakemake_options(parser)


def write_table(options: argparse.Namespace, results: Path) -> tuple[Path, str]:
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
    name = options.run or free_run_name([f"{Path(recording).with_suffix('')}"], results)
    lines = io.StringIO()
    csv.writer(lines, delimiter="\t", lineterminator="\n").writerows([("path", "text"), (recording, str(text))])
    table = results / name / TABLE
    table.parent.mkdir(parents=True, exist_ok=True)
    write_text(table, lines.getvalue())
    return table, name


def run(options: argparse.Namespace, rest: list[str]) -> None:
    """Start the workflow for the one recording."""
    table, name = write_table(options, Path("results"))
    start = start_options(options.profile, Path())
    become_snakemake(snakemake_arguments([str(table)], name, snakemake_words(options, (), rest), start=start))


COMMAND = Command(
    summary="time a text that exists",
    explanation="Give the words of a text the times at which they are spoken. All formats come out with that text; "
    "where it and the audio disagree stands in differences.tsv. For many recordings name the texts in a table.",
    example="audiogrid align lecture.mp4 script.docx",
    add_arguments=add_arguments,
    run=run,
    takes_snakemake_options=True,
)
