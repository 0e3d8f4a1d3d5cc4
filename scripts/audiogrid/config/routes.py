"""Routes choose the model and options with which a recording, or one channel of it, is decoded.

A route has conditions (``when``) and what it sets. The first route whose conditions a recording meets applies; a
recording that meets none has the run's model. A route with a ``channel`` looks at single channels, where they are
split: there the first route whose conditions a channel meets applies to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from audiogrid.core.errors import InputError
from audiogrid.core.language_codes import AUTO, check_language
from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.models.languages import is_english_only
from audiogrid.models.registry import Registry, folder_name
from audiogrid.records.plan import Recording

# What a route may set besides its model and its `decoding` section.
_OPTIONS = ("compute_type", "language", "prompt", "hotwords")


@dataclass(frozen=True)
class Route:
    """One route. ``model``: name of a model's folder, empty for the run's; ``options``: decoding options it sets."""

    when: dict[str, Any]
    model: str = ""
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        said = []
        for name, wanted in self.when.items():
            if name == "column":
                said += [f"{column} {_list(values)}" for column, values in wanted.items()]
            else:
                said.append(f"{name.replace('_', ' ')} {_list(wanted)}")
        return ", ".join(said) or "no condition"

    def looks_at_language(self) -> bool:
        """Returns whether the route depends on the language of a recording."""
        return "language" in self.when

    @property
    def channels(self) -> list[int]:
        """Returns the channels that the route is for, counted from 1; empty when it is for whole recordings."""
        return _values(self.when.get("channel", []))

    def fits(self, recording: Recording, language: str | None, track: int | None = None) -> bool:
        """Returns whether a track of a recording in ``language`` (``None``: not known) meets all conditions."""
        return self._fits_facts(recording, track) and (
            not self.looks_at_language() or language in _values(self.when["language"])
        )

    def _fits_facts(self, recording: Recording, track: int | None) -> bool:
        when = self.when
        if self.channels and (track is None or track + 1 not in self.channels):
            return False
        minutes = recording.duration / SAMPLE_RATE / 60
        if not when.get("min_minutes", 0) <= minutes <= when.get("max_minutes", float("inf")):
            return False
        if "channels" in when and recording.channels not in _values(when["channels"]):
            return False
        # Headers are read in lower case; cells are compared without regard to case.
        for column, wanted in when.get("column", {}).items():
            found = _cell(recording, str(column).lower())
            if found.casefold() not in {str(value).strip().casefold() for value in _values(wanted)}:
                return False
        return True

    def needs_language(self, recording: Recording, track: int | None = None) -> bool:
        """Returns whether all conditions but that on the language are met, so that the language must be identified."""
        return self.looks_at_language() and self._fits_facts(recording, track)


def _cell(recording: Recording, column: str) -> str:
    if column in recording.options:
        return str(recording.options[column])
    return recording.recording if column == "recording" else recording.columns.get(column, "")


def _values(given: Any) -> list[Any]:
    return list(given) if isinstance(given, list) else [given]


def _list(given: Any) -> str:
    return " or ".join(str(value) for value in _values(given))


def needs_identification(config: Mapping[str, Any], routes: Sequence[Route]) -> bool:
    """Returns whether languages must be identified before models are chosen."""
    return config["language"] == AUTO and (
        config["identify"]["always"] or any(route.looks_at_language() for route in routes)
    )


def identifying_model(config: Mapping[str, Any], registry: Registry) -> str:
    """Returns the model for identifying languages: as configured, else the run's, or base if that is English-only."""
    given: str = config["identify"]["model"]
    if given != AUTO:
        return given
    return "base" if is_english_only(config["model"], registry) else str(config["model"])


def configured_models(config: Mapping[str, Any]) -> list[str]:
    """Returns the models that a configuration names, the run's first."""
    return [config["model"], *(route["model"] for route in config["routes"] if route.get("model"))]


def parse_routes(config: Mapping[str, Any], registry: Registry) -> list[Route]:
    """Returns the routes of a valid configuration.

    Raises ``InputError`` for unknown models, and for English-only models that should decode another language.
    """
    if wrong := list(model_mistakes(config, registry)):
        raise InputError("\n  ".join([f"{len(wrong)} mistake(s) in the configuration:", *wrong]))
    routes = []
    for given in config["routes"]:
        options = {**given.get("decoding", {}), **{name: given[name] for name in _OPTIONS if name in given}}
        model = folder_name(given["model"], registry) if given.get("model") else ""
        routes.append(Route(dict(given.get("when") or {}), model, options))
    return routes


def route_mistakes(routes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yields mistakes in the ``routes`` section that the schema cannot find: key, value and fix."""
    for number, route in enumerate(routes, 1):
        when = route.get("when") or {}
        given = [("when.language", code) for code in _values(when.get("language", []))]
        given += [("language", route["language"])] if "language" in route else []
        for key, code in given:
            wrong = check_language(code) if isinstance(code, str) else None
            if code == AUTO and key != "language":
                wrong = f"{code!r} is not a condition; name one or more languages, or leave the condition out"
            if wrong:
                yield f"routes.{number}.{key}: {wrong}"
        low, high = when.get("min_minutes"), when.get("max_minutes")
        if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
            yield f"routes.{number}.when: min_minutes {low} is above max_minutes {high}: nothing can match, swap them"
        channels = [value for value in _values(when.get("channel", [])) if isinstance(value, int)]
        counts = [value for value in _values(when.get("channels", [])) if isinstance(value, int)]
        if channels and counts and min(channels) > max(counts):
            yield (
                f"routes.{number}.when: no recording with {max(counts)} channel(s) has a channel {min(channels)}: "
                "nothing can match, correct one of the two"
            )
        if not set(route) - {"when"}:
            yield f"routes.{number}: it sets nothing; give it a model, or options such as language or decoding"


def model_mistakes(config: Mapping[str, Any], registry: Registry) -> Iterator[str]:
    """Yields a sentence for every English-only model to which the configuration gives another language."""
    run_model, run_language = config["model"], config["language"]
    if is_english_only(run_model, registry) and run_language not in ("en", AUTO):
        yield _only_english("model", run_model, run_language)
    for number, route in enumerate(config["routes"], 1):
        model = route.get("model", run_model)
        when = _values((route.get("when") or {}).get("language", []))
        wanted = [route["language"]] if route.get("language", AUTO) != AUTO else when
        others = [code for code in wanted if code != "en"]
        if others and is_english_only(model, registry):
            yield _only_english(f"routes.{number}.model", model, _list(others))


def _only_english(key: str, model: str, languages: str) -> str:
    sentence = f"{key}: {model!r} knows English only, but is to decode {languages}; choose a multilingual model"
    return f"{sentence} such as {model.removesuffix('.en')!r}" if model.endswith(".en") else sentence


def routed_tracks(recording: Recording, routes: Sequence[Route]) -> list[int | None]:
    """Returns the tracks that routes choose for: ``[None]`` (all of it), or each where a route names channels."""
    return recording.tracks if any(route.channels for route in routes) else [None]


def unknown_languages(recordings: Iterable[Recording], routes: Sequence[Route], *, always: bool) -> list[Recording]:
    """Returns the recordings without a given language on whose language a route depends (``always``: all of them)."""

    def depends(recording: Recording, track: int | None) -> bool:
        for route in routes:
            if route.needs_language(recording, track):
                return True
            if route.fits(recording, None, track):
                return False
        return False

    return [
        recording
        for recording in recordings
        if recording.language is None
        and (always or any(depends(recording, track) for track in routed_tracks(recording, routes)))
    ]
