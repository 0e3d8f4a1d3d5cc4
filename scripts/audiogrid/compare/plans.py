"""Plans of a comparison: what all variants share (recordings, bundles), and the shards of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from audiogrid.plan import Plan
from audiogrid.planning import plan_recordings, probed_recordings
from audiogrid.progress import RunFolder
from audiogrid.settling import read_settings, settle


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
) -> dict[str, Plan]:
    """The plan of every variant, by name; written into their folders, and what they share into ``compare``.

    ``recordings``: entries as in ``probe.json``. ``wanted``: settings of each variant's plan, the baseline's
    first; ``model_dirs``: its staged models.
    """
    plans: dict[str, Plan] = {}
    shared: Plan | None = None
    for name, settings_of in wanted.items():
        settings = read_settings(settings_of, model_dirs[name])
        listed = probed_recordings({"recordings": recordings}, settings.chunk_minutes)
        if shared is None:
            # Bundles do not depend on how anything is decoded: no shards, lest a changed variant look like a new plan.
            shared = replace(plan_recordings(listed, settings, _previous(compare)), shards=[])
            shared.write(compare.last_plan)
            shared.write(compare.plan)
        folder = variant_folder(compare, name)
        plan = plan_recordings(
            settle(listed, settings, settings_of), settings, _previous(folder), bundles=shared.bundles
        )
        plan.write(folder.last_plan)
        plan.write(folder.plan)
        plans[name] = plan
    return plans
