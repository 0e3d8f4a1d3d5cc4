"""``plan.json``: the recordings, bundles and shards of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiogrid.chunks import chunk_id
from audiogrid.errors import InputError
from audiogrid.files import read_json, write_json
from audiogrid.languages import AUTO
from audiogrid.store import storable_options
from audiogrid.times import SAMPLE_RATE, to_seconds

if TYPE_CHECKING:
    from audiogrid.account import Prices
    from audiogrid.foresight import Foresight

SCHEMA = 2
# Remarks that are shown at once.
_REMARKS = 5


@dataclass(frozen=True)
class Recording:
    """One accepted recording. ``duration`` in samples at 16 kHz; ``chunks`` is the number per track.

    ``model``: name of its model's folder, empty for the run's. ``options``: decoding options in which it differs
    from the run's. ``columns``: what else its table row says. ``variant``: whom it follows in a rollout.
    ``address_table``: the table with the whole address of a remote one, where ``path`` is only what may be shown of it.
    ``note``: what is odd about the file; ``remarks``: what else its transcript should say. ``identified``: its language
    where that was found out, with probabilities.
    """

    recording: str
    path: str
    size: int
    mtime_ns: int
    duration: int
    channels: int
    channels_mode: str
    chunks: int
    model: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    reference: str | None = None
    note: str | None = None
    variant: str = ""
    address_table: str | None = None
    remarks: list[str] = field(default_factory=list)
    identified: dict[str, Any] | None = None

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
    def language(self) -> str | None:
        """The language that was fixed for this recording, if one was."""
        given = self.options.get("language")
        return None if given in (None, AUTO) else str(given)


@dataclass(frozen=True)
class Bundle:
    """The recordings that one ``split`` job reads and one ``merge`` job writes."""

    bundle: str
    spec: str
    recordings: list[str]


@dataclass(frozen=True)
class Shard:
    """The chunks that one ``transcribe`` job works through with one model. ``audio`` in samples."""

    shard: str
    spec: str
    chunks: list[str]
    bundles: list[str]
    audio: int
    model: str
    compute_type: str


@dataclass(frozen=True)
class Settings:
    """What the plan depends on besides the recordings.

    ``model``: the run's, for recordings that name no other. ``models``: name -> content hash of every model that a
    recording may have.
    """

    model: str
    models: dict[str, str]
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
    warnings: list[str] = field(default_factory=list)

    @property
    def models(self) -> dict[str, str]:
        """Name -> content hash of the models, the run's first."""
        return self.settings.models

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

    def model_of(self, recording: Recording) -> str:
        """Name of the model that decodes a recording."""
        return recording.model or self.settings.model

    def options_for(self, recording: Recording) -> dict[str, Any]:
        """Decoding options of a recording, as its keys have them: the run's, with what is set for it alone."""
        return storable_options({**self.settings.options, **recording.options})

    @property
    def audio(self) -> int:
        """Samples to decode in all."""
        return sum(recording.audio for recording in self.recordings)

    def write(self, path: Path) -> None:
        """Write ``plan.json``."""
        write_json(path, {"schema": SCHEMA, **asdict(self)})

    @classmethod
    def read(cls, path: Path) -> Plan:
        """Read ``plan.json``, also of an earlier version; raises ``InputError`` when it is of a later one."""
        raw = read_json(path)
        if raw.get("schema") == 1:
            raw = _from_schema_1(raw)
        if raw.get("schema") != SCHEMA:
            raise InputError(f"{path} was written by another version of audiogrid; delete it and run again")
        return cls(
            settings=Settings(**raw["settings"]),
            recordings=[Recording(**item) for item in raw["recordings"]],
            bundles=[Bundle(**item) for item in raw["bundles"]],
            shards=[Shard(**item) for item in raw["shards"]],
            rejected=raw["rejected"],
            warnings=raw.get("warnings", []),
        )


def _from_schema_1(raw: dict[str, Any]) -> dict[str, Any]:
    """A plan from before recordings could have models of their own."""
    settings = dict(raw["settings"])
    settings["models"] = {settings["model"]: settings.pop("model_hash")}
    recordings = []
    for item in raw["recordings"]:
        named = {key: item[key] for key in ("language", "prompt", "hotwords")}
        rest = {key: value for key, value in item.items() if key not in named}
        recordings.append({**rest, "options": {key: value for key, value in named.items() if value}})
    job = {"model": settings["model"], "compute_type": settings["options"].get("compute_type", AUTO)}
    shards = [{**shard, **job} for shard in raw["shards"]]
    return {**raw, "schema": SCHEMA, "settings": settings, "recordings": recordings, "shards": shards}


class PlanReader:
    """Reads plans, each once per version of its file."""

    def __init__(self) -> None:
        self._plans: dict[Path, tuple[int, Plan]] = {}

    def __call__(self, path: Path) -> Plan:
        """The plan in ``path``; raises as ``Plan.read`` does."""
        version = path.stat().st_mtime_ns
        known = self._plans.get(path)
        if known is None or known[0] != version:
            known = self._plans[path] = (version, Plan.read(path))
        return known[1]


def core_seconds(audio: int, speed_per_core: float) -> float:
    """Core-seconds to decode ``audio`` samples at a speed given as a multiple of real time per core."""
    return to_seconds(audio) / speed_per_core


@dataclass(frozen=True)
class Speed:
    """What a model decodes per core, as a multiple of real time, and where that figure comes from."""

    per_core: float
    source: str


def describe(
    plan: Plan,
    speeds: Mapping[str, Speed],
    cores: int,
    foresight: Foresight | None = None,
    prices: Prices | None = None,
) -> list[str]:
    """What the plan amounts to, as lines for a person.

    ``speeds``: of every model of the plan, by name. ``foresight``: what of it is done already; the estimate is for
    the rest then. ``prices``: for the cost of its core-hours.
    """
    audio = dict.fromkeys(plan.models, 0)
    for recording in plan.recordings:
        audio[plan.model_of(recording)] += recording.audio
    used = {model: samples for model, samples in audio.items() if samples} or {plan.settings.model: 0}
    waiting = used if foresight is None else foresight.waiting
    core_hours = sum(core_seconds(samples, speeds[model].per_core) for model, samples in waiting.items()) / 3600
    price = prices.core_hour if prices else 0
    chunks = sum(len(recording.chunk_ids) for recording in plan.recordings)
    sources = "; ".join(dict.fromkeys(speeds[model].source for model in used))
    rejected = f", {plan.rejected} rejected" if plan.rejected else ""
    return [
        f"recordings   {len(plan.recordings)}{rejected}",
        f"audio        {plan.audio / SAMPLE_RATE / 3600:.2f} h",
        f"chunks       {chunks} in {len(plan.bundles)} bundle(s)",
        *_shard_lines(plan, used),
        *(foresight.lines() if foresight else []),
        f"estimate     {core_hours:.2f} core-hours ({sources}), about {core_hours * 60 / cores:.0f} min "
        f"on {cores} core(s)",
        *([f"cost         {core_hours * price:.2f} {prices.currency}".rstrip()] if prices and price else []),
        *(f"warning      {warning}" for warning in plan.warnings),
        *_remark_lines(plan),
    ]


def _remark_lines(plan: Plan) -> list[str]:
    """The first few remarks on recordings."""
    remarks = [f"{recording.recording}: {remark}" for recording in plan.recordings for remark in recording.remarks]
    more = [f"note         and {len(remarks) - _REMARKS} more"] if len(remarks) > _REMARKS else []
    return [f"note         {remark}" for remark in remarks[:_REMARKS]] + more


def _shard_lines(plan: Plan, audio: Mapping[str, int]) -> list[str]:
    """A line per model; where there are several, with what each has to do."""
    counts = {model: [shard.model for shard in plan.shards].count(model) for model in audio}
    if len(audio) == 1:
        return [f"shards       {count} for model {model}" for model, count in counts.items()]
    recordings = [plan.model_of(recording) for recording in plan.recordings]
    return [
        f"{'shards' if number == 0 else '':<13}{count} for model {model} "
        f"({recordings.count(model)} recording(s), {audio[model] / SAMPLE_RATE / 3600:.2f} h)"
        for number, (model, count) in enumerate(counts.items())
    ]
