"""A person's corrections of the recordings of one client: taken in, and applied to the transcripts of its jobs.

Each client has a folder of its own, so that no names go from one to another. The functions run in a child process.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from audiogrid.core.atomic_files import read_json, write_json
from audiogrid.core.errors import InputError, RetryableError
from audiogrid.core.text import clean_text
from audiogrid.corrections.corrected_document import correct_words
from audiogrid.corrections.corrected_recordings import audio_of
from audiogrid.corrections.corrections_file import HASH_DIGITS, add, find, list_files, parse
from audiogrid.corrections.speaker_names import apply_names
from audiogrid.serving.job_folder import JobFolder
from audiogrid.serving.transcript_files import write_transcripts

#: The folder below the state folder with a folder per client.
FOLDER = "corrections"
# Bytes of a client's corrections of one recording: more than a person types, and applied within seconds.
_MOST = 5_000_000
# Mistakes of a file that its sender is told.
_MOST_TOLD = 5


class UnfitError(InputError):
    """Corrections that are of other audio than the recording."""


def files_of(state: Path, owner: str, recording: str) -> Sequence[Path]:
    """Returns a client's files for recordings of this name; there is one for each audio."""
    return list_files(state / FOLDER / owner).get(recording, [])


def _file(state: Path, owner: str, recording: str, audio: str) -> Path | None:
    ending = f".{audio[:HASH_DIGITS]}.json"
    return next((path for path in files_of(state, owner, recording) if audio and path.name.endswith(ending)), None)


def _uncorrected(folder: JobFolder, recording: str) -> dict[str, Any]:
    """Returns the transcript document as it was before anything was corrected."""
    if folder.uncorrected.exists():
        document: dict[str, Any] = read_json(folder.uncorrected)
        return document
    return folder.document(recording)


def correct(state: str, owner: str, job: str, recording: str, text: str, merge: str) -> list[str]:
    """Add corrections to those of a client and apply them. Returns sentences on what does not fit.

    ``text``: a file as the page of a transcript saves it; ``merge``: settings of the recipe. Raises ``InputError`` for
    a text that holds no corrections, ``UnfitError`` for those of other audio, ``RetryableError`` where those that are
    there cannot be read or written.
    """
    new = parse(text)
    if new.mistakes:
        more = len(new.mistakes) - _MOST_TOLD
        told = [*new.mistakes[:_MOST_TOLD], *([f"and {more} more"] if more > 0 else [])]
        raise InputError(f"has {'a mistake' if len(new.mistakes) == 1 else 'mistakes'}: {'; '.join(told)}")
    audio = audio_of(_uncorrected(JobFolder(Path(state), job), recording))
    if new.audio != audio:
        raise UnfitError("are of other audio than this recording")
    # The client may have made them where the recording had another name.
    new = replace(new, recording=recording)
    folder = Path(state) / FOLDER / owner
    with suppress(FileNotFoundError):
        if (folder / new.file_name).stat().st_size + len(text.encode()) > _MOST:
            raise InputError(f"would make the corrections of this recording larger than {_MOST // 1_000_000} MB")
    try:
        add(folder, new)
    except InputError as error:
        # What is there is the service's own: the client can do nothing about it.
        raise RetryableError(str(error)) from None
    return apply(state, owner, job, recording, merge)


def apply(state: str, owner: str, job: str, recording: str, merge: str) -> list[str]:
    """Write the transcripts of a job anew, with what its client has corrected. Returns what ``correct`` does."""
    folder = JobFolder(Path(state), job)
    document = _uncorrected(folder, recording)
    found = find(files_of(Path(state), owner, recording), recording, audio_of(document))
    worded, unapplied = correct_words(document, found.corrections)
    named, unfit = apply_names(worded, found.corrections)
    unfit = [*unapplied, *unfit]
    if found.corrections is not None:
        write_json(folder.uncorrected, document)
    write_transcripts(folder, recording, {**named, "notes": [*named["notes"], *map(clean_text, unfit)]}, merge)
    return unfit


def withdraw(state: str, owner: str, job: str, recording: str, merge: str) -> list[str]:
    """Remove a client's corrections of a recording, and write its transcripts without them."""
    remove(Path(state), owner, job, recording)
    return apply(state, owner, job, recording, merge)


def remove(state: Path, owner: str, job: str, recording: str) -> bool:
    """Remove a client's corrections of the recording of a job. Returns whether there were any."""
    path = corrections_file(state, owner, job, recording)
    if path is not None:
        path.unlink(missing_ok=True)
    return path is not None


def remove_all(state: Path, owner: str, recording: str) -> bool:
    """Remove a client's corrections of all recordings of this name, when its last job of them goes.

    Its other jobs of the name may have been of other audio. Returns whether there were any.
    """
    paths = files_of(state, owner, recording)
    for path in paths:
        path.unlink(missing_ok=True)
    return bool(paths)


def corrections_file(state: Path, owner: str, job: str, recording: str) -> Path | None:
    """Returns the file with a client's corrections of the recording of a job; ``None`` where there are none."""
    if not files_of(state, owner, recording):
        return None
    try:
        document = _uncorrected(JobFolder(state, job), recording)
    except (OSError, ValueError):
        return None
    return _file(state, owner, recording, audio_of(document))
