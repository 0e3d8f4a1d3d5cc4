"""The files of a run that its jobs read, by shard and bundle."""

from __future__ import annotations

from typing import Any

from audiogrid.records.plan import Plan
from audiogrid.records.plan_files.reader import PlanFile
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.speakers import (
    embedded_chunks,
    given_turns,
    has_embedded,
    is_embedded,
    link_of,
    may_have_speakers,
)
from audiogrid.records.texts import TEXT, aligned_chunks, texts_of_bundle


def chunk_folders(folder: RunFolder, plan: Plan | PlanFile, shard: str) -> list[str]:
    """Returns the bundle folders that hold the audio of a shard."""
    return [str(folder.chunks / bundle) for bundle in plan.shard[shard].bundles]


def shard_reports(folder: RunFolder, plan: Plan | PlanFile, bundle: str) -> list[str]:
    """Returns the reports of the shards that hold chunks of a bundle."""
    return [str(folder.shards / f"{shard}.json") for shard in plan.shards_of_bundle[bundle]]


def voice_files(folder: RunFolder, plan: Plan | PlanFile, bundle: str, speakers: Any) -> list[str]:
    """Returns the reports of the `embed` jobs of a bundle and the files with given turns; none without speakers.

    ``speakers``: the key of the configuration.
    """
    if not may_have_speakers(plan, speakers):
        return []
    part = plan.of_bundle(bundle)
    recordings = [part.recording[name] for name in part.bundle[bundle].recordings]
    embedded = [one for one in part.shards_of_bundle[bundle] if has_embedded(plan.of_shard(one), one, speakers)]
    return [
        *(str(folder.voices / f"{shard}.json") for shard in embedded),
        *dict.fromkeys(given_turns(recording) for recording in recordings if given_turns(recording)),
    ]


def all_voices(folder: RunFolder, plan: Plan | PlanFile, speakers: Any) -> list[str]:
    """Returns the reports of all `embed` jobs of a run. ``speakers``: the key of the configuration."""
    embedded = [one.shard for one in plan.shards if has_embedded(plan.of_shard(one.shard), one.shard, speakers)]
    return [str(folder.voices / f"{shard}.json") for shard in embedded]


def links(folder: RunFolder, plan: Plan | PlanFile, bundle: str, speakers: Any) -> list[str]:
    """Returns what says which voices the recordings of a bundle share with others; none where voices are not linked.

    ``speakers``: the key of the configuration.
    """
    if not link_of(speakers):
        return []
    part = plan.of_bundle(bundle)
    is_linked = any(is_embedded(part.recording[name], speakers) for name in part.bundle[bundle].recordings)
    return [str(folder.linked)] if is_linked else []


def voices_spec(plan: Plan | PlanFile, shard: str, speakers: Any, network: str) -> list[str]:
    """Returns what an `embed` job works on: the identity of its ``network``, the audio of its chunks, their names.

    ``speakers``: the key of the configuration.
    """
    bundles = [plan.bundle[bundle].spec for bundle in plan.shard[shard].bundles]
    return [network, *bundles, *embedded_chunks(plan.of_shard(shard), shard, speakers)]


def decoded_reports(folder: RunFolder, plan: Plan | PlanFile, shard: str) -> list[str]:
    """Returns the reports of all shards that hold chunks of the recordings of a shard."""
    bundles = plan.shard[shard].bundles
    return list(dict.fromkeys(path for bundle in bundles for path in shard_reports(folder, plan, bundle)))


def texts_of_shard(plan: Plan | PlanFile, shard: str, glossary: str = "") -> list[str]:
    """Returns the given texts of the recordings of a shard's bundles, and the glossary."""
    files = [glossary] if glossary else []
    if TEXT not in plan.columns:
        return files
    part = plan.of_shard(shard)
    texts = dict.fromkeys(path for bundle in part.shard[shard].bundles for path in texts_of_bundle(part, bundle))
    return [*texts, *files]


def aligned_spec(plan: Plan | PlanFile, shard: str, word_times: str, glossary: str = "") -> list[str]:
    """Returns what an `align` job works on: the decoded shard, the audio of its chunks, their names.

    ``word_times`` and ``glossary``: keys of the configuration.
    """
    bundles = [plan.bundle[bundle].spec for bundle in plan.shard[shard].bundles]
    return [word_times, plan.shard[shard].spec, *bundles, *aligned_chunks(plan.of_shard(shard), shard, glossary)]


def aligned_files(folder: RunFolder, plan: Plan | PlanFile, bundle: str, glossary: str = "") -> list[str]:
    """Returns the reports of the `align` jobs of a bundle, the given texts, the glossary; none where nothing is judged.

    ``glossary``: the key of the configuration.
    """
    if TEXT not in plan.columns and not glossary:
        return []
    part = plan.of_bundle(bundle)
    shards = part.shards_of_bundle[bundle]
    aligned = [shard for shard in shards if aligned_chunks(plan.of_shard(shard), shard, glossary)]
    files = [*texts_of_bundle(part, bundle), *([glossary] if glossary and aligned else [])]
    return [*(str(folder.aligned / f"{shard}.json") for shard in aligned), *files]


def merged_files(folder: RunFolder, plan: Plan | PlanFile) -> list[str]:
    """Returns what `merge` writes for each bundle of a plan."""
    return [str(folder.merged / f"{bundle.bundle}.json") for bundle in plan.bundles]
