"""Probes every listed recording in child processes and writes ``probe.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from audiogrid.core.atomic_files import write_json, write_text
from audiogrid.core.tsv import write_table
from audiogrid.probing.isolation import FileOutcome, run_isolated
from audiogrid.probing.recording_source import RecordingSource, Rejection

SCHEMA = 1
# Raised whenever the same file would give other facts than before.
_CACHE_SCHEMA = 1


@dataclass(frozen=True)
class Probed:
    """An accepted recording with its media facts. ``duration`` in samples at 16 kHz."""

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
                "recordings": [asdict(recording) for recording in self.recordings],
                "rejected": [asdict(rejection) for rejection in self.rejected],
            },
        )


def write_rejected(path: Path, rejected: Sequence[Rejection]) -> None:
    """Write ``rejected.tsv``: recording, path, reason."""
    write_table(path, ("recording", "path", "reason"), [(item.recording, item.path, item.reason) for item in rejected])


def probe(sources: Sequence[RecordingSource], *, processes: int, cache: Path | None = None) -> ProbeReport:
    """Probe every source. Returns the report.

    ``cache``: a file of JSON lines with facts of earlier probes; they are used for files of unchanged size and time,
    and the file is rewritten. A file that crashes its process or takes too long is rejected.
    """
    remembered = read_cache(cache)
    looked: dict[str, FileOutcome] = {}
    for source in sources:
        facts = remembered.get(source.path)
        if facts is not None and _is_unchanged(source, facts):
            looked[source.path] = FileOutcome(facts["facts"], None)
        elif source.remote and source.remote.trouble:
            # A recording whose storage does not answer keeps the facts of the last probe, and its place in the plan.
            known = facts["facts"] if facts is not None else None
            looked[source.path] = FileOutcome(known, None if known else str(source.remote.trouble), not known)
    fresh = {_place(source): source.path for source in sources if source.path not in looked}
    sizes = {_place(s): s.remote.facts.size for s in sources if s.remote and s.remote.facts}
    for place, found in run_isolated(list(fresh), processes=processes, sizes=sizes).items():
        looked[fresh[place]] = found
    recordings: list[Probed] = []
    rejected: list[Rejection] = []
    for source in sources:
        facts, reason = looked[source.path].facts, looked[source.path].reason
        if facts is None:
            rejected.append(Rejection(source.recording, source.path, reason or ""))
        else:
            recordings.append(_merge(source, facts))
    if cache is not None:
        _write_cache(cache, sources, looked)
    unreachable = sum(looked[source.path].is_transient for source in sources)
    return ProbeReport(recordings, rejected, unreachable)


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
    )


def _place(source: RecordingSource) -> str:
    """The path, or the whole address of a remote recording, which is written nowhere."""
    return source.remote.address.url or source.path if source.remote else source.path


def _is_unchanged(source: RecordingSource, cached: Mapping[str, Any]) -> bool:
    facts = cached["facts"]
    if source.remote:
        seen = source.remote.facts
        return seen is not None and (seen.size, seen.stamp_ns) == (facts["size"], facts["mtime_ns"])
    try:
        status = Path(source.path).stat()
    except (OSError, ValueError):
        return False
    return (status.st_size, status.st_mtime_ns) == (facts["size"], facts["mtime_ns"])


def read_cache(cache: Path | None) -> dict[str, dict[str, Any]]:
    """Returns the entries of the cache by path: ``recording`` (its id) and ``facts``. Damaged lines are skipped."""
    if cache is None:
        return {}
    try:
        lines = cache.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return {}
    found: dict[str, dict[str, Any]] = {}
    for line in lines:
        try:
            entry = json.loads(line)
            if entry["schema"] == _CACHE_SCHEMA and {"size", "mtime_ns", "duration"} <= entry["facts"].keys():
                found[entry["path"]] = entry
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return found


def known_ids(cache: Path | None) -> dict[str, str]:
    """Returns path -> id of the last probe, so that new files do not rename earlier ones."""
    return {path: entry["recording"] for path, entry in read_cache(cache).items() if entry.get("recording")}


def _write_cache(cache: Path, sources: Sequence[RecordingSource], looked: Mapping[str, FileOutcome]) -> None:
    lines = []
    for source in sources:
        facts = looked[source.path].facts
        if facts is not None:
            entry = {"schema": _CACHE_SCHEMA, "path": source.path, "recording": source.recording, "facts": facts}
            lines.append(json.dumps(entry, ensure_ascii=False))
    write_text(cache, "".join(f"{line}\n" for line in lines))
