"""`audiogrid search`: find words in the transcripts of runs."""

from __future__ import annotations

import argparse
import json
import re
import sys
from itertools import islice
from pathlib import Path

from audiogrid.cli.command import Command
from audiogrid.cli.run_argument import find_run
from audiogrid.core.errors import InputError
from audiogrid.core.language_codes import check_language, normalise_language
from audiogrid.core.text import clean_text
from audiogrid.export.template import clock
from audiogrid.records.run_folder import RunFolder
from audiogrid.searching.build_index import find_index
from audiogrid.searching.query import parse_query
from audiogrid.searching.search_index import Filter, Hit, SearchIndex, as_json

_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"
# What begins with so many characters before the first word that is found is cut there.
_BEFORE = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is looked for, in which runs, and which lines count."""
    parser.add_argument("query", metavar="WORDS", help='what a line must hold: words, "a phrase", begin*')
    parser.add_argument("runs", nargs="+", metavar="RUN", help="names or folders of runs")
    parser.add_argument("--recording", default="", metavar="PART", help="only recordings with this in their id or file")
    parser.add_argument("--language", default="", metavar="CODE", help="only recordings in this language: en, es ...")
    parser.add_argument("--speaker", default="", metavar="PART", help="only what speakers with this in their name say")
    parser.add_argument(
        "--since", default="", metavar="DATE", help="only recordings of this date or later: 2024, 2024-05"
    )
    parser.add_argument("--until", default="", metavar="DATE", help="only recordings of this date or earlier")
    parser.add_argument(
        "--limit", type=int, default=100, metavar="N", help="lines to print at most; 0: all (default: 100)"
    )
    parser.add_argument("--json", action="store_true", help="a JSON object per line that is found")


def _indexes(names: list[str]) -> list[tuple[RunFolder, SearchIndex]]:
    """Returns runs and their indexes. ``results/*`` also names what is no run: that is passed over.

    Raises ``InputError`` where no run can be searched.
    """
    found = []
    for name in names:
        try:
            folder = find_run(name)
        except InputError:
            if len(names) > 1 and Path(name).exists():
                continue
            raise
        try:
            found.append((folder, SearchIndex(find_index(folder))))
        except InputError as error:
            if len(names) == 1:
                raise
            print(f"warning: {error}", file=sys.stderr)
    if not found:
        raise InputError(f"none of {', '.join(names[:5])}{' ...' if names[5:] else ''} is a run that can be searched")
    return found


def _filter(options: argparse.Namespace) -> Filter:
    """Returns which lines count. Raises ``InputError`` for a language or a date that cannot be meant."""
    for name in ("since", "until"):
        date = getattr(options, name)
        if date and not re.fullmatch(r"\d{4}(-\d{2}){0,2}", date, re.ASCII):
            raise InputError(f"--{name}: {date!r} is no date: write a year, a month or a day, such as 2024-05-31")
    wrong = check_language(options.language) if options.language else None
    if wrong:
        raise InputError(f"--language: {wrong}")
    language = normalise_language(options.language) if options.language else ""
    return Filter(
        options.recording, "" if language == "auto" else language, options.speaker, options.since, options.until
    )


def _shown(hit: Hit, is_terminal: bool) -> str:
    """Returns a hit for a terminal: recording, time, speaker and text, what is found in bold."""
    first = hit.found[0][0]
    begin = hit.text.rfind(" ", 0, first - _BEFORE) + 1 if first > _BEFORE else 0
    parts, at = ["… " if begin else ""], begin
    for start, end in hit.found:
        if start >= at:
            found = hit.text[start:end]
            parts += [hit.text[at:start], f"{_BOLD}{found}{_PLAIN}" if is_terminal else found]
            at = end
    text = "".join([*parts, hit.text[at:]])
    who = f"{clean_text(hit.speaker)}: " if hit.speaker else ""
    return f"{clean_text(hit.recording.recording)}  {clock(hit.seconds)}  {who}{text}"


def run(options: argparse.Namespace, rest: list[str]) -> None:
    """Print the lines that hold what is looked for, or say that there are none.

    Raises ``InputError`` where the query, a filter or a run cannot be meant.
    """
    if not parse_query(options.query):
        raise InputError(f"{options.query!r} holds nothing to search for: write at least one letter or digit")
    if options.limit < 0:
        raise InputError("--limit: write 0 for all lines, or a number above it")
    only = _filter(options)
    is_terminal = sys.stdout.isatty()
    printed, has_more = 0, False
    indexes = _indexes(options.runs)
    for folder, index in indexes:
        hits = index.search(options.query, only)
        for hit in islice(hits, options.limit - printed if options.limit else None):
            if options.json:
                print(json.dumps({"run": folder.root.name, **as_json(hit)}, ensure_ascii=False))
            else:
                print((f"{folder.root.name}/" if len(indexes) > 1 else "") + _shown(hit, is_terminal))
            printed += 1
        if options.limit and printed == options.limit:
            has_more = next(hits, None) is not None or index is not indexes[-1][1]
            break
    if has_more:
        print(f"the first {printed} lines; --limit 0 prints all", file=sys.stderr)
    if not printed:
        print("nothing found", file=sys.stderr)


COMMAND = Command(
    summary="find words in the transcripts of runs",
    explanation="Find words in the transcripts of runs. A line is found if it holds all that is asked for: words, "
    '"a phrase" in quotes, begin* for any end of a word. Capital letters, accents and punctuation do not count. '
    "search.html in the folder of a run does the same in a browser.",
    example="audiogrid search '\"winter garden\"' results/*",
    add_arguments=add_arguments,
    run=run,
)
