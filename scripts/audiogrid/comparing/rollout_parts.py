"""Figures of a rollout: the recordings that use its variant, beside all others of the run.

The two parts hold different recordings, so these figures are not paired; those of ``snakemake compare`` are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audiogrid.comparing.decoding_cost import DecodingCost, decoding_costs, decoding_times
from audiogrid.core.errors import InputError
from audiogrid.export.packs import read_transcript
from audiogrid.merging.merge_bundle import MergedBundle
from audiogrid.records.plan import Plan
from audiogrid.records.plan_files.reader import read_plan
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.store import Store
from audiogrid.scoring.bootstrap import Interval, bootstrap_rates
from audiogrid.scoring.references import find_reference, read_reference
from audiogrid.scoring.score_recording import score_recording, spoken_language


@dataclass(frozen=True)
class RolloutPart:
    """Recordings of a run with the same variant. ``variant``: empty for those outside the rollout.

    ``doubtful``: share of words of low confidence; ``flagged``: share of windows that looked suspicious;
    ``rate``: errors per word against the references, where there are any.
    """

    variant: str
    recordings: int
    seconds: float
    doubtful: float
    flagged: float
    rate: Interval | None
    effort: DecodingCost


def rollout_parts(run: RunFolder, store: Store) -> list[RolloutPart]:
    """Returns the parts of a run, those outside the rollout first; empty where no finished recording has a variant."""
    try:
        plan = read_plan(run.plan)
    except (OSError, ValueError, InputError):
        return []
    rows: dict[str, list[tuple[Mapping[str, Any], MergedBundle]]] = {}
    for bundle in plan.bundles:
        try:
            merged = MergedBundle.read(run.merged / f"{bundle.bundle}.json")
        except (OSError, ValueError, KeyError):
            continue
        for row in merged.rows:
            known = plan.recording.get(row["recording"])
            if known is not None:
                rows.setdefault(known.variant, []).append((row, merged))
    if not any(rows):
        return []
    effort = decoding_costs(run, plan, decoding_times([run]), store, lambda one: one.variant)
    return [_part(variant, rows[variant], plan, run, effort.get(variant, DecodingCost())) for variant in sorted(rows)]


def _part(
    variant: str,
    rows: Sequence[tuple[Mapping[str, Any], MergedBundle]],
    plan: Plan,
    run: RunFolder,
    effort: DecodingCost,
) -> RolloutPart:
    facts = [row for row, _ in rows]
    words = sum(row["words"] for row in facts)
    windows = sum(row["windows"] for row in facts)
    return RolloutPart(
        variant=variant,
        recordings=len(facts),
        seconds=sum(row["duration_s"] for row in facts),
        doubtful=sum(row["low_confidence_share"] * row["words"] for row in facts) / words if words else 0.0,
        flagged=sum(row["flagged"] for row in facts) / windows if windows else 0.0,
        rate=_rate(rows, plan, run),
        effort=effort,
    )


def _rate(rows: Sequence[tuple[Mapping[str, Any], MergedBundle]], plan: Plan, run: RunFolder) -> Interval | None:
    """Returns the error rate over the recordings with a reference and a JSON transcript."""
    errors, tokens, unit = [], [], ""
    for row, merged in rows:
        recording = plan.recording[row["recording"]]
        path = find_reference({"reference": recording.reference, "path": recording.path})
        file = merged.files.get(recording.recording, {}).get("json")
        if path is None or file is None:
            continue
        try:
            document, text = read_transcript(run.root, file), read_reference(Path(path))
        except (InputError, OSError, ValueError):
            continue
        language = spoken_language({"": document}, plan.options_for(recording))
        one = score_recording(recording.recording, "", {}, {"": document}, language, text)
        # Words and characters are never added up; the unit of the first recording decides.
        unit = unit or one.unit
        if one.unit != unit:
            continue
        assert one.tokens is not None
        errors.append(one.scores[""].errors)
        tokens.append(one.tokens)
    if not tokens or not sum(block.sum() for block in tokens):
        return None
    return bootstrap_rates(np.concatenate(errors)[None], np.concatenate(tokens)).rate(0)
