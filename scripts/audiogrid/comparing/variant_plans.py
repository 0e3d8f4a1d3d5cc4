"""Makes the plans of a comparison: recordings and bundles that all variants share, and the shards of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from audiogrid.comparing.condition_recordings import source_and_condition
from audiogrid.core.errors import InputError
from audiogrid.models.languages import known_languages
from audiogrid.planning.bundles_and_shards import plan_recordings, probed_recordings
from audiogrid.planning.plan_settings import make_settings, settle_recordings
from audiogrid.records.identified_languages import Identified
from audiogrid.records.plan import Plan, Recording, Settings
from audiogrid.records.plan_files.reader import read_plan
from audiogrid.records.plan_files.writer import write_plan
from audiogrid.records.run_folder import RunFolder


def _previous(folder: RunFolder) -> Plan | None:
    """Returns the last plan; ``None`` where it cannot be read."""
    try:
        return read_plan(folder.last_plan)
    except Exception:
        return None


def variant_folder(compare: RunFolder, name: str) -> RunFolder:
    """Returns the folder of a variant; all variants share the chunks' audio."""
    return RunFolder(compare.root / name, compare.chunks)


def plan_variants(
    recordings: Sequence[Mapping[str, Any]],
    wanted: Mapping[str, Mapping[str, Any]],
    model_dirs: Mapping[str, Sequence[Path]],
    compare: RunFolder,
    identified: Mapping[str, Identified] | None = None,
) -> dict[str, Plan]:
    """Makes and writes the plan of every variant, and the shared one into ``compare``; returns them by name.

    ``recordings``: entries as in ``probe.json``. ``wanted``: settings of each variant's plan, the baseline's
    first; ``model_dirs``: its staged models; ``identified``: identified languages, by original recording.
    A recording that one variant cannot decode is left out of all; the shared plan's warnings say why. Raises
    ``InputError`` when no recording is left.
    """
    settings = {name: make_settings(each, model_dirs[name]) for name, each in wanted.items()}
    baseline = next(iter(settings))
    listed = probed_recordings({"recordings": recordings}, settings[baseline].chunk_minutes)
    heard = {
        one.recording: identified[source_and_condition(one.recording)[0]]
        for one in listed
        if identified and source_and_condition(one.recording)[0] in identified
    }
    settled: dict[str, dict[str, Recording]] = {}
    refused: dict[str, str] = {}
    for name, each in wanted.items():
        known = {model_dir.name: known_languages(model_dir) for model_dir in model_dirs[name]}
        routed = settle_recordings(listed, settings[name], each, heard, known)
        settled[name] = {one.recording: one for one in routed.recordings}
        for rejection in routed.refused:
            source = source_and_condition(rejection.recording)[0]
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
        write_plan(plans[name], folder.plan, folder.last_plan)
    return plans


def _shared(recordings: Sequence[Recording], settings: Settings, compare: RunFolder, warnings: list[str]) -> Plan:
    """Writes the plan with the bundles of all variants, which do not depend on decoding.

    It has no shards, so that a changed variant does not change this file.
    """
    plan = plan_recordings(recordings, settings, _previous(compare), warnings=warnings)
    plan = replace(plan, shards=[])
    write_plan(plan, compare.plan, compare.last_plan)
    return plan
