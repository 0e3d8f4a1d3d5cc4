"""Probes every listed recording in child processes and writes ``probe.json``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audiogrid.core.atomic_files import write_json, write_text
from audiogrid.core.json_values import read_document, to_json
from audiogrid.core.tsv import write_table
from audiogrid.media.audio_tracks import AUTO, TrackWish
from audiogrid.probing.isolation import FileOutcome, ProbeTask, run_isolated
from audiogrid.probing.recording_source import RecordingSource, Rejection

SCHEMA = 1
# Raised whenever the same file would give other facts than before. Ids of entries with an earlier one are kept.
_CACHE_SCHEMA = 2


@dataclass(frozen=True)
class Probed:
    """An accepted recording with its media facts (see ``MediaFacts``). ``duration`` in samples at 16 kHz."""

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


@dataclass(frozen=True)
class ProbeReport:
    """Accepted recordings in the order of the listing, and rejected ones with reasons.

    ``unreachable``: number of recordings rejected only because their storage did not answer.
    """

    recordings: list[Probed]
    rejected: list[Rejection]
    unreachable: int = 0

    def write(self, path: Path) -> None:
        """Write ``probe.json``."""
        write_json(
            path,
            {
                "schema": SCHEMA,
                "recordings": to_json(self.recordings),
                "rejected": to_json(self.rejected),
            },
        )

    @classmethod
    def read(cls, path: Path) -> ProbeReport:
        """Returns the report in a file. Raises ``OSError``, and ``DocumentError`` where it is not one."""
        return read_document(cls, path)

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
) -> ProbeReport:
    """Probe every source. Returns the report.

    ``run``: how files are inspected; child processes unless the caller is one.

    ``cache``: a file of JSON lines with facts of earlier probes; they are used for files of unchanged size and time,
    and the file is rewritten. A file that crashes its process or takes too long is rejected. ``language``: the run's,
    for recordings without one of their own; it decides between audio tracks that are equal otherwise.
    """
    remembered = _remembered_facts(cache)
    looked: dict[Asked, FileOutcome] = {}
    for source in sources:
        asked = _asked(source, language)
        facts = _known(remembered, asked)
        if facts is not None and _is_unchanged(source, facts):
            looked[asked] = FileOutcome(facts, None)
        elif source.remote and source.remote.trouble:
            # A recording whose storage does not answer keeps the facts of the last probe, and its place in the plan.
            looked[asked] = FileOutcome(facts, None if facts else str(source.remote.trouble), not facts)
    fresh = {asked: source for source in sources if (asked := _asked(source, language)) not in looked}
    sizes = {_place(s): s.remote.facts.size for s in sources if s.remote and s.remote.facts}
    # Most runs ask the same of all files.
    for wish, spoken in dict.fromkeys(asked[1:] for asked in fresh):
        places = {_place(source): asked for asked, source in fresh.items() if asked[1:] == (wish, spoken)}
        task = ProbeTask(wish, spoken)
        for place, found in (run or run_isolated)(list(places), processes=processes, inspect=task, sizes=sizes).items():
            looked[places[place]] = found
    recordings: list[Probed] = []
    rejected: list[Rejection] = []
    for source in sources:
        outcome = looked[_asked(source, language)]
        facts, reason = outcome.facts, outcome.reason
        if facts is None:
            rejected.append(Rejection(source.recording, source.path, reason or ""))
        else:
            recordings.append(_merge(source, facts))
    if cache is not None:
        _write_cache(cache, sources, looked, language)
    unreachable = sum(looked[_asked(source, language)].is_transient for source in sources)
    return ProbeReport(recordings, rejected, unreachable)


Asked = tuple[str, TrackWish, str | None]
"""What is asked of a file: path, wanted tracks, and the language that decides between equal ones."""


def _asked(source: RecordingSource, language: str | None) -> Asked:
    spoken = source.language or language
    return source.path, source.tracks, None if spoken == AUTO else spoken


def _known(remembered: Mapping[Asked, dict[str, Any]], asked: Asked) -> dict[str, Any] | None:
    """Facts of an earlier probe. Where a file has a single track, its language changed nothing."""
    facts = remembered.get(asked)
    if facts is None and asked[1] == (AUTO,):
        facts = remembered.get((asked[0], (AUTO,), _ANY))
    return facts


def _merge(source: RecordingSource, facts: Mapping[str, Any]) -> Probed:
    return Probed(
        recording=source.recording,
        path=source.path,
        size=facts["size"],
        mtime_ns=facts["mtime_ns"],
        duration=facts["duration"],
        channels=facts["channels"],
        sample_rate=facts["sample_rate"],
        codec=facts["codec"],
        container=facts["container"],
        note=facts["note"],
        language=source.language,
        prompt=source.prompt,
        hotwords=source.hotwords,
        channels_mode=source.channels,
        reference=source.reference,
        columns=source.columns,
        address_table=source.address_table,
        tracks=facts["tracks"],
        remarks=facts["remarks"],
    )


def _place(source: RecordingSource) -> str:
    """The path, or the whole address of a remote recording, which is written nowhere."""
    return source.remote.address.url or source.path if source.remote else source.path


def _is_unchanged(source: RecordingSource, facts: Mapping[str, Any]) -> bool:
    if source.remote:
        seen = source.remote.facts
        return seen is not None and (seen.size, seen.stamp_ns) == (facts["size"], facts["mtime_ns"])
    try:
        status = Path(source.path).stat()
    except (OSError, ValueError):
        return False
    return (status.st_size, status.st_mtime_ns) == (facts["size"], facts["mtime_ns"])


# In place of a language, where a file has one track only.
_ANY = "*"


def _entries(cache: Path | None) -> list[dict[str, Any]]:
    """Entries of the cache with a path, whatever their schema. Damaged lines are skipped."""
    if cache is None:
        return []
    try:
        lines = cache.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            entry = json.loads(line)
            if isinstance(entry["path"], str) and {"size", "mtime_ns", "duration"} <= entry["facts"].keys():
                found.append(entry)
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return found


def _remembered_facts(cache: Path | None) -> dict[Asked, dict[str, Any]]:
    found: dict[Asked, dict[str, Any]] = {}
    for entry in _entries(cache):
        if entry.get("schema") == _CACHE_SCHEMA:
            single = entry["facts"].get("audio_tracks") == 1 and entry["wish"] == [AUTO]
            found[entry["path"], tuple(entry["wish"]), _ANY if single else entry["language"]] = entry["facts"]
    return found


def known_ids(cache: Path | None) -> dict[str, str]:
    """Returns path -> id of the last probe, so that new files do not rename earlier ones."""
    return {entry["path"]: entry["recording"] for entry in _entries(cache) if entry.get("recording")}


def _write_cache(
    cache: Path, sources: Sequence[RecordingSource], looked: Mapping[Asked, FileOutcome], language: str | None
) -> None:
    lines = []
    for source in sources:
        asked = _asked(source, language)
        facts = looked[asked].facts
        if facts is not None:
            path, wish, spoken = asked
            entry = {"schema": _CACHE_SCHEMA, "path": path, "recording": source.recording, "facts": facts}
            lines.append(json.dumps({**entry, "wish": wish, "language": spoken}, ensure_ascii=False))
    write_text(cache, "".join(f"{line}\n" for line in lines))
