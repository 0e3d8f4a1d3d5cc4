"""``plan.json``: the recordings, bundles and shards of a run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from audiogrid.chunks import chunk_id
from audiogrid.errors import InputError
from audiogrid.files import read_json, write_json
from audiogrid.times import SAMPLE_RATE, to_seconds

SCHEMA = 1


@dataclass(frozen=True)
class Recording:
    """One accepted recording. ``duration`` in samples at 16 kHz; ``chunks`` is the number per track."""

    recording: str
    path: str
    size: int
    mtime_ns: int
    duration: int
    channels: int
    channels_mode: str
    chunks: int
    language: str | None = None
    prompt: str | None = None
    hotwords: str | None = None
    reference: str | None = None
    note: str | None = None

    @property
    def tracks(self) -> list[int | None]:
        """Channels that are transcribed by themselves; ``[None]`` for the mix of all."""
        return list(range(self.channels)) if self.channels_mode == "split" else [None]

    @property
    def chunk_ids(self) -> list[str]:
        """Names of all chunks, track after track."""
        return [chunk_id(self.recording, track, index) for track in self.tracks for index in range(self.chunks)]

    @property
    def audio(self) -> int:
        """Samples to decode: the duration of all tracks together."""
        return self.duration * len(self.tracks)

    @property
    def overrides(self) -> dict[str, str]:
        """Decoding options that the table sets for this recording."""
        named = {"language": self.language, "prompt": self.prompt, "hotwords": self.hotwords}
        return {key: value for key, value in named.items() if value}


@dataclass(frozen=True)
class Bundle:
    """The recordings that one ``split`` job reads and one ``merge`` job writes."""

    bundle: str
    spec: str
    recordings: list[str]


@dataclass(frozen=True)
class Shard:
    """The chunks that one ``transcribe`` job works through. ``audio`` in samples."""

    shard: str
    spec: str
    chunks: list[str]
    bundles: list[str]
    audio: int


@dataclass(frozen=True)
class Settings:
    """What the plan depends on besides the recordings."""

    model: str
    model_hash: str
    options: dict[str, Any]
    chunk_minutes: float
    bundle_minutes: float
    shard_minutes: float
    shards_at_least: int
    chunks_per_shard: int


@dataclass(frozen=True)
class Plan:
    """Contents of ``plan.json``."""

    settings: Settings
    recordings: list[Recording]
    bundles: list[Bundle]
    shards: list[Shard]
    rejected: int = 0

    @cached_property
    def recording(self) -> dict[str, Recording]:
        """Recordings by id."""
        return {recording.recording: recording for recording in self.recordings}

    @cached_property
    def bundle(self) -> dict[str, Bundle]:
        """Bundles by name."""
        return {bundle.bundle: bundle for bundle in self.bundles}

    @cached_property
    def shard(self) -> dict[str, Shard]:
        """Shards by name."""
        return {shard.shard: shard for shard in self.shards}

    @cached_property
    def shards_of_bundle(self) -> dict[str, list[str]]:
        """Names of the shards that hold chunks of a bundle."""
        found: dict[str, list[str]] = {bundle.bundle: [] for bundle in self.bundles}
        for shard in self.shards:
            for bundle in shard.bundles:
                found[bundle].append(shard.shard)
        return found

    @cached_property
    def recording_of_chunk(self) -> dict[str, Recording]:
        """The recording that a chunk belongs to."""
        return {chunk: recording for recording in self.recordings for chunk in recording.chunk_ids}

    def options_for(self, recording: Recording) -> dict[str, Any]:
        """Decoding options of a recording: the run's, with what its table row sets."""
        return {**self.settings.options, **recording.overrides}

    @property
    def audio(self) -> int:
        """Samples to decode in all."""
        return sum(recording.audio for recording in self.recordings)

    def write(self, path: Path) -> None:
        """Write ``plan.json``."""
        write_json(path, {"schema": SCHEMA, **asdict(self)})

    @classmethod
    def read(cls, path: Path) -> Plan:
        """Read ``plan.json``; raises ``InputError`` when it is of another version."""
        raw = read_json(path)
        if raw.get("schema") != SCHEMA:
            raise InputError(f"{path} was written by another version of audiogrid; delete it and run again")
        return cls(
            settings=Settings(**raw["settings"]),
            recordings=[Recording(**item) for item in raw["recordings"]],
            bundles=[Bundle(**item) for item in raw["bundles"]],
            shards=[Shard(**item) for item in raw["shards"]],
            rejected=raw["rejected"],
        )


def core_seconds(audio: int, speed_per_core: float) -> float:
    """Core-seconds to decode ``audio`` samples at a speed given as a multiple of real time per core."""
    return to_seconds(audio) / speed_per_core


def describe(plan: Plan, speed_per_core: float, cores: int, source: str) -> list[str]:
    """What the plan amounts to, as lines for a person."""
    hours = plan.audio / SAMPLE_RATE / 3600
    core_hours = core_seconds(plan.audio, speed_per_core) / 3600
    chunks = sum(len(recording.chunk_ids) for recording in plan.recordings)
    minutes = core_hours * 60 / cores
    rejected = f", {plan.rejected} rejected" if plan.rejected else ""
    return [
        f"recordings   {len(plan.recordings)}{rejected}",
        f"audio        {hours:.2f} h",
        f"chunks       {chunks} in {len(plan.bundles)} bundle(s)",
        f"shards       {len(plan.shards)} for model {plan.settings.model}",
        f"estimate     {core_hours:.2f} core-hours ({source}), about {minutes:.0f} min on {cores} core(s)",
    ]
