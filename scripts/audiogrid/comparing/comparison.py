"""Compares the transcripts of several variants; the results go into the table and the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audiogrid.comparing.condition_recordings import ConditionOutput, source_and_condition
from audiogrid.comparing.decoding_cost import DecodingCost, decoding_costs, decoding_times
from audiogrid.comparing.variant_plans import variant_folder
from audiogrid.config.conditions import ORIGINAL
from audiogrid.core.atomic_files import read_json
from audiogrid.core.errors import InputError
from audiogrid.export.formats import file_name
from audiogrid.export.packs import read_beside_or_packed
from audiogrid.merging.merge_bundle import MergedBundle
from audiogrid.probing.tables import COLUMNS
from audiogrid.records.plan import Plan, Recording
from audiogrid.records.plan_files.reader import read_plan
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.store import Store
from audiogrid.scoring.checked_stretches import checked_stretches, checked_text, cut_to
from audiogrid.scoring.error_rates import GroupFigures, all_groups
from audiogrid.scoring.references import read_reference
from audiogrid.scoring.score_recording import ScoredRecording, score_recording, spoken_language

# Columns that name a recording or its settings do not form groups.
_NAMES = frozenset(COLUMNS)


@dataclass
class Comparison:
    """Results of a comparison. ``variants``: name -> what it changes, the baseline first.

    ``effort``: variant -> condition -> cost of decoding. ``left_out``: why recordings are not compared.
    ``same``: variants with the same model and options as the baseline for every recording.
    """

    run: str
    variants: dict[str, dict[str, Any]]
    models: dict[str, str]
    judged: list[ScoredRecording]
    groups: list[GroupFigures]
    effort: dict[str, dict[str, DecodingCost]]
    left_out: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)


def _documents(
    folders: Mapping[str, RunFolder], merged: Mapping[str, Mapping[str, MergedBundle]], recording: str
) -> dict[str, dict[str, Any]]:
    """Returns the transcripts of a recording by variant, where they exist."""
    found = {}
    for name, folder in folders.items():
        files = merged[name][recording].files.get(recording) if recording in merged[name] else None
        if files:
            found[name] = read_json(folder.root / files["json"]["path"])
    return found


def _merged(folder: RunFolder, plan: Plan) -> dict[str, MergedBundle]:
    """Returns the merge result of each recording's bundle, by recording."""
    return {
        recording: merged
        for bundle in plan.bundles
        for merged in [MergedBundle.read(folder.merged / f"{bundle.bundle}.json")]
        for recording in bundle.recordings
    }


def _reference(recording: Recording, texts: dict[str, str | None], left_out: list[str]) -> str | None:
    """Returns the reference text of a recording; it is read once for all conditions."""
    if recording.reference is None:
        return None
    if recording.reference not in texts:
        try:
            texts[recording.reference] = read_reference(Path(recording.reference))
        except InputError as error:
            left_out.append(f"{source_and_condition(recording.recording)[0]}: measured without a reference, {error}")
            texts[recording.reference] = None
    return texts[recording.reference]


def _checked_parts(
    run: RunFolder, recording: str, documents: dict[str, dict[str, Any]]
) -> tuple[dict[str, dict[str, Any]], str | None]:
    """Returns the stretches that a person has checked in the run's own transcript, and what they say there.

    Without any, or where the run's transcript is of other audio, the documents come back whole.
    """
    try:
        own = read_beside_or_packed(run.transcript(recording, file_name(recording, "json")), run.transcripts)
        stretches = checked_stretches(own)
        audio = {one["provenance"].get("audio") for one in (own, *documents.values())}
    except (OSError, ValueError, KeyError, TypeError):
        return documents, None
    if not stretches or len(audio) != 1 or None in audio:
        return documents, None
    return {name: cut_to(one, stretches) for name, one in documents.items()}, checked_text(own, stretches)


def _problems(merged: Mapping[str, Mapping[str, MergedBundle]]) -> Iterable[str]:
    for name, by_recording in merged.items():
        for one in {id(each): each for each in by_recording.values()}.values():
            for failure in one.failures:
                yield f"{failure.recording} with {name}: {failure.chunk} {failure.cause}".replace("  ", " ")


def _models(plan: Plan) -> dict[str, None]:
    """Returns the names of the models that a plan uses, in the order of the recordings."""
    return dict.fromkeys(model for recording in plan.recordings for model in plan.models_of(recording))


def _same_keys(plan: Plan, other: Plan) -> bool:
    """Whether two plans decode every recording with the same model and options."""
    return all(
        plan.models[plan.model_of(one, track)] == other.models[other.model_of(two, track)]
        and plan.options_for(one, track) == other.options_for(two, track)
        for one, two in zip(plan.recordings, other.recordings, strict=True)
        for track in one.tracks
    )


def compare(
    run: RunFolder, variants: Mapping[str, dict[str, Any]], store: Store, conditions: Sequence[Path] = ()
) -> Comparison:
    """Scores every recording that has a transcript from all variants.

    ``variants``: name -> what it changes, the baseline first; ``conditions``: output files of the conditions.
    """
    shared = run.compare
    folders = {name: variant_folder(shared, name) for name in variants}
    plans = {name: read_plan(folder.plan) for name, folder in folders.items()}
    merged = {name: _merged(folders[name], plans[name]) for name in variants}
    baseline = next(iter(variants))
    left_out = [problem for path in conditions for problem in _condition_problems(path)]
    left_out += [*read_plan(shared.plan).warnings, *_problems(merged)]
    texts: dict[str, str | None] = {}
    judged = []
    for recording in plans[baseline].recordings:
        documents = _documents(folders, merged, recording.recording)
        if len(documents) < len(variants):
            continue
        options = plans[baseline].options_for(recording)
        source, condition = source_and_condition(recording.recording)
        columns = {name: value for name, value in recording.columns.items() if name not in _NAMES}
        language = spoken_language(documents, options)
        reference = _reference(recording, texts, left_out)
        if reference is None and condition == ORIGINAL:
            documents, reference = _checked_parts(run, source, documents)
        judged.append(score_recording(source, condition, columns, documents, language, reference))
    judged.sort(key=lambda one: one.condition != ORIGINAL)
    times = decoding_times([run, *folders.values()])
    return Comparison(
        run=run.root.name,
        variants=dict(variants),
        models={name: ", ".join(_models(plan)) for name, plan in plans.items()},
        judged=judged,
        groups=all_groups(judged, list(variants)),
        effort={
            name: decoding_costs(
                folders[name], plans[name], times, store, lambda one: source_and_condition(one.recording)[1]
            )
            for name in variants
        },
        left_out=list(dict.fromkeys(left_out)),
        same=[name for name in variants if name != baseline and _same_keys(plans[name], plans[baseline])],
    )


def _condition_problems(path: Path) -> Sequence[str]:
    return [f"{recording}: {cause}" for recording, cause in ConditionOutput.read(path).problems.items()]
