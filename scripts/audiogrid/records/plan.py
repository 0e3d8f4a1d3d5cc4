"""The plan of a run: its recordings, bundles and shards, or a part of them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from audiogrid.core.language_codes import AUTO
from audiogrid.records.chunks import chunk_id
from audiogrid.records.store import storable_options

# Of plans that are one document. Today they are written by part (`plan_files`).
SCHEMA = 2


@dataclass(frozen=True)
class TrackSettings:
    """Model and options that one channel has instead of its recording's; the fields mean the same as there."""

    model: str = ""
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recording:
    """One accepted recording. ``duration`` in samples at 16 kHz; ``chunks`` is the number per track.

    ``model``: name of its model's folder, empty for the run's. ``options``: decoding options in which it differs
    from the run's. ``columns``: what else its table row says. ``variant``: whom it follows in a rollout.
    ``address_table``: the table with the whole address of a remote one, where ``path`` is only what may be shown of it.
    ``note``: what is odd about the file; ``remarks``: what else its transcript should say; ``left_out``: what of its
    settings cannot be heeded (hotwords that do not fit, say). ``identified``: its language
    where that was found out, with probabilities. ``by_channel``: channels that are decoded otherwise than the fields
    above say, by their number from 0 (a string, as JSON has it); only where channels are split. ``audio_tracks``: audio
    tracks that are heard together, by number from 1; empty for the one that players take. ``version``: how often the
    file was replaced by another of the same size and time.
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
    left_out: list[str] = field(default_factory=list)
    identified: dict[str, Any] | None = None
    by_channel: dict[str, TrackSettings] = field(default_factory=dict)
    audio_tracks: list[int] = field(default_factory=list)
    version: int = 0

    @property
    def tracks(self) -> list[int | None]:
        """Channels that are transcribed by themselves; ``[None]`` for the mix of all."""
        return list(range(self.channels)) if self.channels_mode == "split" else [None]

    @property
    def chunk_ids(self) -> list[str]:
        """Names of all chunks, track after track."""
        return [chunk for track in self.tracks for chunk in self.chunks_of(track)]

    def chunks_of(self, track: int | None) -> list[str]:
        """Names of the chunks of one track."""
        return [chunk_id(self.recording, track, index) for index in range(self.chunks)]

    def settings_of(self, track: int | None) -> TrackSettings:
        """Model and options of a track; those of the recording for ``None`` and for most channels."""
        return self.by_channel.get(str(track)) or TrackSettings(self.model, self.options)

    @property
    def audio(self) -> int:
        """Samples to decode: the duration of all tracks together."""
        return self.duration * len(self.tracks)

    @property
    def language(self) -> str | None:
        """The language that was fixed for this recording, if one was."""
        given = self.options.get("language")
        return None if given in (None, AUTO) else str(given)


def settings_key(recording: Recording) -> Hashable:
    """Returns what recordings with the same model and options have in common; ``None`` where that is hard to say."""
    if recording.by_channel:
        return None
    key = recording.model, *recording.options.items()
    try:
        hash(key)
    except TypeError:
        return None
    return key


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
    recording may have. ``revision``: of the decoding code that the plan was made for.
    """

    model: str
    models: dict[str, str]
    options: dict[str, Any]
    chunk_minutes: float
    bundle_minutes: float
    shard_minutes: float
    shards_at_least: int
    chunks_per_shard: int
    revision: int = 0


@dataclass(frozen=True)
class Plan:
    """A plan, or the part of one that concerns a bundle or a shard; `plan_files` reads and writes it.

    ``divided``: whether transcripts lie in sub-folders, which is decided when a run is first planned.
    """

    settings: Settings
    recordings: list[Recording]
    bundles: list[Bundle]
    shards: list[Shard]
    rejected: int = 0
    warnings: list[str] = field(default_factory=list)
    divided: bool = False

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
        """Names of the shards that hold chunks of a bundle; in a part of a plan, of its bundles only."""
        return names_by_bundle(self.bundles, self.shards)

    @cached_property
    def recording_of_chunk(self) -> dict[str, Recording]:
        """The recording that a chunk belongs to."""
        return {chunk: recording for recording in self.recordings for chunk in recording.chunk_ids}

    @cached_property
    def columns(self) -> frozenset[str]:
        """Further columns of tables that any recording has a value in."""
        return columns_of(self.recordings)

    def each_recording(self) -> Iterator[Recording]:
        """Yields all recordings."""
        return iter(self.recordings)

    def names_of(self, bundle: str) -> list[str]:
        """Returns the ids of the recordings of a bundle."""
        return self.bundle[bundle].recordings

    # A whole plan serves wherever the part of a bundle or a shard is asked for.
    def of_bundle(self, bundle: str) -> Plan:
        """Returns this plan."""
        return self

    def of_shard(self, shard: str) -> Plan:
        """Returns this plan."""
        return self

    def model_of(self, recording: Recording, channel: int | None = None) -> str:
        """Name of the model that decodes a recording, or one channel of it (from 0)."""
        return recording.settings_of(channel).model or self.settings.model

    def models_of(self, recording: Recording) -> list[str]:
        """Names of the models that decode a recording: one, unless its channels differ."""
        return list(dict.fromkeys(self.model_of(recording, track) for track in recording.tracks))

    def options_for(self, recording: Recording, channel: int | None = None) -> dict[str, Any]:
        """Decoding options of a recording or channel, as keys have them: the run's, with what is set for it alone."""
        return storable_options({**self.settings.options, **recording.settings_of(channel).options})

    def audio_by_model(self) -> dict[str, int]:
        """Samples to decode with each model that has any."""
        found: dict[str, int] = {}
        add_audio(found, self.recordings, self.settings.model)
        return found

    @property
    def count(self) -> int:
        """Number of recordings."""
        return len(self.recordings)

    @property
    def audio(self) -> int:
        """Samples to decode in all."""
        return sum(recording.audio for recording in self.recordings)


def columns_of(recordings: Iterable[Recording]) -> frozenset[str]:
    """Returns the further columns of tables that any of these recordings has a value in."""
    return frozenset(name for one in recordings for name, value in one.columns.items() if value)


def add_audio(found: dict[str, int], recordings: Iterable[Recording], model: str) -> None:
    """Add to ``found`` the samples to decode with each model. ``model``: of recordings that name no other."""
    for one in recordings:
        for track in one.tracks:
            name = one.settings_of(track).model or model
            found[name] = found.get(name, 0) + one.duration


def names_by_bundle(bundles: Iterable[Any], shards: Iterable[Any]) -> dict[str, list[str]]:
    """Returns the names of the shards that hold chunks of each of these bundles; shards may hold chunks of others."""
    found: dict[str, list[str]] = {bundle.bundle: [] for bundle in bundles}
    for shard in shards:
        for bundle in shard.bundles:
            if bundle in found:
                found[bundle].append(shard.shard)
    return found


def upgraded(raw: dict[str, Any]) -> dict[str, Any]:
    """Returns the JSON value of a plan that is one document as its last version has it. Raises ``ValueError``."""
    if raw["schema"] == 1:
        return _from_schema_1(raw)
    if raw["schema"] != SCHEMA:
        raise ValueError(f"its schema is {raw['schema']}, not {SCHEMA}")
    return raw


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
