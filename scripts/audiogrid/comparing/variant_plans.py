"""Plans of a comparison: what all variants share (recordings, bundles), and the shards of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from audiogrid.comparing.condition_recordings import split_id
from audiogrid.core.errors import InputError
from audiogrid.models.languages import known_languages
from audiogrid.planning.bundles_and_shards import plan_recordings, probed_recordings
from audiogrid.planning.plan_settings import read_settings, route
from audiogrid.records.identified_languages import Identified
from audiogrid.records.plan import Plan, Recording, Settings
from audiogrid.records.run_folder import RunFolder


def _previous(folder: RunFolder) -> Plan | None:
    """The plan of the last time; one that cannot be read is as good as none."""
    try:
        return Plan.read(folder.last_plan)
    except Exception:
        return None


def variant_folder(compare: RunFolder, name: str) -> RunFolder:
    """The folder of a variant; its audio is that of all variants."""
    return RunFolder(compare.root / name, compare.chunks)


def plan_variants(
    recordings: Sequence[Mapping[str, Any]],
    wanted: Mapping[str, Mapping[str, Any]],
    model_dirs: Mapping[str, Sequence[Path]],
    compare: RunFolder,
    identified: Mapping[str, Identified] | None = None,
) -> dict[str, Plan]:
    """The plan of every variant, by name; written into their folders, and what they share into ``compare``.

    ``recordings``: entries as in ``probe.json``. ``wanted``: settings of each variant's plan, the baseline's
    first; ``model_dirs``: its staged models; ``identified``: languages that were found out, by original recording.
    A recording that one variant cannot decode takes part with none; the shared plan's warnings say why. Raises
    ``InputError`` when no recording is left.
    """
    settings = {name: read_settings(each, model_dirs[name]) for name, each in wanted.items()}
    baseline = next(iter(settings))
    listed = probed_recordings({"recordings": recordings}, settings[baseline].chunk_minutes)
    heard = {
        one.recording: identified[split_id(one.recording)[0]]
        for one in listed
        if identified and split_id(one.recording)[0] in identified
    }
    settled: dict[str, dict[str, Recording]] = {}
    refused: dict[str, str] = {}
    for name, each in wanted.items():
        known = {model_dir.name: known_languages(model_dir) for model_dir in model_dirs[name]}
        routed = route(listed, settings[name], each, heard, known)
        settled[name] = {one.recording: one for one in routed.recordings}
        for rejection in routed.refused:
            source = split_id(rejection.recording)[0]
            refused.setdefault(rejection.recording, f"{source}: {name} cannot decode it. {rejection.reason}")
    left = [one for one in listed if one.recording not in refused]
    warnings = list(dict.fromkeys(refused.values()))
    if not left:
        raise InputError(f"nothing is left to compare. {warnings[0] if warnings else 'The sample is empty.'}")
    shared = _shared(left, settings[baseline], compare, warnings)
    plans = {}
    for name in wanted:
        folder = variant_folder(compare, name)
        mine = [settled[name][one.recording] for one in left]
        plans[name] = plan_recordings(mine, settings[name], _previous(folder), bundles=shared.bundles)
        plans[name].write(folder.last_plan)
        plans[name].write(folder.plan)
    return plans


def _shared(recordings: Sequence[Recording], settings: Settings, compare: RunFolder, warnings: list[str]) -> Plan:
    """Bundles for all variants: they do not depend on how anything is decoded.

    Without shards, lest a changed variant look like a new plan.
    """
    plan = plan_recordings(recordings, settings, _previous(compare), warnings=warnings)
    plan = replace(plan, shards=[])
    plan.write(compare.last_plan)
    plan.write(compare.plan)
    return plan
