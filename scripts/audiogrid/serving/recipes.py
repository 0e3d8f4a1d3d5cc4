"""Recipes: with which models and options the recordings of a request are transcribed.

A recipe is the configuration of the service, with the model and the task that a request names. The routes of the
configuration decide where a request names none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from audiogrid.config.run_settings import RunSettings
from audiogrid.core.errors import InputError
from audiogrid.decoding.revisions import REVISION
from audiogrid.models.registry import Registry, named_folders

#: What clients write to let the configuration decide; OpenAI's clients have the second one built in.
AUTO_NAMES = ("auto", "whisper-1")
TASKS = ("transcribe", "translate")


@dataclass(frozen=True)
class Recipe:
    """Settings for a run of one recording, as the stages take them.

    ``plan`` and ``merge``: JSON of ``RunSettings``; ``model_dirs``: the run's model first; ``identifying``: the model
    that identifies languages and its settings, where a route depends on them.
    """

    model: str
    task: str
    configuration: Mapping[str, Any]
    plan: str
    merge: str
    model_dirs: tuple[str, ...]
    identifying: tuple[str, int, float] | None

    @property
    def identity(self) -> str:
        """Returns a name; recordings with equal ones may share a run."""
        return f"{self.model} {self.task}"


class Recipes:
    """Makes recipes. ``allowed``: models that requests may name."""

    def __init__(self, configuration: Mapping[str, Any], registry: Registry, models_dir: Path) -> None:
        self._configuration = configuration
        self._registry = registry
        self._models_dir = models_dir
        self._made: dict[tuple[str, str], Recipe] = {}
        given: Sequence[str] = configuration["service"]["models"]
        self.allowed = list(dict.fromkeys([*given] or self._settings.models.values()))

    @cached_property
    def _settings(self) -> RunSettings:
        return RunSettings(self._configuration, self._registry)

    @property
    def all_models(self) -> dict[str, str]:
        """Folder name -> model of everything that a request may need."""
        identifying = self._settings.identifying_model if self._settings.identifies else {}
        return {**self._settings.models, **identifying, **named_folders(self.allowed, self._registry)}

    def of(self, model: str, task: str = "transcribe") -> Recipe:
        """Returns the recipe for a model's name and a task. Raises ``InputError`` for a model that is not offered."""
        name = "auto" if not model or model in AUTO_NAMES else model
        if name != "auto" and name not in self.allowed:
            raise InputError(f"model {name!r} is not offered here: use auto, {', '.join(self.allowed)}")
        if (name, task) not in self._made:
            self._made[name, task] = self._make(name, task)
        return self._made[name, task]

    def _make(self, name: str, task: str) -> Recipe:
        changed = dict(self._configuration)
        if name != "auto":
            changed |= {"model": name, "routes": []}
        if task != "transcribe":
            changed["decoding"] = {**changed["decoding"], "task": task}
        run = RunSettings(changed, self._registry)
        identifying = None
        if run.identifies:
            (folder,) = run.identifying_model
            told = run.settings["identify"]
            identifying = (str(self._models_dir / folder), told["windows"], told["multilingual_share"])
        merge = json.loads(run.merge_settings())
        # Everything else is made from this one, when it is asked for.
        merge["formats"] = list(dict.fromkeys([*merge["formats"], "json"]))
        merge["chunk_texts"] = False
        merge["search"] = False
        merge.pop("pack", None)
        return Recipe(
            model=name,
            task=task,
            configuration=changed,
            plan=run.plan_settings(REVISION, on_cluster=False),
            merge=json.dumps(merge, sort_keys=True),
            model_dirs=tuple(str(self._models_dir / folder) for folder in run.models),
            identifying=identifying,
        )
