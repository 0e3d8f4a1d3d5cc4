"""Which recordings the files of corrections belong to, and whether they still fit: ``audiogrid corrections check``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from audiogrid.core.errors import InputError
from audiogrid.corrections.apply_passages import apply_passages
from audiogrid.corrections.corrections_file import Corrections, add, read
from audiogrid.corrections.differences import edited_names, edited_passages, unchanged_texts
from audiogrid.corrections.edited_files import read_edited
from audiogrid.corrections.entries import SpeakerName
from audiogrid.corrections.speaker_names import match_names, name_speaker
from audiogrid.export.formats import file_name
from audiogrid.export.packs import find_packed, read_beside_or_packed
from audiogrid.export.voice_lanes import voices_of
from audiogrid.records.run_folder import RunFolder

State = Literal["ok", "unfit", "wrong"]


@dataclass(frozen=True)
class FileVerdict:
    """What is to be said of a file. ``wrong``: it cannot be used; ``unfit``: it, or a part of it, is not applied."""

    path: Path
    state: State
    found: str

    def __str__(self) -> str:
        """Returns the line that is printed."""
        return f"{self.state:<5}  {self.path.name}: {self.found}"


def read_document(run: RunFolder, recording: str) -> dict[str, Any]:
    """Returns the JSON transcript of a recording. Raises ``InputError`` if the run has none."""
    path = run.transcript(recording, file_name(recording, "json"))
    try:
        document: dict[str, Any] = read_beside_or_packed(path, run.transcripts)
    except OSError:
        raise InputError(
            f"{run.root.name} has no transcript {path.name}: speakers are found there, so json must be among its "
            "formats, and the recording finished"
        ) from None
    except ValueError as error:
        raise InputError(f"{path} is damaged ({error}): delete it and run again") from None
    if not isinstance(document, dict) or not {"recording", "segments", "provenance"} <= document.keys():
        raise InputError(f"{path} is not a transcript: delete it and run again")
    return document


def has_document(run: RunFolder, recording: str) -> bool:
    """Whether a run has a JSON transcript of a recording, packed or not."""
    name = file_name(recording, "json")
    return run.transcript(recording, name).is_file() or find_packed(run.transcripts, name) is not None


class Recordings:
    """The recordings of some runs. A transcript is read when it is asked for."""

    def __init__(self, runs: Sequence[RunFolder]) -> None:
        self._runs = runs

    def named(self, recording: str) -> list[tuple[RunFolder, dict[str, Any]]]:
        """Returns the transcripts of the recordings with this id."""
        return [(run, read_document(run, recording)) for run in self._runs if has_document(run, recording)]


def audio_of(document: dict[str, Any]) -> str:
    """Returns the hash of a recording's audio; empty in transcripts of earlier versions."""
    return str(document["provenance"].get("audio", ""))


def judge(path: Path, recordings: Recordings) -> FileVerdict:
    """Returns whether a file can be read, which runs have a recording with its audio, and which names fit no voice."""
    try:
        corrections = read(path)
    except InputError as error:
        return FileVerdict(path, "wrong", str(error).removeprefix(f"{path} "))
    if path.name != corrections.file_name:
        return FileVerdict(path, "wrong", f"its contents belong in {corrections.file_name}")
    if corrections.mistakes:
        return FileVerdict(path, "wrong", "; ".join(corrections.mistakes))
    named = recordings.named(corrections.recording)
    fitting = [(run, document) for run, document in named if audio_of(document) == corrections.audio]
    if not fitting:
        other = f", but of other audio than in {', '.join(run.root.name for run, _ in named)}" if named else ""
        return FileVerdict(path, "unfit", f"no run here has recording {corrections.recording} with this audio{other}")
    unfit = [
        f"{run.root.name}: {sentence}"
        for run, document in fitting
        for sentence in (
            *match_names(corrections.speakers, voices_of(document)).unfit,
            *apply_passages(document, corrections.passages, corrections.paragraphs).sentences,
        )
    ]
    if unfit:
        return FileVerdict(path, "unfit", "; ".join(unfit))
    return FileVerdict(path, "ok", f"{contents(corrections)} in {', '.join(run.root.name for run, _ in fitting)}")


def contents(corrections: Corrections) -> str:
    """Returns what a file of corrections holds, for a person."""
    parts = [entry.name or f"{entry.was} without a name" for entry in corrections.speakers]
    for entries, what in ((corrections.passages, "passage"), (corrections.paragraphs, "paragraph")):
        if entries:
            parts.append(f"{len(entries)} {what}{'' if len(entries) == 1 else 's'}")
    return ", ".join(parts) or "no names"


def rename_speaker(
    run: RunFolder, recording: str, speaker: str, name: str, folder: Path, by: str = ""
) -> tuple[Path, SpeakerName]:
    """Note the name of a speaker in the recording's file of corrections. Returns the file and the entry.

    ``name``: empty to take an earlier name back. Raises ``InputError`` if there is no such recording or speaker, or
    the file that is there cannot be read.
    """
    document = read_document(run, recording)
    audio = audio_of(document)
    if not audio:
        raise InputError(
            f"{recording} was transcribed by an earlier version, which noted no hash of its audio: delete "
            f"{run.shards} and run again; nothing is decoded"
        )
    entry = name_speaker(document, speaker, name, by)
    new = Corrections(recording, audio, (entry,))
    return add(folder, new), entry


# What is added to names of copies: by a merge that keeps an edited file, by browsers and by people.
_COPY = re.compile(r"(\.edited(\.\d+)?| \(\d+\)|[-_. ](edited|corrected))$")


def read_edited_transcript(
    path: Path, recordings: Recordings, recording: str | None = None, by: str = ""
) -> Corrections:
    """Returns the differences between a transcript and an edited copy of it as corrections.

    ``recording``: its id, if the file's name does not say it. Of several runs the one counts that it differs least
    from. Raises ``InputError`` where it cannot be read or fits no transcript.
    """
    texts = read_edited(path)
    name = recording or _COPY.sub("", path.stem)
    documents = [document for _, document in recordings.named(name)]
    if not documents:
        raise InputError(f"{path}: no run has a recording {name!r}: say which one with --recording")
    found: list[Corrections] = []
    troubles = []
    for document in documents:
        audio = audio_of(document)
        if not audio:
            troubles.append("the transcript was written by an earlier version: run audiogrid again")
            continue
        try:
            own = unchanged_texts(document, path.suffix.lower())
            passages = edited_passages(document, texts, own, by)
            names = edited_names(document, texts, own, by)
        except InputError as error:
            troubles.append(str(error))
            continue
        found.append(Corrections(name, audio, tuple(names), tuple(passages)))
    if not found:
        raise InputError(f"{path} {troubles[0]}")
    return min(found, key=lambda one: len(one.passages))
