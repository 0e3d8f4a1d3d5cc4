"""Strings of the configuration as they were written: YAML reads ``007`` as 7 and ``2024_01`` as 202401."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from audiogrid.config.resolve import load_schema

_NUMBERS = {"integer", "number", "boolean"}


def as_written(config: Mapping[str, Any], files: Iterable[Path], words: Iterable[str]) -> dict[str, Any]:
    """Returns ``config`` with the original spelling of every value that the schema wants to be a string.

    ``files``: the configuration files that Snakemake has read, in that order; ``words``: the ``key=value`` words of
    ``--config``, which win. A value that neither explains (the configuration of a module may be computed) stays.
    """
    written: dict[str, Any] = {}
    for path in files:
        written = merged_mappings(written, _raw(path))
    for word in words:
        key, equals, text = str(word).partition("=")
        if equals:
            written = merged_mappings(written, {key: _raw_value(text)})
    return {key: _respelt(value, written.get(key), _rule(key)) for key, value in config.items()}


def _rule(key: str) -> Mapping[str, Any]:
    rule: Mapping[str, Any] = load_schema()["properties"].get(key, {})
    if key == "variants":
        return {"additionalProperties": {"properties": load_schema()["properties"]}}
    return rule


def _raw(path: Path) -> dict[str, Any]:
    """Returns a YAML or JSON file with all scalars as strings; nothing if it cannot be read (Snakemake has said so)."""
    try:
        value = yaml.load(path.read_text(), Loader=yaml.BaseLoader)
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return value if isinstance(value, dict) else {}


def _raw_value(text: str) -> Any:
    """Returns a value of ``--config``: a string without the quotes around it, or what a list or mapping holds."""
    text = text.strip()
    if text[:1] in ("[", "{"):
        try:
            return yaml.load(text, Loader=yaml.BaseLoader)
        except yaml.YAMLError:
            return text
    return text.strip("\"'")


def merged_mappings(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """As Snakemake merges configurations: mappings key by key, everything else replaced."""
    merged = dict(below)
    for key, value in above.items():
        before = merged.get(key)
        merged[key] = merged_mappings(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return merged


def _respelt(value: Any, written: Any, rule: Mapping[str, Any]) -> Any:
    """Returns ``value`` with strings from ``written`` where the schema (``rule``) wants strings, at every depth."""
    if isinstance(value, Mapping) and isinstance(written, Mapping):
        rules = rule.get("properties", {})
        other = rule.get("additionalProperties")
        other = other if isinstance(other, Mapping) else {}
        spelling = {reading: key for key in written for reading in _readings(key)}
        return {
            key if isinstance(key, str) else spelling.get(key, key): _respelt(
                inner, written.get(spelling.get(key, key)), rules.get(key, other)
            )
            for key, inner in value.items()
        }
    if isinstance(value, list) and isinstance(written, list):
        if len(value) != len(written):
            return value
        items: Mapping[str, Any] = next((one["items"] for one in _alternatives(rule) if "items" in one), {})
        return [_respelt(inner, raw, items) for inner, raw in zip(value, written, strict=True)]
    is_changed = not isinstance(value, str) and value is not None and isinstance(written, str)
    return written if is_changed and _wants_text(rule) and value in _readings(written) else value


def _alternatives(rule: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [rule, *rule.get("oneOf", []), *rule.get("anyOf", [])]


def _wants_text(rule: Mapping[str, Any]) -> bool:
    kinds: set[str] = set()
    for one in _alternatives(rule):
        given = one.get("type", [])
        kinds |= {given} if isinstance(given, str) else set(given)
    return "string" in kinds and not kinds & _NUMBERS


def _readings(text: str) -> list[Any]:
    """Returns what Snakemake may make of a scalar: a number as Python reads it, or whatever YAML sees in it."""
    found: list[Any] = [text]
    for read in (int, float, yaml.safe_load):
        try:
            found.append(read(text))
        except (ValueError, yaml.YAMLError):
            continue
    return [reading for reading in found if not isinstance(reading, list | dict)]
