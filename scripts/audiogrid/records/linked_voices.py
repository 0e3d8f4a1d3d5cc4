"""Voices that recordings have in common: a file with their names and vectors, which its user owns, and its history.

The vectors are biometric data. They lie in that one file (and, per chunk, in the store); deleting it removes them.
Which recording has which voice also stands in ``linked.json`` of the run, without vectors.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audiogrid.core.atomic_files import read_json, write_json
from audiogrid.core.errors import InputError
from audiogrid.core.json_values import from_json, to_json
from audiogrid.core.text import clean_name
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.speakers import link_of

SCHEMA = 1
_ABOUT = (
    "Voices that were heard, with vectors that can recognise a person: biometric data. Write a name beside a voice and "
    "run again, and transcripts have it; two voices with one name are one speaker. Delete this file, or use "
    "'audiogrid speakers forget', to remove the vectors."
)
#: Name of a run's own file, and what ``link`` may be in place of a path.
OWN_FILE = "voices.json"


@dataclass(frozen=True)
class Heard:
    """A voice in one recording. ``number``: by first appearance in its track, from 0; ``seconds`` of speech.

    ``state``: hash of all that led to the recording's voices. ``vector``: centroid, float16 in base64.
    """

    run: str
    recording: str
    channel: int | None
    number: int
    seconds: float
    state: str
    vector: str


@dataclass
class LinkedVoice:
    """A voice, the same in all recordings. ``name``: empty until a person writes one."""

    voice: int
    name: str = ""
    heard: list[Heard] = field(default_factory=list)


@dataclass
class LinkedVoices:
    """Contents of a file of linked voices. ``networks``: what made the vectors; ``following``: the next free id."""

    networks: str = ""
    following: int = 1
    voices: list[LinkedVoice] = field(default_factory=list)

    def names(self) -> dict[int, str]:
        """Names that persons have given, by id."""
        return {voice.voice: voice.name for voice in self.voices if voice.name}

    def write(self, path: Path) -> None:
        """Write the file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"schema": SCHEMA, "about": _ABOUT, **to_json(self)}, indent=1)

    def forget(self, run: str, recordings: Collection[str] = ()) -> int:
        """Remove what was heard in a run, or in some of its recordings only; returns how many vectors that were.

        A voice that was heard nowhere else goes, with its name.
        """
        removed = 0
        for voice in self.voices:
            kept = [one for one in voice.heard if one.run != run or (recordings and one.recording not in recordings)]
            removed += len(voice.heard) - len(kept)
            voice.heard = kept
        self.voices = [voice for voice in self.voices if voice.heard]
        return removed


def read_linked(path: Path) -> LinkedVoices:
    """Voices of a file; none where there is no file. Raises ``InputError`` when it is no such file."""
    try:
        raw = read_json(path)
    except FileNotFoundError:
        return LinkedVoices()
    except (OSError, ValueError) as error:
        raise _unusable(path, str(error)) from error
    if not isinstance(raw, dict) or raw.get("schema") != SCHEMA:
        raise _unusable(path, "it has no field schema that is 1")
    try:
        found = from_json(LinkedVoices, raw)
        sizes = {len(base64.b64decode(one.vector, validate=True)) for voice in found.voices for one in voice.heard}
        if len(sizes) > 1 or any(size % 2 for size in sizes):
            raise ValueError("a vector is not whole")
    except ValueError as error:
        raise _unusable(path, str(error)) from error
    for voice in found.voices:
        voice.name = clean_name(voice.name)
    found.following = max([found.following, *(voice.voice + 1 for voice in found.voices)])
    return found


def _unusable(path: Path, why: str) -> InputError:
    return InputError(
        f"{path} is not a file of linked voices ({why}): mend it, or delete it (the next run makes one, without names)"
    )


def linked_file(default: Any, folder: RunFolder) -> Path | None:
    """The file of linked voices that a run reads and writes; ``None`` where recordings are not linked."""
    link = link_of(default)
    if not link:
        return None
    return Path(link) if isinstance(link, str) else folder.root / OWN_FILE


#: Recording -> channel (a number as text, empty for the mix) -> ids of its voices by number.
Links = dict[str, dict[str, list[int]]]


@dataclass
class LinkHistory:
    """Which voices the recordings of a run have: no vectors, no names. ``states``: see ``Heard.state``.

    ``file``: of the voices that the ids mean. Ids that were given once are never given to others, also when that
    file was deleted meanwhile.
    """

    file: str = ""
    following: int = 1
    links: Links = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write it."""
        write_json(path, {"schema": SCHEMA, **to_json(self)}, indent=1)


def read_history(path: Path) -> LinkHistory:
    """History of a run; an empty one where there is none that can be read."""
    try:
        raw = read_json(path)
        return from_json(LinkHistory, raw) if raw["schema"] == SCHEMA else LinkHistory()
    except (OSError, ValueError, KeyError, TypeError):
        return LinkHistory()


def labels(ids: Sequence[int], names: Mapping[int, str], label: str) -> list[str]:
    """What the voices of a track are called: by name, else ``label`` with their id."""
    return [names.get(voice) or label.replace("{}", str(voice)) for voice in ids]
