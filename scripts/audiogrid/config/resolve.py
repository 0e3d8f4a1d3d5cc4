"""Resolves the configuration: fills in defaults and reports every mistake with its key, value and fix."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from audiogrid.core.errors import InputError
from audiogrid.core.language_codes import check_language, normalise_language
from audiogrid.export.formats import FORMATS

SCHEMA_PATH = Path(__file__).parent / "config.schema.yaml"


@cache
def load_schema(path: Path = SCHEMA_PATH) -> dict[str, Any]:
    """Returns the JSON schema of the configuration.

    The names of formats are those of ``FORMATS``: the schema marks with ``x-names`` where they go.
    """
    schema: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    schema["properties"]["formats"]["items"]["enum"] = list(FORMATS)
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


def _normalised(config: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the configuration with spellings of a command line converted: ``formats=srt,vtt``, ``run=2024``."""
    value = {key: given for key, given in config.items() if given is not None}
    if isinstance(value.get("formats"), str):
        value["formats"] = [name for name in value["formats"].replace(",", " ").split() if name]
    if isinstance(value.get("conditions"), str):
        value["conditions"] = [text.strip() for text in value["conditions"].split(",") if text.strip()]
    if isinstance(value.get("variants"), Mapping):
        value["variants"] = {str(name): _variant(changes, schema) for name, changes in value["variants"].items()}
    if "language" in value:
        value["language"] = _with_language_codes(value["language"], "language")
    if isinstance(value.get("routes"), list):
        value["routes"] = [_with_language_codes(route) for route in value["routes"]]
    for key, given in value.items():
        rule = schema["properties"].get(key, {})
        if "properties" in rule and isinstance(given, Mapping):
            value[key] = {name: _typed(inner, rule["properties"].get(name, {})) for name, inner in given.items()}
        elif rule.get("type") in ("boolean", "array"):
            value[key] = _typed(given, rule)
        elif (rule.get("type") == "string" or key == "recordings") and type(given) in (int, float):
            value[key] = str(given)
    return value


def _variant(changes: Any, schema: Mapping[str, Any]) -> Any:
    """Returns the changes of a variant, normalised. An empty variant is allowed."""
    if not isinstance(changes, Mapping):
        return {} if changes is None else changes
    known = {key: changes[key] for key in changes if changes[key] is not None}
    rules = {key: schema["properties"][key] for key in known if key in schema["properties"]}
    return _normalised(known, {"properties": rules})


def _with_language_codes(value: Any, key: str = "") -> Any:
    """Returns a value with Whisper's code in place of every ``language`` as people write it, at any depth."""
    if isinstance(value, Mapping):
        return {name: _with_language_codes(inner, str(name)) for name, inner in value.items()}
    if key != "language":
        return [_with_language_codes(inner) for inner in value] if isinstance(value, list) else value
    if isinstance(value, list):
        return [_with_language_codes(inner, key) for inner in value]
    # YAML 1.1 reads the language code of Norwegian as "false".
    return "no" if value is False else normalise_language(value) if isinstance(value, str) else value


def _typed(given: Any, rule: Mapping[str, Any]) -> Any:
    """Returns a value parsed by its schema.

    Snakemake leaves ``--config mpi='{tasks: 4}'`` a string and makes ``accept_revisions=[0]`` a list of strings.
    """
    if isinstance(given, list) and rule.get("items", {}).get("type") in ("integer", "number"):
        return [_typed(item, rule["items"]) for item in given]
    if not isinstance(given, str) or rule.get("type") == "string":
        return given
    try:
        return yaml.safe_load(given)
    except yaml.YAMLError:
        return given


def _sentences(error: Any) -> Iterator[str]:
    # Number the routes from 1 in the message.
    path = [part + 1 if isinstance(part, int) else part for part in error.absolute_path]
    key = ".".join(str(part) for part in path if isinstance(part, str) or path[0] == "routes")
    shown = repr(error.instance)
    if error.validator == "additionalProperties":
        known = list(error.schema["properties"])
        for name in error.instance:
            if name in known:
                continue
            near = difflib.get_close_matches(str(name), known, 1)
            advice = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
            where = f" in {key!r}" if key else ""
            yield f"unknown key {name!r}{where}: {advice}"
    elif error.validator == "enum":
        near = difflib.get_close_matches(str(error.instance), map(str, error.validator_value), 1)
        advice = f"did you mean {near[0]!r}? " if near else ""
        yield f"{key}: {shown} is not known; {advice}choose one of {', '.join(map(str, error.validator_value))}"
    elif error.validator in ("minimum", "maximum"):
        bound = "at least" if error.validator == "minimum" else "at most"
        yield f"{key}: {shown} is out of range; it must be {bound} {error.validator_value}"
    elif error.validator == "type":
        yield f"{key}: {shown} has the wrong type; it must be of type {error.validator_value}"
    elif error.validator == "pattern":
        yield f"{key}: {shown} cannot be used as a folder name; use letters, digits, '_', '-' and '.' only"
    elif error.validator in ("minLength", "minItems") or (error.validator == "oneOf" and error.instance in ("", [])):
        yield f"{key}: it is empty; give a value or leave the key out"
    elif error.validator == "oneOf":
        kinds = [rule.get("type", rule.get("const")) for rule in error.validator_value]
        yield f"{key}: {shown} does not fit; it must be one of: {', '.join(map(str, kinds))} (within bounds)"
    else:
        yield f"{key}: {shown}: {error.message}"


def resolve(config: Mapping[str, Any], source: str = "the configuration") -> dict[str, Any]:
    """Returns a complete, valid configuration.

    ``source``: what the message calls it. Raises ``InputError`` that lists every mistake: key, value and fix.
    """
    from jsonschema import Draft202012Validator

    from audiogrid.config import variants
    from audiogrid.config.routes import route_mistakes

    schema = load_schema()
    value = with_defaults(_normalised(config, schema), schema)
    mistakes = [
        sentence
        for error in sorted(Draft202012Validator(schema).iter_errors(value), key=lambda error: list(error.path))
        for sentence in _sentences(error)
    ]
    if isinstance(value["language"], str):
        wrong = check_language(value["language"])
        if wrong:
            mistakes.append(f"language: {wrong}")
    if isinstance(value["routes"], list) and all(isinstance(route, Mapping) for route in value["routes"]):
        mistakes += route_mistakes(value["routes"])
    if not mistakes:
        mistakes = list(variants.variant_mistakes(value))
    if mistakes:
        lines = "\n  ".join(mistakes)
        raise InputError(f"{len(mistakes)} mistake(s) in {source}:\n  {lines}")
    return value
