"""Resolves the configuration: fills in defaults and reports every mistake with its key, value and fix."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from audiogrid.config.budget import budget_mistakes
from audiogrid.config.schema_errors import sentences, validator
from audiogrid.config.typed_values import typed
from audiogrid.core.errors import InputError
from audiogrid.core.language_codes import check_language
from audiogrid.export.format_options import option_mistakes
from audiogrid.export.formats import DEFAULT_FORMATS, FORMATS
from audiogrid.export.subtitle_presets import PRESETS, with_preset
from audiogrid.media.audio_tracks import parse_tracks

SCHEMA_PATH = Path(__file__).parent / "config.schema.yaml"


@cache
def load_schema(path: Path = SCHEMA_PATH) -> dict[str, Any]:
    """Returns the JSON schema of the configuration.

    Names of formats and presets come from ``FORMATS`` and ``PRESETS``; ``x-names`` in the schema marks where they go.
    """
    # Every command reads it: libyaml takes 7 ms where PyYAML's own parser takes 57.
    loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
    schema: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    schema["properties"]["formats"]["items"]["enum"] = list(FORMATS)
    schema["properties"]["formats"]["default"] = list(DEFAULT_FORMATS)
    schema["properties"]["subtitles"]["properties"]["preset"]["enum"] = list(PRESETS)
    return schema


def with_defaults(value: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Returns ``value`` with the schema's default for every missing key, in the schema's order, at every depth."""
    filled = dict.fromkeys([*schema["properties"], *value])
    for key, rule in schema["properties"].items():
        given = value.get(key, rule.get("default"))
        if "properties" in rule and isinstance(given, Mapping | None):
            given = with_defaults(given or {}, rule)
        filled[key] = given
    for key in value:
        if key not in schema["properties"]:
            filled[key] = value[key]
    return filled


@cache
def _validator() -> Any:
    return validator(load_schema())


def _mistakes(value: Mapping[str, Any]) -> list[str]:
    """Returns all mistakes of a configuration with defaults: first those of the schema, then what it cannot see."""
    from audiogrid.config.routes import route_mistakes
    from audiogrid.config.variants import variant_mistakes

    errors = sorted(_validator().iter_errors(value), key=lambda error: [str(part) for part in error.absolute_path])
    found = [sentence for error in errors for sentence in sentences(error)]
    # Everything below relies on values of the right types.
    broken = {error.absolute_path[0] for error in errors if error.absolute_path}
    if "language" not in broken and (wrong := check_language(value["language"])):
        found.append(f"language: {wrong}")
    if "tracks" not in broken:
        try:
            parse_tracks(value["tracks"])
        except ValueError as error:
            found.append(str(error))
    if "budget" not in broken:
        found += budget_mistakes(value["budget"])
    if "routes" not in broken:
        found += route_mistakes(value["routes"])
    if "format_options" not in broken:
        found += option_mistakes(value["format_options"])
    return found or list(variant_mistakes(value))


def resolve(config: Mapping[str, Any], source: str = "the configuration") -> dict[str, Any]:
    """Returns a complete, valid configuration.

    ``source``: what the message calls it. Raises ``InputError`` that lists every mistake: key, value and fix.
    """
    try:
        json.dumps(config, default=str, skipkeys=True)
    except (ValueError, RecursionError):
        raise InputError(f"{source} contains itself: remove the YAML anchor (&) that it refers to") from None
    schema = load_schema()
    value = with_defaults(typed(config, schema, schema), schema)
    if mistakes := _mistakes(value):
        lines = "\n  ".join(mistakes)
        raise InputError(f"{len(mistakes)} mistake(s) in {source}:\n  {lines}")
    defaults = with_defaults({}, schema["properties"]["subtitles"])
    return {**value, "subtitles": with_preset(value["subtitles"], defaults)}
