"""Probes every listed recording in child processes and writes ``probe.json``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from audiogrid.core.atomic_files import write_atomically
from audiogrid.core.json_values import damaged, to_json
from audiogrid.core.tsv import write_table
from audiogrid.media.audio_tracks import AUTO
from audiogrid.probing.collecting import collections_paused
from audiogrid.probing.earlier_facts import CACHE_SCHEMA, Asked, Remembered, RememberedFacts, judge
from audiogrid.probing.file_states import is_failing, look_at
from audiogrid.probing.isolation import FileOutcome, ProbeTask, run_isolated
from audiogrid.probing.recording_source import RecordingSource, Rejection

SCHEMA = 1
# Files whose outcomes are in memory at a time.
_BLOCK = 20_000
Looked = bytes | FileOutcome | Remembered
"""Facts about a file, as JSON or in the file of the last probe, or the reason why there are none."""


class _Facts(msgspec.Struct, gc=False):
    """What ``Probed`` takes of ``MediaFacts``."""

    size: int
    mtime_ns: int
    duration: int
    channels: int
    sample_rate: int
    codec: str
    container: str
    note: str | None = None
    tracks: list[int] = msgspec.field(default_factory=list)
    remarks: list[str] = msgspec.field(default_factory=list)
    version: int = 0


class _Line(msgspec.Struct, gc=False):
    facts: _Facts


@dataclass(frozen=True, slots=True)
class Probed:
    """An accepted recording with its media facts (see ``MediaFacts``). ``duration`` in samples at 16 kHz.

    ``version``: how often the file was replaced by another of the same size and time.
    """

    recording: str
    path: str
    size: int
    mtime_ns: int
    duration: int
    channels: int
    sample_rate: int
    codec: str
    container: str
    note: str | None
    language: str | None
    prompt: str | None
    hotwords: str | None
    channels_mode: str
    reference: str | None
    columns: dict[str, str]
    address_table: str | None = None
    tracks: list[int] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    version: int = 0


@dataclass(frozen=True)
class ProbeReport:
    """Accepted recordings in the order of the listing, and rejected ones with reasons.

    ``unreachable``: number of recordings rejected only because their storage did not answer.
    """

    recordings: list[Probed]
    rejected: list[Rejection]
    unreachable: int = 0

    def write(self, path: Path) -> None:
        """Write ``probe.json``: a line per recording, so that little of it is in memory at a time."""

        def fill(file: BinaryIO) -> None:
            file.write(f'{{"schema": {SCHEMA}, "recordings": ['.encode())
            for number, recording in enumerate(self.recordings):
                file.write((b",\n" if number else b"\n") + msgspec.json.encode(recording))
            file.write(b'\n], "rejected": ' + msgspec.json.encode(self.rejected) + b"}\n")

        write_atomically(path, fill)

    @classmethod
    def read(cls, path: Path) -> ProbeReport:
        """Returns the report in a file. Raises ``OSError``, and ``DocumentError`` where it is not one."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except ValueError as error:
            raise damaged(path, error) from error

    @property
    def entries(self) -> dict[str, Any]:
        """Returns the accepted recordings as ``probe.json`` has them."""
        return {"recordings": to_json(self.recordings)}


def write_rejected(path: Path, rejected: Sequence[Rejection]) -> None:
    """Write ``rejected.tsv``: recording, path, reason."""
    write_table(path, ("recording", "path", "reason"), [(item.recording, item.path, item.reason) for item in rejected])


def inspect_here(
    paths: Sequence[str], *, processes: int, inspect: ProbeTask, sizes: Mapping[str, int]
) -> dict[str, FileOutcome]:
    """Inspects files in this process, for callers that are such a child process themselves."""
    return {path: inspect(path) for path in paths}


def probe(
    sources: Sequence[RecordingSource],
    *,
    processes: int,
    cache: Path | None = None,
    language: str | None = None,
    run: Callable[..., Mapping[str, FileOutcome]] | None = None,
    remembered: RememberedFacts | None = None,
) -> ProbeReport:
    """Probe every source. Returns the report.

    ``run``: how files are inspected; child processes unless the caller is one.

    ``cache``: a file of JSON lines with facts of earlier probes; they are used for files of unchanged size and time,
    and the file is rewritten. ``remembered``: what is in it, for a caller that has read it. A file that crashes its
    process or takes too long is rejected. ``language``: the run's, for recordings without one of their own; it decides
    between audio tracks that are equal otherwise.
    """
    remembered = remembered or RememberedFacts(cache)
    wanted = [asked_of(source, language) for source in sources]
    looked, replaced, failing = _look_up(sources, wanted, remembered)
    fresh = {asked: source for source, asked in zip(sources, wanted, strict=True) if asked not in looked}
    sizes = {_place(s): s.remote.facts.size for s in sources if s.remote and s.remote.facts}
    # Most runs ask the same of all files.
    for wish, spoken in dict.fromkeys(asked[1:] for asked in fresh):
        places = {_place(source): asked for asked, source in fresh.items() if asked[1:] == (wish, spoken)}
        task = ProbeTask(wish, spoken)
        for block in batched(places, _BLOCK):
            for place, found in (run or run_isolated)(block, processes=processes, inspect=task, sizes=sizes).items():
                asked = places[place]
                looked[asked] = found if found.facts is None else _packed(found.facts, replaced.get(asked, 0))
    if cache is not None:
        _write_cache(cache, sources, wanted, looked, remembered)
    report = _report(sources, [looked[asked] for asked in wanted], remembered)
    return replace(report, rejected=[*report.rejected, *failing])


@collections_paused()
def _look_up(
    sources: Sequence[RecordingSource], wanted: Sequence[Asked], remembered: RememberedFacts
) -> tuple[dict[Asked, Looked], dict[Asked, int], list[Rejection]]:
    """Returns what is known of files that have not changed, the versions of those that were replaced, and what fails.

    A file that cannot be looked at because its disk fails is as it was, and is named.
    """
    looked: dict[Asked, Looked] = {}
    replaced: dict[Asked, int] = {}
    failing: list[Rejection] = []
    for source, asked, facts, state, trouble in _remembered_states(sources, wanted, remembered):
        if (
            facts is not None
            and state is not None
            and facts.inode == 0
            and state[2]
            and facts.fits(state)
            and not facts.reason
        ):
            # Facts of earlier versions: from now on a file that replaces this one is noticed.
            looked[asked] = _packed({**remembered.facts(facts), "inode": state[2]}, facts.version)
        elif facts is not None and (facts.fits(state) or (source.is_out_of_reach and state is None)):
            # Also where a disk fails: what is known of a recording keeps its place in the plan.
            looked[asked] = facts
        elif facts is not None and trouble is not None and is_failing(trouble):
            looked[asked] = facts
            if not facts.reason:
                why = getattr(trouble, "strerror", trouble)
                reason = f"The file cannot be looked at just now ({why}): what is done of it stays as it is."
                failing.append(Rejection(source.recording, source.path, reason))
        elif source.remote and source.remote.trouble:
            # A recording whose storage does not answer keeps the facts of the last probe, and its place in the plan.
            looked[asked] = facts or FileOutcome(None, str(source.remote.trouble), is_transient=True)
        elif facts is not None and state is not None and not facts.reason:
            # Size and time are the same: only this number tells that its audio has to be cut again.
            replaced[asked] = facts.version + (state[:2] == (facts.size, facts.mtime_ns))
    return looked, replaced, failing


@collections_paused()
def _report(sources: Sequence[RecordingSource], outcomes: Sequence[Looked], remembered: RememberedFacts) -> ProbeReport:
    recordings: list[Probed] = []
    rejected: list[Rejection] = []
    of_line, of_facts = msgspec.json.Decoder(_Line), msgspec.json.Decoder(_Facts)
    for source, outcome in zip(sources, outcomes, strict=True):
        if isinstance(outcome, bytes):
            recordings.append(_merge(source, of_facts.decode(outcome)))
        elif isinstance(outcome, Remembered) and not outcome.reason:
            recordings.append(_merge(source, of_line.decode(remembered.line(outcome)).facts))
        else:
            rejected.append(Rejection(source.recording, source.path, outcome.reason or ""))
    unreachable = sum(isinstance(outcome, FileOutcome) and outcome.is_transient for outcome in outcomes)
    return ProbeReport(recordings, rejected, unreachable)


def _remembered_states(
    sources: Sequence[RecordingSource], wanted: Sequence[Asked], remembered: RememberedFacts
) -> Iterator[tuple[RecordingSource, Asked, Remembered | None, tuple[int, int, int] | None, Exception | None]]:
    """Yields the sources with what is known of them: facts of an earlier probe, and their state if there are any.

    The state is size, time and inode (0: not known) as they are now; ``None`` where a file cannot be looked at, and
    then why.
    """
    known = [remembered.known(asked) for asked in wanted]
    local = look_at(one.path for one, facts in zip(sources, known, strict=True) if facts and not one.remote)
    for source, asked, facts in zip(sources, wanted, known, strict=True):
        if source.remote:
            seen = source.remote.facts
            yield source, asked, facts, None if seen is None else (seen.size, seen.stamp_ns, 0), None
        elif facts is None:
            yield source, asked, None, None, None
        else:
            found = next(local)
            if isinstance(found, Exception):
                yield source, asked, facts, None, found
            else:
                yield source, asked, facts, (found.st_size, found.st_mtime_ns, found.st_ino), None


def asked_of(source: RecordingSource, language: str | None) -> Asked:
    """Returns what is asked of a recording's file. ``language``: the run's."""
    spoken = source.language or language
    return source.path, source.tracks, None if spoken == AUTO else spoken


def _merge(source: RecordingSource, facts: _Facts) -> Probed:
    return Probed(
        recording=source.recording,
        path=source.path,
        size=facts.size,
        mtime_ns=facts.mtime_ns,
        duration=facts.duration,
        channels=facts.channels,
        sample_rate=facts.sample_rate,
        codec=facts.codec,
        container=facts.container,
        note=facts.note,
        language=source.language,
        prompt=source.prompt,
        hotwords=source.hotwords,
        channels_mode=source.channels,
        reference=source.reference,
        columns=source.columns,
        address_table=source.address_table,
        tracks=facts.tracks,
        remarks=facts.remarks,
        version=facts.version,
    )


def _place(source: RecordingSource) -> str:
    """The path, or the whole address of a remote recording, which is written nowhere."""
    return source.remote.address.url or source.path if source.remote else source.path


def _packed(facts: Mapping[str, Any], version: int) -> bytes:
    """Returns facts as JSON: a tenth of the memory."""
    return msgspec.json.encode({**facts, "version": version} if version else facts)


def batched(places: Iterable[str], size: int) -> Iterator[list[str]]:
    """Yields lists of up to ``size``."""
    waiting = iter(places)
    while block := list(islice(waiting, size)):
        yield block


def _write_cache(
    cache: Path,
    sources: Sequence[RecordingSource],
    wanted: Sequence[Asked],
    looked: Mapping[Asked, Looked],
    remembered: RememberedFacts,
) -> None:

    def fill(file: BinaryIO) -> None:
        for source, asked in zip(sources, wanted, strict=True):
            outcome = looked[asked]
            if isinstance(outcome, Remembered) and (outcome.reason or outcome.recording == source.recording):
                # As it was. What is asked differs at most by a language that changed nothing.
                file.write(remembered.line(outcome) + b"\n")
            elif isinstance(outcome, FileOutcome):
                file.write(entry_of(asked, outcome))
            else:
                facts = outcome if isinstance(outcome, bytes) else remembered.raw(outcome)
                file.write(_entry(asked, {"recording": source.recording, "facts": msgspec.Raw(facts)}))

    write_atomically(cache, fill)


def entry_of(asked: Asked, outcome: FileOutcome) -> bytes:
    """Returns the line of a file that was looked at, without an id; empty where another look may find other things."""
    if outcome.facts is not None:
        return _entry(asked, {"recording": "", "facts": outcome.facts})
    if outcome.state is None:
        return b""
    size, mtime_ns, inode = outcome.state
    refused = {"size": size, "mtime_ns": mtime_ns, "inode": inode, "reason": outcome.reason, "by": judge()}
    return _entry(asked, {"refused": refused})


def _entry(asked: Asked, what: Mapping[str, Any]) -> bytes:
    path, wish, spoken = asked
    return msgspec.json.encode({"schema": CACHE_SCHEMA, "path": path, **what, "wish": wish, "language": spoken}) + b"\n"
