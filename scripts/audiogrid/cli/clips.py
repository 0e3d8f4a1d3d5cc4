"""``audiogrid clips``: the doubtful passages of a run as short files."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from audiogrid.cli.command import Command
from audiogrid.cli.run_argument import find_run
from audiogrid.core.errors import InputError
from audiogrid.media.file_parts import MediaFile
from audiogrid.records.plan import Recording
from audiogrid.reporting.clips import KINDS, TABLE, write_clips
from audiogrid.splitting.opening import UnusableRecordingError, open_recording


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which run, how many passages, and what kind of files."""
    parser.add_argument("run", metavar="RUN", help="name or folder of a run")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to write (default: clips/ in the run's folder)")
    parser.add_argument("--kind", choices=list(KINDS), default="wav", help="kind of the files (default: wav)")
    parser.add_argument("--count", type=int, default=50, metavar="N", help="passages in all (default: 50)")
    parser.add_argument("--per-recording", type=int, default=5, metavar="N", help="of one recording (default: 5)")
    parser.add_argument("--padding", type=float, default=0.5, metavar="S", help="seconds around each (default: 0.5)")


def _open(recording: Recording) -> MediaFile:
    try:
        return open_recording(recording)
    except UnusableRecordingError as error:
        raise InputError(str(error)) from None


def run(options: argparse.Namespace, rest: list[str]) -> int:
    """Write the clips and say where they are. Returns 1 if a recording could not be read."""
    folder = find_run(options.run)
    out = options.out or folder.root / "clips"
    limits = {"count": options.count, "per_recording": options.per_recording, "padding": options.padding}
    done = write_clips(folder, out, kind=options.kind, open_file=_open, **limits)
    for recording, problem in done.problems.items():
        print(f"no clips of {recording}: {problem}", file=sys.stderr)
    if not done.clips and not done.problems:
        print(f"{folder.root}: no passage is doubtful enough to be cut out")
        return 0
    print(f"{len(done.clips)} clip(s) in {out}/, listed in {out / TABLE}")
    return 1 if done.problems else 0


COMMAND = Command(
    summary="cut out the doubtful passages of a run, to listen to",
    explanation="Write the passages of a run whose words are least certain as short audio files, with a table of "
    "where they are, what was understood, and a column for what is right.",
    example="audiogrid clips talks --kind mp3 --count 20",
    add_arguments=add_arguments,
    run=run,
)
