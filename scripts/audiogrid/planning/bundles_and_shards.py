"""Makes the plan: chunks per recording, bundles, shards.

Pure functions over the facts from ``probe``. Bundles and shards follow the order of the input. A new
plan keeps every unchanged bundle and shard of the previous one, so that a new, changed or removed
recording affects no other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from audiogrid.core.atomic_files import canonical_json
from audiogrid.core.language_codes import AUTO
from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.planning.priorities import by_priority
from audiogrid.probing.probe import Probed
from audiogrid.records.plan import Bundle, Plan, Recording, Settings, Shard
from audiogrid.records.results import SCHEMA as RESULT_SCHEMA
from audiogrid.splitting.cut_points import chunk_count

SPLIT_SCHEMA = 1
# Raise this number when crosstalk is found in another way: recordings with split channels are then split again.
CROSSTALK_SCHEMA = 2
# Bundles are also limited by count, so that thousands of tiny files do not become one job.
MAX_RECORDINGS_PER_BUNDLE = 500
# Bundles and shards up to these numbers have the configured size. From there on they grow, so that 500,000 hours are
# some ten thousand jobs: each further group of 8 is larger by the configured size. What a bundle or shard holds follows
# from its number alone, and numbers only rise: what is added to the input changes nothing that is planned.
GROWS_AFTER_BUNDLES = 1000
GROWS_AFTER_SHARDS = 500
_GROUP = 8
# A bundle of very short recordings grows to so many times MAX_RECORDINGS_PER_BUNDLE.
_MOST_TIMES_RECORDINGS = 4
# With fewer chunks than this per shard, loading the model would dominate.
CHUNKS_WORTH_A_SHARD = 3


def _hash(value: Any) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:32]


def _version(recording: Recording) -> list[str]:
    """Returns what tells a replaced file of the same size and time from the one before."""
    return [f"version {recording.version}"] if recording.version else []


def _bundle_spec(recordings: Sequence[Recording]) -> str:
    """Returns a hash that changes exactly when ``split`` would write something else."""
    facts = [
        # Chosen audio tracks count only where they are not the ones that every file has.
        (r.recording, r.path, r.size, r.mtime_ns, r.duration, r.channels_mode, r.chunks, *r.audio_tracks, *_version(r))
        for r in recordings
    ]
    # Only recordings with split channels are cut in another way since crosstalk is looked for.
    crosstalk = [CROSSTALK_SCHEMA] if any(r.channels_mode == "split" for r in recordings) else []
    return _hash([SPLIT_SCHEMA, facts, *crosstalk])


def growth(number: int, after: int) -> int:
    """Returns how many times the configured size a bundle or shard with this number has."""
    return 1 + max(0, number - after + _GROUP - 1) // _GROUP


def _groups(recordings: Iterable[Recording], bundle_samples: float, number: int = 1) -> Iterator[list[Recording]]:
    """Yields groups of consecutive recordings of about ``bundle_samples``; a long recording is a group alone.

    ``number``: of the first bundle that is made of them.
    """
    group: list[Recording] = []
    filled = 0
    times = growth(number, GROWS_AFTER_BUNDLES)
    for recording in recordings:
        most = MAX_RECORDINGS_PER_BUNDLE * min(times, _MOST_TIMES_RECORDINGS)
        if group and (filled + recording.audio > bundle_samples * times or len(group) >= most):
            yield group
            group, filled = [], 0
            number += 1
            times = growth(number, GROWS_AFTER_BUNDLES)
        group.append(recording)
        filled += recording.audio
    if group:
        yield group


def _last_number(taken: Iterable[str]) -> int:
    return max((int(name[1:]) for name in taken), default=0)


def _numbers(prefix: str, last: int) -> Iterator[str]:
    while True:
        last += 1
        yield f"{prefix}{last:04d}"


def _same_rules(one: Settings, other: Settings) -> bool:
    names = ("chunk_minutes", "bundle_minutes", "shard_minutes", "shards_at_least", "chunks_per_shard")
    return all(getattr(one, name) == getattr(other, name) for name in names)


def make_bundles(recordings: Sequence[Recording], bundle_minutes: float, previous: Sequence[Bundle]) -> list[Bundle]:
    """Returns bundles in the order of the input; unchanged bundles of ``previous`` keep name and contents.

    Of new recordings those with the highest priority come first, and share bundles.
    """
    by_id = {recording.recording: recording for recording in recordings}
    kept = [
        old
        for old in previous
        if all(name in by_id for name in old.recordings)
        and _bundle_spec([by_id[name] for name in old.recordings]) == old.spec
    ]
    placed = {name for bundle in kept for name in bundle.recordings}
    last = _last_number(bundle.bundle for bundle in previous)
    names = _numbers("b", last)
    fresh = [
        Bundle(next(names), _bundle_spec(group), [recording.recording for recording in group])
        for group in _groups(
            by_priority([r for r in recordings if r.recording not in placed]),
            bundle_minutes * 60 * SAMPLE_RATE,
            last + 1,
        )
    ]
    return [*kept, *fresh]


def _shard_size(chunks: int, audio: int, settings: Settings) -> tuple[float, float]:
    """Returns the samples per shard, and the most to which it may grow.

    There are enough shards, but none so small that loading the model dominates.
    """
    if not chunks:
        return 1.0, 1.0
    count = max(audio / (settings.shard_minutes * 60 * SAMPLE_RATE), 1.0)
    least = min(settings.shards_at_least, max(1, chunks // CHUNKS_WORTH_A_SHARD))
    return audio / max(-(-count // 1), least), audio / max(1, least)


# A chunk to assign to a shard: bundle, name, recording, track.
_Item = tuple[str, str, Recording, int | None]


def make_shards(
    recordings: Mapping[str, Recording], bundles: Sequence[Bundle], settings: Settings, previous: Sequence[Shard]
) -> list[Shard]:
    """Returns shards over ``bundles`` in order, each with one model and one compute type.

    Shards of ``previous`` with unchanged bundles and settings are kept.
    """
    spec_of = {bundle.bundle: bundle.spec for bundle in bundles}

    def load_of(item: _Item) -> tuple[str, str]:
        """Returns model and compute type of a chunk."""
        own = item[2].settings_of(item[3])
        given = own.options.get("compute_type", settings.options.get("compute_type", AUTO))
        return own.model or settings.model, str(given)

    def build(name: str, items: Sequence[_Item]) -> Shard:
        model, compute_type = load_of(items[0])
        used = list(dict.fromkeys(bundle for bundle, _, _, _ in items))
        spec = _hash(
            [
                RESULT_SCHEMA,
                *([settings.revision] if settings.revision else []),
                settings.models[model],
                settings.options,
                _options_of(items),
                [spec_of[bundle] for bundle in used],
                [chunk for _, chunk, _, _ in items],
            ]
        )
        audio = sum(recording.duration // recording.chunks for _, _, recording, _ in items)
        return Shard(name, spec, [chunk for _, chunk, _, _ in items], used, audio, model, compute_type)

    place: dict[str, _Item] = {
        chunk: (bundle.bundle, chunk, recordings[name], track)
        for bundle in bundles
        for name in bundle.recordings
        for track in recordings[name].tracks
        for chunk in recordings[name].chunks_of(track)
    }
    kept: list[Shard] = []
    for old in previous:
        if all(chunk in place for chunk in old.chunks) and len({load_of(place[c]) for c in old.chunks}) == 1:
            rebuilt = build(old.shard, [place[chunk] for chunk in old.chunks])
            if rebuilt.bundles == old.bundles:
                kept.append(rebuilt)
    done = {chunk for shard in kept for chunk in shard.chunks}
    waiting: dict[tuple[str, str], list[_Item]] = {}
    for chunk, item in place.items():
        if chunk not in done:
            waiting.setdefault(load_of(item), []).append(item)
    last = _last_number(shard.shard for shard in previous)
    names = _numbers("s", last)
    fresh: list[Shard] = []
    for items in waiting.values():
        fresh += [build(next(names), group) for group in _shard_groups(items, settings, last + 1 + len(fresh))]
    return [*kept, *fresh]


def _options_of(items: Sequence[_Item]) -> list[Any]:
    """Returns the options of the recordings of a shard, and of channels that differ from their recording."""
    found: dict[tuple[str, str], Any] = {}
    for _, _, recording, track in items:
        own = recording.by_channel.get(str(track))
        if own is None:
            found[recording.recording, ""] = recording.options
        else:
            found[recording.recording, str(track)] = [recording.recording, track, own.options]
    return list(found.values())


def _shard_groups(items: Sequence[_Item], settings: Settings, number: int = 1) -> Iterator[list[_Item]]:
    """Yields the consecutive chunks of each shard of one model. ``number``: of the first shard."""
    audio = sum(recording.duration // recording.chunks for _, _, recording, _ in items)
    least, most = _shard_size(len(items), audio, settings)
    size = min(most, least * growth(number, GROWS_AFTER_SHARDS))
    group: list[_Item] = []
    reached = 0.0
    for item in items:
        group.append(item)
        reached += item[2].duration // item[2].chunks
        if len(group) >= settings.chunks_per_shard if settings.chunks_per_shard else reached + 1 >= size:
            yield group
            group, reached = [], 0.0
            number += 1
            size = min(most, least * growth(number, GROWS_AFTER_SHARDS))
    if group:
        yield group


def recordings_of(probed: Iterable[Probed], chunk_minutes: float) -> list[Recording]:
    """Returns the recordings of a report of ``probe`` with the options of their table rows and the run's model."""
    return [
        Recording(
            one.recording,
            one.path,
            one.size,
            one.mtime_ns,
            one.duration,
            one.channels,
            one.channels_mode,
            chunk_count(one.duration, chunk_minutes),
            options={
                name: value
                for name, value in (("language", one.language), ("prompt", one.prompt), ("hotwords", one.hotwords))
                if value
            },
            columns=one.columns or {},
            reference=one.reference,
            note=one.note,
            address_table=one.address_table,
            audio_tracks=one.tracks or [],
            remarks=list(one.remarks or []),
            version=one.version or 0,
        )
        for one in probed
    ]


def probed_recordings(probed: Mapping[str, Any], chunk_minutes: float) -> list[Recording]:
    """Returns what ``recordings_of`` does, for the contents of ``probe.json``."""
    return recordings_of((_probed(item) for item in probed["recordings"]), chunk_minutes)


_NAMES = frozenset(one.name for one in fields(Probed))
# What no plan needs.
_NOT_NEEDED: dict[str, Any] = dict.fromkeys(
    ("sample_rate", "codec", "container", "note", "language", "prompt", "hotwords", "reference", "columns")
)


def _probed(item: Mapping[str, Any]) -> Probed:
    return Probed(**_NOT_NEEDED | {name: value for name, value in item.items() if name in _NAMES})


def plan_recordings(
    recordings: Sequence[Recording],
    settings: Settings,
    previous: Plan | None = None,
    rejected: int = 0,
    bundles: Sequence[Bundle] | None = None,
    warnings: Sequence[str] = (),
) -> Plan:
    """Returns the plan for recordings whose models and options are settled.

    ``previous``: the last plan, if any; it is ignored where a setting changed that moves cuts or shards. ``bundles``:
    of another plan over the same recordings, to be shared with it.
    """
    if previous is not None and not _same_rules(settings, previous.settings):
        previous = None
    if bundles is None:
        bundles = make_bundles(recordings, settings.bundle_minutes, previous.bundles if previous else [])
    by_id = {recording.recording: recording for recording in recordings}
    shards = make_shards(by_id, bundles, settings, previous.shards if previous else [])
    return Plan(settings, list(recordings), list(bundles), shards, rejected, list(warnings))


def make_plan(probed: Mapping[str, Any], settings: Settings, previous: Plan | None = None) -> Plan:
    """Returns the plan for the contents of ``probe.json``; see ``plan_recordings``."""
    recordings = probed_recordings(probed, settings.chunk_minutes)
    return plan_recordings(recordings, settings, previous, len(probed["rejected"]))
