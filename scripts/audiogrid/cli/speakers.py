"""``audiogrid speakers``: give a speaker a name, or remove the voice vectors of a run or of single recordings."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from audiogrid.cli.command import Command
from audiogrid.cli.run_argument import find_run
from audiogrid.core.errors import InputError
from audiogrid.corrections.corrected_recordings import rename_speaker
from audiogrid.orchestration.stale_locks import is_locked
from audiogrid.records.run_folder import RunFolder
from audiogrid.reporting.recorded_settings import recorded_setting, run_corrections, run_store
from audiogrid.reporting.voice_vectors import forget_voices, linked_vectors, voice_files


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Whose name or vectors, and whether to remove anything."""
    parser.add_argument(
        "action",
        choices=["rename", "forget"],
        help="rename: give a speaker of a recording a name; forget: remove voice vectors from the store",
    )
    parser.add_argument("name", metavar="RUN", help="a run in results/, or its folder")
    parser.add_argument(
        "words", nargs="*", metavar="ID SPEAKER NAME", help="rename: recording, speaker and its name (empty: none)"
    )
    parser.add_argument("--by", default="", metavar="WHO", help="rename: who gives the name, if that is to be kept")
    parser.add_argument(
        "--recording", action="append", default=[], metavar="ID", help="only of this recording (may be repeated)"
    )
    parser.add_argument("--yes", action="store_true", help="remove them; without it, only say what would be removed")


def run(options: argparse.Namespace, rest: list[str]) -> None:
    """Rename a speaker, or forget vectors. Raises ``InputError`` if there is nothing that is meant."""
    folder = find_run(options.name)
    if options.action == "rename":
        rename(folder, options.words, options.by)
    elif options.words:
        raise InputError("forget takes no more names: single recordings are named with --recording ID")
    else:
        forget(folder, options)


def rename(folder: RunFolder, words: list[str], by: str) -> None:
    """Note the name of a speaker. Raises ``InputError`` if there is no such recording or speaker."""
    if len(words) != 3:
        raise InputError('say which recording, which speaker and what name: rename talks talk_7 "Speaker 1" "Anna"')
    recording, speaker, name = words
    path, entry = rename_speaker(folder, recording, speaker, name, run_corrections(folder), by)
    print(f"{path}: {speaker} of {recording} is {entry.name or entry.was}")
    print("The next audiogrid run writes its transcripts anew; nothing is decoded.", file=sys.stderr)


def forget(folder: RunFolder, options: argparse.Namespace) -> None:
    """Say which voice vectors a run has left, and remove them with ``--yes``.

    Raises ``InputError`` while a run is going on, or where there are none.
    """
    if is_locked(Path.cwd()):
        raise InputError("a run is going on here, or was killed: wait for its end, or finish it, first")
    files = voice_files(folder, run_store(folder), options.recording)
    speakers = recorded_setting(folder, "speakers")
    linked = linked_vectors(folder, speakers, options.recording)
    if not files and not linked:
        of = f"recording {', '.join(options.recording)} of " if options.recording else ""
        raise InputError(f"the store holds no voice vectors of {of}run {folder.root.name}")
    if options.yes:
        forget_voices(folder, files)
        linked_vectors(folder, speakers, options.recording, remove=True)
    size = sum(path.stat().st_size for path in files) if not options.yes else 0
    print(f"{'removed' if options.yes else 'to be removed'}: voice vectors of {len(files)} chunk(s)", end="")
    print(f" and {linked} vector(s) of linked voices" if linked else "")
    if not options.yes:
        print(
            f"--yes removes them ({size / 1e6:.1f} MB), also for other runs over the same audio. Transcripts keep "
            "their speakers. A later run that asks for speakers makes the vectors again: set speakers: none.",
            file=sys.stderr,
        )


COMMAND = Command(
    summary="give a speaker a name, or remove voice vectors",
    explanation="rename gives a speaker of a recording a name, which every later run keeps (docs/corrections.md). "
    "forget says which voice vectors a run has left in the store and in its file of linked voices, and removes them "
    "with --yes: they are biometric data (docs/speakers.md), and transcripts keep their speakers.",
    example="audiogrid speakers rename interviews talk_7 'Speaker 1' 'Anna Kowalska'",
    add_arguments=add_arguments,
    run=run,
)
