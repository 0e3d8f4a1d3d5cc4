"""The files of a run that its jobs read, by shard and bundle."""

from __future__ import annotations

from typing import Any

from audiogrid.records.plan import Plan
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.speakers import embedded_chunks, given_turns, is_embedded, link_of
from audiogrid.records.texts import aligned_chunks, texts_of_bundle


def chunk_folders(folder: RunFolder, plan: Plan, shard: str) -> list[str]:
    """Returns the bundle folders that hold the audio of a shard."""
    return [str(folder.chunks / bundle) for bundle in plan.shard[shard].bundles]


def shard_reports(folder: RunFolder, plan: Plan, bundle: str) -> list[str]:
    """Returns the reports of the shards that hold chunks of a bundle."""
    return [str(folder.shards / f"{shard}.json") for shard in plan.shards_of_bundle[bundle]]


def voice_files(folder: RunFolder, plan: Plan, bundle: str, speakers: Any) -> list[str]:
    """Returns the reports of the `embed` jobs of a bundle and the files with given turns; none without speakers.

    ``speakers``: the key of the configuration.
    """
    recordings = [plan.recording[name] for name in plan.bundle[bundle].recordings]
    embedded = [shard for shard in plan.shards_of_bundle[bundle] if embedded_chunks(plan, shard, speakers)]
    return [
        *(str(folder.voices / f"{shard}.json") for shard in embedded),
        *dict.fromkeys(given_turns(recording) for recording in recordings if given_turns(recording)),
    ]


def all_voices(folder: RunFolder, plan: Plan, speakers: Any) -> list[str]:
    """Returns the reports of all `embed` jobs of a run. ``speakers``: the key of the configuration."""
    embedded = [shard.shard for shard in plan.shards if embedded_chunks(plan, shard.shard, speakers)]
    return [str(folder.voices / f"{shard}.json") for shard in embedded]


def links(folder: RunFolder, plan: Plan, bundle: str, speakers: Any) -> list[str]:
    """Returns what says which voices the recordings of a bundle share with others; none where voices are not linked.

    ``speakers``: the key of the configuration.
    """
    recordings = [plan.recording[name] for name in plan.bundle[bundle].recordings]
    is_linked = link_of(speakers) and any(is_embedded(one, speakers) for one in recordings)
    return [str(folder.linked)] if is_linked else []


def voices_spec(plan: Plan, shard: str, speakers: Any, network: str) -> list[str]:
    """Returns what an `embed` job works on: the identity of its ``network``, the audio of its chunks, their names.

    ``speakers``: the key of the configuration.
    """
    bundles = [plan.bundle[bundle].spec for bundle in plan.shard[shard].bundles]
    return [network, *bundles, *embedded_chunks(plan, shard, speakers)]


def decoded_reports(folder: RunFolder, plan: Plan, shard: str) -> list[str]:
    """Returns the reports of all shards that hold chunks of the recordings of a shard."""
    bundles = plan.shard[shard].bundles
    return list(dict.fromkeys(path for bundle in bundles for path in shard_reports(folder, plan, bundle)))


def texts_of_shard(plan: Plan, shard: str) -> list[str]:
    """Returns the given texts of the recordings of a shard's bundles."""
    return list(dict.fromkeys(path for bundle in plan.shard[shard].bundles for path in texts_of_bundle(plan, bundle)))


def aligned_spec(plan: Plan, shard: str, word_times: str) -> list[str]:
    """Returns what an `align` job works on: the decoded shard, the audio of its chunks, their names.

    ``word_times``: the key of the configuration.
    """
    bundles = [plan.bundle[bundle].spec for bundle in plan.shard[shard].bundles]
    return [word_times, plan.shard[shard].spec, *bundles, *aligned_chunks(plan, shard)]


def aligned_files(folder: RunFolder, plan: Plan, bundle: str) -> list[str]:
    """Returns the reports of the `align` jobs of a bundle and the given texts; none where no recording has a text."""
    aligned = [shard for shard in plan.shards_of_bundle[bundle] if aligned_chunks(plan, shard)]
    return [*(str(folder.aligned / f"{shard}.json") for shard in aligned), *texts_of_bundle(plan, bundle)]


def merged_files(folder: RunFolder, plan: Plan) -> list[str]:
    """Returns what `merge` writes for each bundle of a plan."""
    return [str(folder.merged / f"{bundle.bundle}.json") for bundle in plan.bundles]
