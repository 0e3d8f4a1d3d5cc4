"""What the ``embed`` jobs of a run noted of their chunks."""

from __future__ import annotations

from collections.abc import Iterator

from audiogrid.core.json_values import from_json
from audiogrid.records.chunks import ShardFacts
from audiogrid.records.finished_shard import FinishedShard
from audiogrid.records.journal import read_entries
from audiogrid.records.run_folder import RunFolder


def embedded_facts(run: RunFolder) -> Iterator[ShardFacts]:
    """Yields facts of shards, the latest last, also of jobs that failed."""
    for path in sorted(run.voices_journal.glob("*.jsonl")):
        for entry in read_entries(path):
            if entry.get("event") == "begin":
                yield from_json(ShardFacts, entry["facts"])
    for path in sorted(run.voices.glob("*.json")):
        try:
            yield FinishedShard.read(path).facts
        except (OSError, ValueError):
            continue
