"""``shards/<shard>.json`` and ``voices/<shard>.json``: what a finished job says of its shard."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audiogrid.core.atomic_files import write_json
from audiogrid.core.json_values import read_document, to_json
from audiogrid.records.chunks import ShardFacts

SCHEMA = 1


@dataclass(frozen=True)
class FinishedShard:
    """A shard whose job ended well. Earlier versions left some fields out.

    ``generation``: how often the shard was worked through as it is. ``failed``: chunk -> cause. ``decoded`` and
    ``stored``: numbers of chunks. ``audio_seconds``: of the decoded ones; ``worker_seconds``: what they took, summed
    over workers; ``seconds``: of the whole job. ``made``: device, versions and more, as results have it.
    """

    shard: str = ""
    spec: str = ""
    generation: int = 0
    model_hash: str = ""
    facts: ShardFacts = field(default_factory=ShardFacts)
    failed: dict[str, str] = field(default_factory=dict)
    decoded: int = 0
    stored: int = 0
    audio_seconds: float = 0.0
    worker_seconds: float = 0.0
    seconds: float = 0.0
    made: dict[str, Any] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write the report."""
        write_json(path, {"schema": SCHEMA, **to_json(self)}, indent=1)

    @classmethod
    def read(cls, path: Path) -> FinishedShard:
        """Returns the report in a file. Raises ``OSError``, and ``DocumentError`` where it is not one."""
        return read_document(cls, path)
