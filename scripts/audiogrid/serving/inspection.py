"""Looks at uploaded files and renders transcripts in child processes, so that no hostile file reaches the server.

The functions without an underscore of the first part run in the child process.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiogrid.core.atomic_files import write_bytes
from audiogrid.core.child_process import ChildDiedError, ChildProcess
from audiogrid.core.errors import AudiogridError, InputError, RetryableError
from audiogrid.serving.job_folder import JobFolder

LOG = logging.getLogger("audiogrid.serving")
# Seconds that a file may take, and the slowest speed at which one is read, in bytes per second.
_SECONDS = 60.0
_SLOWEST_DISK = 5e6
# A small file that takes longer is looked at again among the large ones: whoever sent the next one must not wait.
_QUICK_SECONDS = 10.0
# Files from this size on are looked at by a process of their own: others must not wait for them.
_LARGE = 50 << 20
# What accepted jobs need: what fails there, such as a full disk, is not the fault of a file.
_OWN = "jobs"
#: Columns that name files.
FILE_COLUMNS = ("path", "reference", "text", "rttm")


@dataclass(frozen=True)
class Inspected:
    """What is known of an accepted recording: ``duration`` in seconds, all tracks together as ``audio``."""

    recording: str
    duration: float
    audio: float
    has_speakers: bool


class _SlowError(InputError):
    """A call took longer than it may."""


class ColumnError(InputError):
    """A column of a request has a value that cannot be meant."""


def inspect(state: str, job: str, row: Mapping[str, str], settings: Mapping[str, Any]) -> Inspected:
    """Writes the table and ``probe.json`` of a job. Raises ``InputError`` with the reason why it is rejected."""
    from audiogrid.core.timebase import to_seconds
    from audiogrid.media.audio_tracks import parse_tracks
    from audiogrid.planning.bundles_and_shards import probed_recordings
    from audiogrid.probing.list_recordings import list_sources
    from audiogrid.probing.probe import ProbeReport, inspect_here, probe
    from audiogrid.records.speakers import given_turns, speakers_of
    from audiogrid.transcribing.worker import leave_signals_to_parent

    _once(leave_signals_to_parent)
    folder = JobFolder(Path(state), job)
    write_bytes(folder.table, table_of([row]).encode())
    try:
        listing = list_sources(
            str(folder.table), channels=settings["channels"], tracks=parse_tracks(settings["tracks"])
        )
    except InputError as error:
        # The header: a column that cannot be meant.
        raise ColumnError(_without_row(str(error).replace(f"{folder.table}: ", "recording.tsv: "))) from None
    probed = probe(listing.sources, processes=1, language=settings["language"], run=inspect_here)
    if listing.rejected:
        raise ColumnError(_without_row(listing.rejected[0].reason))
    if probed.rejected:
        raise InputError(probed.rejected[0].reason)
    ProbeReport(probed.recordings, []).write(folder.run.probe)
    (found,) = probed_recordings(probed.entries, settings["chunk_minutes"])
    wants = bool(given_turns(found)) or speakers_of(found, settings.get("speakers", "none")) is not None
    return Inspected(found.recording, to_seconds(found.duration), to_seconds(found.audio), wants)


def render(state: str, job: str, recording: str, name: str, media: str, merge: str) -> bytes:
    """Returns the content of a format that was not written with the transcript."""
    import json

    from audiogrid.core.json_values import from_json
    from audiogrid.export.cues import CueOptions
    from audiogrid.export.format_options import FormatOptions
    from audiogrid.export.formats import render_all

    settings = json.loads(merge)
    document = JobFolder(Path(state), job).document(recording)
    cues = from_json(CueOptions, settings["subtitles"])
    content = render_all(document, [name], cues, media, FormatOptions(settings.get("format_options", {})))[name]
    return content if isinstance(content, bytes) else content.encode()


_called: set[str] = set()


def _once(function: Callable[[], None]) -> None:
    if function.__name__ not in _called:
        _called.add(function.__name__)
        function()


def _without_row(reason: str) -> str:
    """Returns a reason without "Row 2 of recording.tsv", which no client has ever seen."""
    head, found, rest = reason.partition("recording.tsv: ")
    return rest if found and (not head or head.startswith("Row ")) else reason


def table_of(rows: list[Mapping[str, str]]) -> str:
    """Returns a table of recordings as tab-separated text; every cell is quoted.

    Texts are on one line. Names of files stay as they are: those of screen recordings have odd spaces, for example.
    """
    columns = list(dict.fromkeys(name for row in rows for name in row))

    def cell(value: str, *, is_file: bool = False) -> str:
        plain = value.replace("\0", " ")
        return '"' + (plain if is_file else " ".join(plain.split())).replace('"', '""') + '"'

    lines = [[cell(name) for name in columns]]
    lines += ([cell(row.get(name, ""), is_file=name in FILE_COLUMNS) for name in columns] for row in rows)
    return "".join("\t".join(line) + "\n" for line in lines)


class Inspector:
    """Child processes: one looks at small files, one at large ones, one does what accepted jobs need."""

    def __init__(self) -> None:
        self._processes: dict[str, ChildProcess | None] = {"small": None, "large": None, _OWN: None}
        self._locks = {name: asyncio.Lock() for name in self._processes}

    async def inspect(
        self, state: Path, job: str, row: Mapping[str, str], settings: Mapping[str, Any], size: int
    ) -> Inspected:
        """Look at the upload of a job. Raises ``InputError`` with the reason why it is rejected."""
        arguments = (inspect, str(state), job, dict(row), dict(settings))
        found: Inspected
        if size < _LARGE:
            with suppress(_SlowError):
                found = await self._call("small", _QUICK_SECONDS, *arguments)
                return found
        found = await self._call("large", _SECONDS + size / _SLOWEST_DISK, *arguments)
        return found

    async def render(self, state: Path, job: str, recording: str, name: str, media: str, merge: str) -> bytes:
        """Returns a transcript in a format. Raises ``AudiogridError`` if the transcript cannot be rendered."""
        content: bytes = await self._call(_OWN, _SECONDS, render, str(state), job, recording, name, media, merge)
        return content

    async def call(self, function: Callable[..., Any], *arguments: Any, seconds: float = 600.0) -> Any:
        """Returns what ``function`` returns in the child process for accepted jobs.

        Raises ``InputError`` where ``function`` does, and ``RetryableError`` for whatever else goes wrong.
        """
        return await self._call(_OWN, seconds, function, *arguments)

    async def _call(self, lane: str, seconds: float, function: Callable[..., Any], *arguments: Any) -> Any:
        async with self._locks[lane]:
            known = self._processes[lane]
            process = known if known and known.exit_code is None else await asyncio.to_thread(ChildProcess)
            self._processes[lane] = process
            call = asyncio.wrap_future(process.submit(function, *arguments))
            try:
                return await asyncio.wait_for(asyncio.shield(call), seconds)
            except AudiogridError:
                raise
            except TimeoutError:
                await self._end(lane)
                if lane == _OWN:
                    raise RetryableError(f"no answer after {seconds:.0f} s") from None
                raise _SlowError("The file takes too long to be looked at: convert it to WAV, FLAC or MP3.") from None
            except ChildDiedError as error:
                await self._end(lane)
                if lane == _OWN:
                    raise RetryableError(str(error)) from None
                raise InputError(
                    f"The decoder failed on this file ({error}): convert it to WAV, FLAC or MP3."
                ) from None
            except asyncio.CancelledError:
                # The answer would be taken for that of the next call.
                await self._end(lane)
                raise
            except Exception as error:
                if lane == _OWN:
                    # Clients are told what happened, the log also where.
                    LOG.error("%s failed: %s: %s", function.__name__, type(error).__name__, error)
                    raise RetryableError(getattr(error, "strerror", None) or type(error).__name__) from error
                raise InputError(f"The file cannot be used ({type(error).__name__}): convert it to WAV.") from error

    async def _end(self, lane: str) -> None:
        process, self._processes[lane] = self._processes[lane], None
        if process is not None:
            await asyncio.to_thread(process.close)

    async def warm_up(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Start the process for small files, and call what makes the next call quick."""
        with suppress(AudiogridError):
            await self._call("small", _SECONDS, function, *arguments)

    async def close(self) -> None:
        """End the processes."""
        for lane in self._processes:
            await self._end(lane)
