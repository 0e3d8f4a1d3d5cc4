"""Settles the model and the decoding options of each recording from the configuration, before planning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from audiogrid.config.routes import Route
from audiogrid.config.sampling import is_rolled_out
from audiogrid.core.json_values import from_json
from audiogrid.decoding.revisions import complete_options
from audiogrid.models.registry import model_hash
from audiogrid.planning.apply_routes import RoutedRecordings, apply_routes
from audiogrid.records.identified_languages import Identified
from audiogrid.records.plan import Recording, Settings

# Parts of the wanted settings that apply to single recordings; they are not settings of the plan.
_ABOUT_RECORDINGS = ("rollout", "routes")


def make_settings(wanted: Mapping[str, Any], model_dirs: Sequence[Path]) -> Settings:
    """Returns the settings of a plan. ``wanted``: from the configuration; ``model_dirs``: the run's own model first."""
    rest = {key: value for key, value in wanted.items() if key not in ("options", *_ABOUT_RECORDINGS)}
    return Settings(
        model=model_dirs[0].name,
        models={model_dir.name: model_hash(model_dir) for model_dir in model_dirs},
        options=complete_options(wanted["options"]),
        **rest,
    )


def apply_rollout(recordings: Sequence[Recording], settings: Settings, wanted: Mapping[str, Any]) -> list[Recording]:
    """Returns the recordings with the model and options of the rollout, where they take part in one."""
    return _roll_out(recordings, settings, wanted["rollout"]) if wanted.get("rollout") else list(recordings)


def settle_recordings(
    recordings: Sequence[Recording],
    settings: Settings,
    wanted: Mapping[str, Any],
    identified: Mapping[str, Identified],
    known: Mapping[str, frozenset[str]],
) -> RoutedRecordings:
    """Applies the rollout, then the routes of ``wanted``; routes also apply to recordings of the rollout.

    ``identified`` and ``known``: see ``apply_routes``.
    """
    return apply_routes(
        apply_rollout(recordings, settings, wanted),
        from_json(list[Route], wanted.get("routes", [])),
        identified,
        settings,
        known,
        {recording.recording: recording.options for recording in recordings},
    )


def _roll_out(recordings: Sequence[Recording], settings: Settings, rollout: Mapping[str, Any]) -> list[Recording]:
    """Gives a share of the recordings a variant: ``variant``, ``share``, its ``model`` (folder) and ``options``.

    Options from a table row win, as they would if the variant were promoted.
    """
    run, variant = (complete_options(options) for options in (settings.options, rollout["options"]))
    changed = {key: value for key, value in variant.items() if value != run[key]}
    model = "" if rollout["model"] == settings.model else rollout["model"]
    return [
        replace(recording, model=model, options={**changed, **recording.options}, variant=rollout["variant"])
        if is_rolled_out(recording.recording, rollout["share"])
        else recording
        for recording in recordings
    ]
