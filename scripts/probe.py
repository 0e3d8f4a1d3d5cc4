"""Look at every recording: media facts, or the reason why it cannot be transcribed, into probe.json.

With `--part` only at the files of one part of a large listing, whose facts `probe` collects later.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from logging import Logger
from pathlib import Path

from audiogrid.core.command import run
from audiogrid.core.errors import InputError
from audiogrid.core.log import open_log
from audiogrid.core.timebase import clock
from audiogrid.core.tsv import escape_cell
from audiogrid.hardware.cores import usable_cores
from audiogrid.media.audio_tracks import TrackWish, parse_tracks
from audiogrid.probing.earlier_facts import RememberedFacts
from audiogrid.probing.fingerprint import attempts_file, record_attempt
from audiogrid.probing.list_recordings import list_sources
from audiogrid.probing.probe import Probed, ProbeReport, probe, write_rejected
from audiogrid.probing.probe_parts import ProbeParts, look_at_part

# Notes on the terminal; the others are in the log and the summary.
_MOST_NOTES = 20


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--recordings-json", default="", help="a folder, glob, table or media file, or a list of them, as JSON"
    )
    parser.add_argument("--channels", default="mix", help="mix or split, where a table says nothing else")
    parser.add_argument("--tracks", type=json.loads, default='"auto"', help="wanted audio tracks, as JSON")
    parser.add_argument("--language", help="the run's language, which decides between equal audio tracks")
    parser.add_argument("--processes", type=int, default=usable_cores())
    parser.add_argument("--cache", type=Path, help="facts and ids of earlier runs (JSON lines, rewritten)")
    parser.add_argument("--part", type=Path, help="a list of files, which alone are looked at")
    parser.add_argument("--output", type=Path, required=True, help="probe.json, or the facts of a part")
    parser.add_argument("--rejected", type=Path, help="rejected.tsv (plan.py writes it, too)")
    parser.add_argument("--log", type=Path)
    return parser.parse_args(argv)


def _recordings(text: str) -> str | list[str]:
    try:
        value = json.loads(text)
    except ValueError:
        raise InputError(f"--recordings-json is not JSON: {text!r}; write a path as '\"samples\"'") from None
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    raise InputError(f"recordings is {text}: give a path, or a list of paths")


def _tracks(value: object) -> TrackWish:
    try:
        return parse_tracks(value)
    except ValueError as error:
        raise InputError(str(error)) from None


def _say_left_out(recordings: Sequence[Probed], log: Logger) -> None:
    """Tell of recordings with speech on audio tracks that are left out."""
    told = [one for one in recordings if one.note and "audio track" in one.note]
    for number, recording in enumerate(told):
        line = f"note: {escape_cell(recording.recording)}: {escape_cell(recording.note or '')}"
        if number < _MOST_NOTES:
            print(line, file=sys.stderr)
        log.warning(line)
    if len(told) > _MOST_NOTES:
        print(
            f"note: and {len(told) - _MOST_NOTES} more recordings; see the column note of summary.tsv", file=sys.stderr
        )


def main(argv: list[str]) -> None:
    """Write probe.json; say on standard error what was rejected and why."""
    arguments = _arguments(argv)
    log = open_log(arguments.log)
    if arguments.part:
        count, lost = look_at_part(arguments.part, arguments.output, arguments.processes)
        log.info("looked at %d file(s), %d of them without facts", count, lost)
        return
    parts = None if arguments.cache is None else ProbeParts(arguments.cache.parent)
    remembered = RememberedFacts(arguments.cache, parts.found() if parts else ())
    listing = list_sources(
        _recordings(arguments.recordings_json),
        channels=arguments.channels,
        tracks=_tracks(arguments.tracks),
        known_ids=remembered.ids(),
    )
    probed = probe(
        listing.sources,
        processes=arguments.processes,
        cache=arguments.cache,
        language=arguments.language,
        remembered=remembered,
    )
    report = ProbeReport(probed.recordings, [*listing.rejected, *probed.rejected])
    if arguments.cache is not None:
        record_attempt(attempts_file(arguments.cache.parent), probed.unreachable)
    if arguments.rejected:
        write_rejected(arguments.rejected, report.rejected)
    report.write(arguments.output)
    if parts is not None:
        parts.clear()
    for rejection in report.rejected:
        line = f"rejected {escape_cell(rejection.path or rejection.recording)}: {escape_cell(rejection.reason)}"
        print(line, file=sys.stderr)
        log.warning(line)
    _say_left_out(report.recordings, log)
    audio = sum(recording.duration for recording in report.recordings)
    summary = f"probed {len(report.recordings)} recording(s), {clock(audio)} of audio, {len(report.rejected)} rejected"
    print(summary, file=sys.stderr)
    log.info(summary)


if __name__ == "__main__":
    run(main)
