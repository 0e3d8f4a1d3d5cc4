"""A run as its configuration describes it: models, routes, variants, and what each stage is told as a parameter.

The parameters are JSON that Snakemake tracks, so what changes text is in them, and what changes only speed is not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from audiogrid.config.routes import (
    Route,
    configured_models,
    identifying_model,
    needs_identification,
    parse_routes,
)
from audiogrid.config.variants import CURRENT, Comparison, Rollout, parse_comparison, parse_rollout, with_variant
from audiogrid.core.errors import AudiogridError, InputError
from audiogrid.core.json_values import to_json
from audiogrid.export.format_options import DEFAULTS
from audiogrid.models.registry import Registry, named_folders
from audiogrid.records.linked_voices import linked_file, read_linked
from audiogrid.records.plan import Plan
from audiogrid.records.plan_files.reader import PlanFile
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.speakers import has_speakers
from audiogrid.records.texts import has_texts
from audiogrid.remote.publishing import publish_settings

#: Keys outside ``decoding`` that shape the text of a recording.
_TEXT_KEYS = ("language", "prompt", "hotwords", "compute_type")
#: Keys that shape transcripts beyond their words.
_MERGE_KEYS = ("formats", "subtitles", "chunk_texts", "search", "allow_gaps")


@dataclass(frozen=True)
class RunSettings:
    """``configuration``: complete and valid, without any variant; ``registry``: the models that it can name."""

    configuration: Mapping[str, Any]
    registry: Registry

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The configuration with the variant that the run follows. Raises ``InputError`` for an unknown variant."""
        return with_variant(self.configuration, self.configuration["variant"])

    def of_variant(self, name: str) -> dict[str, Any]:
        """Returns the configuration as a variant has it; ``current`` is the run's own."""
        return self.settings if name == CURRENT else with_variant(self.configuration, name)

    @cached_property
    def rollout(self) -> Rollout | None:
        """The variant that a share of the recordings follows, if any."""
        return parse_rollout(self.configuration)

    @cached_property
    def comparison(self) -> Comparison:
        """What ``snakemake compare`` compares."""
        return parse_comparison(self.configuration)

    @cached_property
    def routes(self) -> list[Route]:
        """Which recordings have another model or other options."""
        return list(parse_routes(self.settings, self.registry))

    @property
    def identifies(self) -> bool:
        """Whether languages have to be identified before the plan."""
        return needs_identification(self.settings, self.routes)

    @cached_property
    def models(self) -> dict[str, str]:
        """Folder name -> configured model: the run's first, then those of its routes, then that of a rollout."""
        found = named_folders(configured_models(self.settings), self.registry)
        if self.rollout:
            found |= named_folders([self.of_variant(self.rollout.variant)["model"]], self.registry)
        return found

    @cached_property
    def variant_models(self) -> dict[str, dict[str, str]]:
        """Compared variant -> its models and those of the routes. Raises ``InputError`` that names the variant."""
        found = {}
        for name in self.comparison.variants:
            try:
                found[name] = named_folders(configured_models(self.of_variant(name)), self.registry)
            except AudiogridError as error:
                raise InputError(f"variants.{name}.{error}") from None
        return found

    @cached_property
    def identifying_model(self) -> dict[str, str]:
        """Folder name -> configured model, of the one model that identifies languages."""
        return named_folders([identifying_model(self.settings, self.registry)], self.registry)

    @property
    def all_models(self) -> dict[str, str]:
        """All models that may have to be staged: the run's, the identifying one, those that are compared."""
        groups = (self.models, self.identifying_model, *self.variant_models.values())
        return {name: value for models in groups for name, value in models.items()}

    @property
    def ranks(self) -> int:
        """MPI ranks that share the chunks of a shard: its audio is so many times as much."""
        return max(1, int(self.settings["mpi"]["tasks"]))

    def shards_at_least(self, *, on_cluster: bool) -> int:
        """``auto``: one shard is best on one machine, or for one MPI job; a cluster wants several."""
        given = self.settings["shards"]["at_least"]
        if given != "auto":
            return int(given)
        return 8 if on_cluster and self.ranks == 1 else 1

    def plan_settings(self, revision: int, *, on_cluster: bool) -> str:
        """Returns, as JSON, everything besides the recordings that shapes plan and text of the run.

        ``revision``: of the decoding code.
        """
        return json.dumps(
            self._rollout() | self._routes() | self._plan(self.settings, revision, on_cluster), sort_keys=True
        )

    def compare_settings(self, revision: int, *, on_cluster: bool) -> str:
        """Returns, as JSON, the plan settings of every compared variant, the baseline's first."""
        plans = {
            name: self._routes() | self._plan(self.of_variant(name), revision, on_cluster)
            for name in self.comparison.variants
        }
        # Sorted inside, while the variants keep their order.
        return json.dumps({name: json.loads(json.dumps(plan, sort_keys=True)) for name, plan in plans.items()})

    def merge_settings(self, part: str = "", plan: Plan | PlanFile | None = None) -> str:
        """Returns, as JSON, what shapes the transcripts beyond their words. ``part``: of a comparison, if not empty.

        ``plan``: of the run, where there is one; the settings of speakers count if any recording has speakers.
        """
        chosen = {key: self.settings[key] for key in _MERGE_KEYS}
        if self.settings["pack"] and not part:
            chosen["pack"] = True
        options = self._format_options()
        if options != DEFAULTS:
            chosen["format_options"] = options
        if part:
            # What a comparison reads and leads to.
            chosen |= {"formats": ["json"], "chunk_texts": False, "search": False}
        else:
            if plan and has_texts(plan):
                chosen["texts"] = self.settings["word_times"]
            if plan and self.settings["glossary"]:
                chosen["glossary"] = self.settings["glossary"]
        if not part and plan and has_speakers(plan, self.settings["speakers"]):
            chosen["speakers"] = self.settings["speakers"]
            path = linked_file(self.settings["speakers"], RunFolder(Path("results") / self.settings["run"]))
            if path is not None:
                # Names that a person has given to linked voices: transcripts follow when they change.
                chosen["voice_names"] = read_linked(path).names()
        return json.dumps(chosen, sort_keys=True)

    def _format_options(self) -> dict[str, Any]:
        """Returns the options of formats; WebVTT without a date of its own has that of publishing."""
        options: dict[str, Any] = self.settings["format_options"]
        date = publish_settings(self.settings["publish"]).date
        vtt = {**DEFAULTS["vtt"], **options.get("vtt", {})}
        return {**options, "vtt": {**vtt, "date": date}} if date and not vtt["date"] else options

    def compared_variants(self) -> dict[str, Any]:
        """Returns what each compared variant changes, the baseline first."""
        return {name: self.configuration["variants"].get(name, {}) for name in self.comparison.variants}

    def _plan(self, settings: Mapping[str, Any], revision: int, on_cluster: bool) -> dict[str, Any]:
        shards = self.settings["shards"]
        return {
            "revision": revision,
            "options": decoding_options(settings),
            "chunk_minutes": self.settings["chunk_minutes"],
            "bundle_minutes": self.settings["bundle_minutes"],
            "shard_minutes": shards["minutes"] * self.ranks,
            "shards_at_least": self.shards_at_least(on_cluster=on_cluster),
            "chunks_per_shard": shards["chunks_per_shard"],
        }

    def _rollout(self) -> dict[str, Any]:
        if self.rollout is None:
            return {}
        settings = self.of_variant(self.rollout.variant)
        (model,) = named_folders([settings["model"]], self.registry)
        decided = {"variant": self.rollout.variant, "share": self.rollout.share, "model": model}
        return {"rollout": decided | {"options": decoding_options(settings)}}

    def _routes(self) -> dict[str, Any]:
        return {"routes": to_json(self.routes)} if self.routes else {}


def decoding_options(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns everything that shapes the text of a recording, besides its model."""
    return {**settings["decoding"], **{key: settings[key] for key in _TEXT_KEYS}}
