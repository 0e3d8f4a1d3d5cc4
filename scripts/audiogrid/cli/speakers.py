"""``audiogrid speakers forget``: remove the voice vectors of a run or of single recordings."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from audiogrid.cli.command import Command
from audiogrid.cli.run_argument import find_run
from audiogrid.core.errors import InputError
from audiogrid.orchestration.stale_locks import is_locked
from audiogrid.reporting.status import run_store
from audiogrid.reporting.voice_vectors import forget_voices, voice_files


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Whose vectors, and whether to remove anything."""
    parser.add_argument("action", choices=["forget"], help="forget: remove voice vectors from the store")
    parser.add_argument("name", metavar="RUN", help="a run in results/, or its folder")
    parser.add_argument(
        "--recording", action="append", default=[], metavar="ID", help="only of this recording (may be repeated)"
    )
    parser.add_argument("--yes", action="store_true", help="remove them; without it, only say what would be removed")


def run(options: argparse.Namespace, rest: list[str]) -> None:
    """Say which voice vectors a run has left, and remove them with ``--yes``.

    Raises ``InputError`` while a run is going on, or where there are none.
    """
    folder = find_run(options.name)
    if is_locked(Path.cwd()):
        raise InputError("a run is going on here, or was killed: wait for its end, or finish it, before you forget")
    files = voice_files(folder, run_store(folder), options.recording)
    if not files:
        of = f"recording {', '.join(options.recording)} of " if options.recording else ""
        raise InputError(f"the store holds no voice vectors of {of}run {folder.root.name}")
    if options.yes:
        forget_voices(folder, files)
    size = sum(path.stat().st_size for path in files) if not options.yes else 0
    print(f"{'removed' if options.yes else 'to be removed'}: voice vectors of {len(files)} chunk(s)")
    if not options.yes:
        print(
            f"--yes removes them ({size / 1e6:.1f} MB), also for other runs over the same audio. Transcripts keep "
            "their speakers. A later run that asks for speakers makes the vectors again: set speakers: none.",
            file=sys.stderr,
        )


COMMAND = Command(
    summary="remove the voice vectors of a run or a recording",
    explanation="Say which voice vectors a run has left in the store, and remove them with --yes. They are biometric "
    "data (docs/speakers.md); transcripts keep their speakers.",
    example="audiogrid speakers forget interviews --recording talk_7 --yes",
    add_arguments=add_arguments,
    run=run,
)
