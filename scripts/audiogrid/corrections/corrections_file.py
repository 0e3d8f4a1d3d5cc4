"""The file with a person's corrections of one recording: ``corrections/<id>.<first 12 of the audio's hash>.json``.

``corrections.schema.json`` describes it. It is written here only, one field to a line, so that git can merge what two
people did to different speakers. Fields that this version does not know are kept when it is written again.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from audiogrid.core.atomic_files import write_text
from audiogrid.core.errors import InputError
from audiogrid.corrections.combining import combined_names, combined_passages, combined_starts
from audiogrid.corrections.entries import ParagraphStart, Passage, SpeakerName

SCHEMA = 1
#: How many characters of the hash are in the name of a file.
HASH_DIGITS = 12
# The lists of entries by their key in the file, which is also the name of the field of ``Corrections``.
_KINDS: dict[str, type[SpeakerName | Passage | ParagraphStart]] = {
    "speakers": SpeakerName,
    "passages": Passage,
    "paragraphs": ParagraphStart,
}
# Characters of a file name after the id of its recording: `.0123456789ab.json`.
_END = HASH_DIGITS + len("..json")
_FILE_NAME = re.compile(rf"(?P<recording>.+)\.(?P<hash>[0-9a-f]{{{HASH_DIGITS}}})\.json")
_HASH = re.compile(r"[0-9a-f]{64}")
# Corrections are typed by a person. What is larger is another kind of file.
_LARGEST = 50_000_000


@dataclass(frozen=True)
class Corrections:
    """Contents of a file. ``audio``: SHA-256 of the recording's audio as it is encoded.

    ``mistakes``: sentences on entries that cannot be read, which are therefore not applied. ``unread``: these entries
    as they stand, by the list that they are in; ``more``: fields of later versions.
    """

    recording: str
    audio: str
    speakers: tuple[SpeakerName, ...] = ()
    passages: tuple[Passage, ...] = ()
    paragraphs: tuple[ParagraphStart, ...] = ()
    mistakes: tuple[str, ...] = ()
    unread: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def file_name(self) -> str:
        """Returns the name of its file."""
        return f"{self.recording}.{self.audio[:HASH_DIGITS]}.json"


def parse(text: str) -> Corrections:
    """Returns the contents of a file. Raises ``InputError`` that says what is wrong with it as a whole."""
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        hint = "; it holds an unresolved merge of git" if re.search(r"^(<{7}|>{7})", text, re.MULTILINE) else ""
        raise InputError(f"is not JSON ({error}){hint}") from None
    if not isinstance(raw, dict) or not isinstance(raw.get("schema"), int):
        raise InputError('holds no corrections: "schema" is missing')
    if raw["schema"] > SCHEMA:
        raise InputError(f"was written by a later version of audiogrid (schema {raw['schema']}): use that one")
    audio, recording = raw.get("audio"), raw.get("recording")
    if not isinstance(audio, str) or not _HASH.fullmatch(audio) or not isinstance(recording, str) or not recording:
        raise InputError('does not say whose corrections it holds: "recording" and "audio" (64 hexadecimal digits)')
    if recording.startswith(".") or not recording.isprintable() or "/" in recording:
        # It becomes a part of the file's name.
        raise InputError('has a "recording" that is not the id of one')
    mistakes: list[str] = []
    unread: dict[str, tuple[Any, ...]] = {}
    found: dict[str, tuple[Any, ...]] = {}
    for name, kind in _KINDS.items():
        found[name], unread[name] = _entries(raw.get(name, []), name, kind, mistakes)
    more = {name: value for name, value in raw.items() if name not in ("schema", "recording", "audio", *_KINDS)}
    kept = {name: entries for name, entries in unread.items() if entries}
    return Corrections(recording, audio, **found, mistakes=tuple(mistakes), unread=kept, more=more)


def _entries(
    raw: Any, name: str, kind: type[SpeakerName | Passage | ParagraphStart], mistakes: list[str]
) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Returns the entries of a list and those that cannot be read; ``mistakes`` grows by a sentence for each."""
    if not isinstance(raw, list):
        raise InputError(f'has something else than a list in "{name}"')
    found, unread = [], []
    for number, entry in enumerate(raw, 1):
        try:
            found.append(kind.from_json(entry))
        except ValueError as error:
            mistakes.append(f"{name[:-1]} {number} cannot be used: {error}")
            unread.append(entry)
    return tuple(found), tuple(unread)


def read(path: Path) -> Corrections:
    """Returns the contents of a file. Raises ``InputError`` with its name and what is wrong with it."""
    try:
        if path.stat().st_size > _LARGEST:
            raise InputError("is too large to be corrections")
        return parse(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error})") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text") from None
    except InputError as error:
        raise InputError(f"{path} {error}") from None


def _lines(value: Mapping[str, Any], indent: int) -> Iterator[str]:
    """Yields the fields of an object, a line each; objects in a list have lines of their own."""
    last = len(value) - 1
    for number, (name, one) in enumerate(value.items()):
        comma = "," if number < last else ""
        key = f"{' ' * indent}{json.dumps(name, ensure_ascii=False)}: "
        if isinstance(one, list) and one and all(isinstance(entry, Mapping) for entry in one):
            yield f"{key}["
            for place, entry in enumerate(one, 1):
                yield f"{' ' * (indent + 1)}{{"
                yield from _lines(entry, indent + 2)
                yield f"{' ' * (indent + 1)}}}{',' if place < len(one) else ''}"
            yield f"{' ' * indent}]{comma}"
        else:
            yield f"{key}{json.dumps(one, ensure_ascii=False)}{comma}"


def to_text(corrections: Corrections) -> str:
    """Returns the text of a file: the inverse of ``parse``. Entries are in the order of time."""
    speakers = sorted(corrections.speakers, key=lambda one: (one.at, one.name))
    passages = sorted(corrections.passages, key=lambda one: (one.start, one.end, one.when, one.text))
    paragraphs = sorted(corrections.paragraphs, key=lambda one: (one.at, one.when))
    lists: dict[str, Sequence[Any]] = {"speakers": speakers, "passages": passages, "paragraphs": paragraphs}
    written = {
        name: [*(one.to_json() for one in entries), *corrections.unread.get(name, ())]
        for name, entries in lists.items()
        if entries or corrections.unread.get(name) or name == "speakers"
    }
    head = {"schema": SCHEMA, "recording": corrections.recording, "audio": corrections.audio}
    return "\n".join(["{", *_lines({**head, **written, **corrections.more}, 1), "}"]) + "\n"


def write(folder: Path, corrections: Corrections) -> Path:
    """Write the file of a recording into ``folder``. Returns its path."""
    path = folder / corrections.file_name
    # In a field that is only kept, an escape may stand for half a character, which no file can hold.
    write_text(path, to_text(corrections).encode(errors="replace").decode())
    return path


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other processes out that add to files in ``folder``, wherever its file system has locks."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def add(folder: Path, new: Corrections) -> Path:
    """Add entries to the file of their recording in ``folder``. Returns its path.

    Nothing is lost when several processes do so at the same time. Raises ``InputError`` if the file that is there
    cannot be read, or the folder not be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            path = folder / new.file_name
            return write(folder, combined(read(path), new) if path.exists() else new)
    except (PermissionError, FileExistsError, NotADirectoryError) as error:
        raise InputError(f"{folder} cannot be written ({error.strerror})") from None


def list_files(folder: Path, recordings: Iterable[str] | None = None) -> dict[str, list[Path]]:
    """Returns the files in ``folder`` by the recording that their name says; none where there is no such folder.

    ``recordings``: those that matter; ``None``: all.
    """
    found: dict[str, list[Path]] = {}
    try:
        names = os.listdir(folder)  # noqa: PTH208
    except OSError:
        return found
    if recordings is not None:
        wanted = frozenset(recordings)
        names = [name for name in names if name[:-_END] in wanted]
    for name in sorted(names):
        if match := _FILE_NAME.fullmatch(name):
            found.setdefault(match["recording"], []).append(folder / name)
    return found


@dataclass(frozen=True)
class Found:
    """What there is for a recording: its corrections, and sentences on files and entries that do not fit."""

    corrections: Corrections | None = None
    unfit: tuple[str, ...] = ()


def find(paths: Sequence[Path], recording: str, audio: str) -> Found:
    """Returns the corrections of a recording. ``paths``: files that have its id; ``audio``: its hash, if known."""
    if not paths:
        return Found()
    if not audio:
        cause = "the run was cut by an earlier version, which noted no hash of the audio"
        advice = "delete shards/ in the folder of the run and run again; nothing is decoded"
        return Found(None, (f"{paths[0]} was not applied, because {cause}: {advice}",))
    for path in paths:
        if path.name == f"{recording}.{audio[:HASH_DIGITS]}.json":
            try:
                corrections = read(path)
            except InputError as error:
                return Found(None, (f"{error}; it was not applied",))
            if corrections.audio != audio:
                return Found(None, (f"{path} was not applied: its contents are of other audio than its name says",))
            return Found(corrections, tuple(f"{path}: {mistake}" for mistake in corrections.mistakes))
    names = ", ".join(path.name for path in paths[:3])
    return Found(None, (f"{names} was not applied: it belongs to other audio than this file has now",))


def combined(present: Corrections, new: Corrections) -> Corrections:
    """Returns ``present`` with the entries of ``new``; of two on one voice the later one stays, ``new`` in doubt.

    A passage that goes on from what an earlier one made becomes one with it, and so do two of one person on the same
    words. What different people say on the same words stays side by side: ``apply_passages`` decides. Raises
    ``InputError`` where the two are of different audio.
    """
    if present.audio != new.audio:
        raise InputError(f"corrections of {new.recording} are of other audio than those of {present.recording}")
    unread = {
        name: (*present.unread.get(name, ()), *(one for one in entries if one not in present.unread.get(name, ())))
        for name, entries in {**present.unread, **new.unread}.items()
    }
    return replace(
        present,
        speakers=combined_names(present.speakers, new.speakers),
        passages=combined_passages(present.passages, new.passages),
        paragraphs=combined_starts(present.paragraphs, new.paragraphs),
        unread=unread,
        more={**new.more, **present.more},
    )
