"""What the configuration decides for each recording before anything is planned: its model and its options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from audiogrid.config.routes import Route
from audiogrid.config.sampling import is_rolled_out
from audiogrid.decoding.revisions import complete_options
from audiogrid.models.registry import model_hash
from audiogrid.planning.apply_routes import Routed, apply_routes
from audiogrid.records.identified_languages import Identified
from audiogrid.records.plan import Recording, Settings

# Parts of the wanted settings that decide about single recordings; they do not become part of the plan's settings.
_ABOUT_RECORDINGS = ("rollout", "routes")


def read_settings(wanted: Mapping[str, Any], model_dirs: Sequence[Path]) -> Settings:
    """Settings of a plan. ``wanted``: from the configuration; ``model_dirs``: staged models, the run's first."""
    rest = {key: value for key, value in wanted.items() if key not in ("options", *_ABOUT_RECORDINGS)}
    return Settings(
        model=model_dirs[0].name,
        models={model_dir.name: model_hash(model_dir) for model_dir in model_dirs},
        options=complete_options(wanted["options"]),
        **rest,
    )


def settle(recordings: Sequence[Recording], settings: Settings, wanted: Mapping[str, Any]) -> list[Recording]:
    """Recordings with the model and options that they are decoded with."""
    return _roll_out(recordings, settings, wanted["rollout"]) if wanted.get("rollout") else list(recordings)


def route(
    recordings: Sequence[Recording],
    settings: Settings,
    wanted: Mapping[str, Any],
    identified: Mapping[str, Identified],
    known: Mapping[str, frozenset[str]],
) -> Routed:
    """``settle``, then the routes of ``wanted``: they choose for recordings of a rollout, too, as after its promotion.

    ``identified`` and ``known``: see ``apply_routes``.
    """
    return apply_routes(
        settle(recordings, settings, wanted),
        [Route(**item) for item in wanted.get("routes", [])],
        identified,
        settings,
        known,
        {recording.recording: recording.options for recording in recordings},
    )


def _roll_out(recordings: Sequence[Recording], settings: Settings, rollout: Mapping[str, Any]) -> list[Recording]:
    """Let a share of the recordings follow a variant: ``variant``, ``share``, its ``model`` (folder) and ``options``.

    What a table says about a recording stays: so it would be if the variant were promoted.
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
