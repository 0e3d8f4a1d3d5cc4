"""Writes plans in a stream: of each recording nothing stays in memory but its place in the file."""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from audiogrid.core.atomic_files import read_json, sync_folder, write_json
from audiogrid.core.json_values import to_json
from audiogrid.records.plan import Bundle, Plan, Recording, Settings, Shard, add_audio
from audiogrid.records.plan_files.layout import (
    SCHEMA,
    BundleEntry,
    Piece,
    PlanHead,
    ShardEntry,
    ShardLine,
    Span,
    lines_folder,
)
from audiogrid.records.plan_files.reader import entry_of

_TEMPORARY = ".tmp-"
# Seconds after which a file that is not finished belongs to no process any more.
_ABANDONED = 3600.0
# Fields of a recording without which its line means the same if they are empty.
_OFTEN_EMPTY = (
    *("model", "options", "columns", "reference", "note", "variant", "address_table", "remarks", "left_out"),
    *("identified", "by_channel", "audio_tracks", "version"),
)


_ALWAYS = tuple(field.name for field in fields(Recording) if field.name not in _OFTEN_EMPTY)
_ALWAYS_OF, _OFTEN_EMPTY_OF = attrgetter(*_ALWAYS), attrgetter(*_OFTEN_EMPTY)


class PlanWriter:
    """Writes the bundles, then the shards of a plan, and at the end ``plan.json`` itself.

    A context manager: where it is left by an exception, or without ``finish``, no file is there that was not before.
    """

    def __init__(self, path: Path, settings: Settings, *, divided: bool = False) -> None:
        self._divided = divided
        self._path = path
        self._settings = settings
        self._folder = lines_folder(path)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._temporary = self._folder / f"{_TEMPORARY}{os.getpid()}-{secrets.token_hex(4)}"
        self._file = self._temporary.open("wb", buffering=1 << 20)
        self._digest = hashlib.sha256()
        self._at = 0
        self._bundles: list[BundleEntry] = []
        self._shards: list[ShardEntry] = []
        self._count = 0
        self._audio: dict[str, int] = {}

    def __enter__(self) -> PlanWriter:
        """Returns the writer itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Remove what was not finished."""
        with suppress(OSError):
            self._file.close()
        self._temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            # A write that fails names no file.
            error.filename = str(self._path)

    def bundle(self, bundle: Bundle, recordings: Sequence[Recording]) -> None:
        """Write the recordings of a bundle."""
        self._bundles.append(entry_of(bundle, recordings, self._write(map(_line, recordings))))
        self._note(recordings)

    def shard(self, shard: Shard, pieces: Sequence[Piece | str]) -> None:
        """Write a shard. ``pieces``: its chunks; those that it holds itself are not looked at."""
        count = sum(1 if isinstance(piece, str) else piece[3] for piece in pieces)
        span = self._write([msgspec.json.encode(ShardLine(list(pieces)))])
        facts = shard.shard, shard.spec, shard.bundles, shard.audio, shard.model, shard.compute_type
        self._shards.append(ShardEntry(*facts, count, span))

    def finish(
        self, rejected: int = 0, warnings: Sequence[str] = (), loose: Sequence[Recording] = (), copy: Path | None = None
    ) -> None:
        """Write ``plan.json``; before that ``copy``, another one for the same file of lines.

        ``loose``: recordings that are in no bundle. Files of lines of which neither of both knows are removed.
        """
        rest = self._write(map(_line, loose))
        self._note(loose)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        name = f"{self._digest.hexdigest()[:32]}.jsonl"
        head = PlanHead(
            settings=self._settings,
            lines=name,
            bundles=self._bundles,
            shards=self._shards,
            rejected=rejected,
            warnings=list(warnings),
            count=self._count,
            audio=sum(self._audio.values()),
            audio_by_model=self._audio,
            loose=rest,
            divided=self._divided,
        )
        former = {_lines_of(path) for path in (self._path, copy) if path is not None}
        self._temporary.replace(self._folder / name)
        # After a loss of power there must be no plan.json without its lines.
        sync_folder(self._folder)
        for path in (copy, self._path):
            if path is not None:
                write_json(path, {"schema": SCHEMA, **to_json(head)})
        # A reader that has just read the plan before may still want its lines.
        for path in self._folder.glob("*.jsonl"):
            if path.name not in {name, *former}:
                path.unlink(missing_ok=True)
        # What a driver left that was killed while it planned.
        for path in self._folder.glob(f"{_TEMPORARY}*"):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > _ABANDONED:
                    path.unlink()

    def _write(self, lines: Iterable[bytes]) -> Span:
        first = self._at
        for line in lines:
            self._file.write(line + b"\n")
            self._digest.update(line)
            self._at += len(line) + 1
        return Span(first, self._at - first)

    def _note(self, recordings: Sequence[Recording]) -> None:
        self._count += len(recordings)
        add_audio(self._audio, recordings, self._settings.model)


def _line(recording: Recording) -> bytes:
    found = dict(zip(_ALWAYS, _ALWAYS_OF(recording), strict=True))
    for name, one in zip(_OFTEN_EMPTY, _OFTEN_EMPTY_OF(recording), strict=True):
        if one:
            found[name] = to_json(one)
    return msgspec.json.encode(found)


def _lines_of(path: Path) -> str:
    """Returns the name of the file of lines of a plan; empty where there is none."""
    try:
        return str(read_json(path)["lines"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def write_plan(plan: Plan, path: Path, copy: Path | None = None) -> None:
    """Write a plan that is in memory. ``copy``: as in ``PlanWriter.finish``."""
    with PlanWriter(path, plan.settings, divided=plan.divided) as writer:
        placed = set()
        for bundle in plan.bundles:
            placed.update(bundle.recordings)
            writer.bundle(bundle, [plan.recording[name] for name in bundle.recordings])
        place = _places(plan)
        for shard in plan.shards:
            writer.shard(shard, pieces_of(shard.chunks, place))
        loose = [one for one in plan.recordings if one.recording not in placed]
        writer.finish(plan.rejected, plan.warnings, loose, copy)


def _places(plan: Plan) -> dict[str, tuple[str, int | None, int]]:
    return {
        chunk: (one.recording, track, index)
        for one in plan.recordings
        for track in one.tracks
        for index, chunk in enumerate(one.chunks_of(track))
    }


def pieces_of(chunks: Iterable[str], place: Any) -> list[Piece | str]:
    """Returns chunks as pieces. ``place``: chunk -> recording, track, index."""
    found: list[Piece | str] = []
    for chunk in chunks:
        if chunk not in place:
            found.append(chunk)
            continue
        recording, track, index = place[chunk]
        last = found[-1] if found else ""
        if not isinstance(last, str) and last[:2] == (recording, track) and last[2] + last[3] == index:
            found[-1] = (recording, track, last[2], last[3] + 1)
        else:
            found.append((recording, track, index, 1))
    return found
