"""Time, memory and cost of decoding, from the journals of the jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiogrid.core.timebase import to_seconds
from audiogrid.records.finished_shard import FinishedShard
from audiogrid.records.journal import chunk_entries
from audiogrid.records.plan import Plan, Recording
from audiogrid.records.prices import Prices
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.store import Store


@dataclass
class DecodingCost:
    """Resources used for decoding. ``audio``: seconds of audio whose decoding time is known.

    ``core_seconds`` and ``gpu_seconds``: time of the decoding processes on cores and GPUs; ``memory_mb``: peak
    memory of one process (0: unknown).
    """

    audio: float = 0.0
    core_seconds: float = 0.0
    gpu_seconds: float = 0.0
    memory_mb: int = 0

    def add(self, audio: float, seconds: float, memory_mb: int, made: Mapping[str, Any]) -> None:
        """Add a chunk. ``made``: from its result in the store."""
        self.audio += audio
        self.core_seconds += seconds * made.get("threads", 1)
        self.gpu_seconds += seconds if made.get("device") == "cuda" else 0.0
        self.memory_mb = max(self.memory_mb, memory_mb)

    @property
    def speed(self) -> float | None:
        """Multiple of real time on one GPU, or on one core; ``None`` where unknown."""
        taken = self.gpu_seconds or self.core_seconds
        return self.audio / taken if taken else None

    def price(self, prices: Prices) -> float | None:
        """Returns the price per hour of audio; ``None`` where no price applies."""
        spent = self.core_seconds * prices.core_hour + self.gpu_seconds * prices.gpu_hour
        return spent / self.audio if self.audio and spent else None


def decoding_times(folders: Iterable[RunFolder]) -> dict[str, Mapping[str, Any]]:
    """Returns the journal entries of decoded chunks in all ``folders``, by store key."""
    return {
        entry["key"]: entry
        for folder in folders
        for entry in chunk_entries(folder.journal)
        if entry.get("status") == "decoded"
    }


def decoding_costs(
    folder: RunFolder,
    plan: Plan,
    times: Mapping[str, Mapping[str, Any]],
    store: Store,
    label: Callable[[Recording], str],
) -> dict[str, DecodingCost]:
    """Returns the cost of decoding, grouped by the label of each recording.

    ``times``: see ``decoding_times``. Chunks decoded earlier count with the time they took then; chunks without a
    journal entry (decoded by another run) do not count.
    """
    found: dict[str, DecodingCost] = {}
    for shard in plan.shards:
        for chunk, key in _keys(folder.shards / f"{shard.shard}.json").items():
            entry = times.get(key)
            stored = store.get(key) if entry else None
            if entry is not None and stored is not None:
                effort = found.setdefault(label(plan.recording_of_chunk[chunk]), DecodingCost())
                memory = int(entry.get("memory_mb", 0))
                effort.add(to_seconds(entry["audio"]), entry["seconds"], memory, stored.made)
    return found


def _keys(report: Path) -> dict[str, str]:
    try:
        return FinishedShard.read(report).facts.keys
    except (OSError, ValueError):
        return {}


def sum_costs(parts: Iterable[DecodingCost]) -> DecodingCost:
    """Returns the sum of several costs."""
    whole = DecodingCost()
    for part in parts:
        whole.audio += part.audio
        whole.core_seconds += part.core_seconds
        whole.gpu_seconds += part.gpu_seconds
        whole.memory_mb = max(whole.memory_mb, part.memory_mb)
    return whole
