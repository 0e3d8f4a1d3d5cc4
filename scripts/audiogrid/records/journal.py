"""What happened to every chunk of a shard, line by line, while it happens.

``results/<run>/journal/<shard>.<host>.<pid>.jsonl``: one file per attempt, so that two attempts
never write into one. Not declared to Snakemake, hence kept when a job fails. The first line tells
the spans and the key of every chunk of the shard; the others are outcomes. Progress, partial texts and the list
of failures are read from here.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from audiogrid.core.json_values import from_json, to_json
from audiogrid.core.secrets import masked
from audiogrid.records.chunks import ShardFacts
from audiogrid.records.outcome import Outcome

# Fields that hold sentences. Errors of libraries may quote an address with its password or signature. Other fields
# are names, keys and numbers by which entries are found again, so they stay as they are.
_SENTENCES = frozenset({"text", "error", "reason", "why", "notes", "problems", "remarks"})


class Journal:
    """Appends to the journal of one attempt at a shard."""

    def __init__(self, folder: Path, shard: str, spec: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        host = socket.gethostname().split(".")[0]
        self.path = folder / f"{shard}.{host}.{os.getpid()}.jsonl"
        self._shard, self._spec = shard, spec

    def _append(self, entry: Mapping[str, Any]) -> None:
        line = json.dumps({"at": round(time.time(), 3), **_masked_sentences(entry)}, ensure_ascii=False) + "\n"
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line)

    def begin(self, facts: ShardFacts, workers: int, device: Mapping[str, Any] | None = None, threads: int = 1) -> None:
        """Note what is known of all chunks before the first is decoded; ``device``: where that is done, and why.

        ``threads``: of each of the ``workers``.
        """
        self._append(
            {
                "event": "begin",
                "shard": self._shard,
                "spec": self._spec,
                "host": socket.gethostname(),
                "workers": workers,
                "threads": threads,
                **({"device": dict(device)} if device else {}),
                "facts": to_json(facts),
            }
        )

    def outcome(self, outcome: Outcome) -> None:
        """Note how one chunk went."""
        self._append({"event": "chunk", **to_json(outcome)})

    def warning(self, sentence: str) -> None:
        """Note something that went wrong and is dealt with."""
        self._append({"event": "warning", "text": sentence})

    def end(self, reason: str) -> None:
        """Note why the attempt ended."""
        self._append({"event": "end", "reason": reason})


def _masked_sentences(value: Any, is_sentence: bool = False) -> Any:
    """Returns a JSON value with the secrets in its sentences masked; the names of its fields stay."""
    if isinstance(value, Mapping):
        return {name: _masked_sentences(one, is_sentence or name in _SENTENCES) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_masked_sentences(one, is_sentence) for one in value]
    return masked(value) if is_sentence and isinstance(value, str) else value


@dataclass
class ShardHistory:
    """All that the journals say of one shard, for its present spec."""

    facts: ShardFacts = field(default_factory=ShardFacts)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    attempts: int = 0
    first: float = 0.0
    last: float = 0.0
    workers: int = 0
    ended: str | None = None


def read_entries(path: Path) -> Iterator[dict[str, Any]]:
    """Lines of a journal; one that a kill cut short is left out."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    # Only a line feed ends an entry: texts may hold other characters that str.splitlines() splits at.
    for line in text.split("\n"):
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            yield entry


def chunk_entries(folder: Path) -> Iterator[dict[str, Any]]:
    """What every journal in ``folder`` says of single chunks, whatever their shard and spec."""
    for path in sorted(folder.glob("*.jsonl")):
        yield from (entry for entry in read_entries(path) if entry.get("event") == "chunk")


@dataclass(frozen=True)
class JournalFile:
    """A journal as a listing of its folder shows it."""

    path: Path
    size: int
    mtime_ns: int


def list_journals(folder: Path, shard: str | None = None) -> dict[str, list[JournalFile]]:
    """Returns the journals of all shards, or of one, by shard, from one listing of their folder.

    A caller that wants several histories passes them to ``read_history``: a listing for each would take a time that
    grows with the square of the number of shards.
    """
    found: dict[str, list[JournalFile]] = {}
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return found
    for entry in entries:
        if entry.name.endswith(".jsonl") and (shard is None or entry.name.partition(".")[0] == shard):
            try:
                status = entry.stat()
            except OSError:
                continue
            file = JournalFile(Path(entry.path), status.st_size, status.st_mtime_ns)
            found.setdefault(entry.name.partition(".")[0], []).append(file)
    return found


def read_history(
    folder: Path, shard: str, spec: str, journals: Mapping[str, Sequence[JournalFile]] | None = None
) -> ShardHistory:
    """What earlier and present attempts at ``shard`` did; attempts at another spec are ignored.

    ``journals``: a listing of ``folder``, where there is one already.
    """
    history = ShardHistory()
    attempts = []
    listed = list_journals(folder, shard) if journals is None else journals
    for path in (file.path for file in listed.get(shard, ())):
        entries = list(read_entries(path))
        # A pid may come again: one file can hold several attempts. Where a disk was full, it may hold none.
        starts = [index for index, entry in enumerate(entries) if entry.get("event") == "begin"]
        for start, stop in pairwise([*starts, len(entries)]):
            if entries[start].get("spec") == spec:
                attempts.append(entries[start:stop])
    for entries in sorted(attempts, key=lambda entries: entries[0]["at"]):
        history.attempts += 1
        history.facts = from_json(ShardFacts, entries[0]["facts"])
        history.workers = entries[0]["workers"]
        history.first = history.first or entries[0]["at"]
        history.ended = None
        for entry in entries:
            history.last = max(history.last, entry["at"])
            if entry["event"] == "chunk":
                history.outcomes[entry["chunk"]] = from_json(Outcome, entry)
            elif entry["event"] == "end":
                history.ended = entry["reason"]
    return history
