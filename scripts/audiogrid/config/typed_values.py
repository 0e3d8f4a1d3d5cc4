"""Converts configuration values to the types of the schema where people, YAML or Snakemake wrote another one.

Snakemake leaves ``--config mpi='{tasks: 4}'`` a string, YAML makes a number of ``run: 2024`` and ``false`` of the
language code ``no``, and people write ``formats=srt,vtt``. What cannot be converted stays as it is, for validation
to report.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

from audiogrid.core.language_codes import normalise_language

# Lists that may be given as text, and what separates their entries there.
_SEPARATORS = {"formats": r"[,\s]", "conditions": ","}


def follow(rule: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns a rule, or the one that its ``$ref`` names."""
    if "$ref" not in rule:
        return rule
    found: Mapping[str, Any] = schema["properties"][rule["$ref"].rsplit("/", 1)[1]]
    return found


def _allows_text(rule: Mapping[str, Any]) -> bool:
    kind = rule.get("type", [])
    return "string" in ([kind] if isinstance(kind, str) else kind) or any(map(_allows_text, rule.get("oneOf", [])))


def _parsed(text: str) -> Any:
    try:
        value = yaml.safe_load(text)
        # Anchors can make a value that contains itself.
        json.dumps(value, default=str, skipkeys=True)
    except (yaml.YAMLError, ValueError, RecursionError):
        # ValueError: a date such as 2024-13-45, an integer of thousands of digits.
        return text
    return value


def typed(value: Any, rule: Mapping[str, Any], schema: Mapping[str, Any], key: str = "") -> Any:
    """Returns a value converted as far as a rule of the schema allows. Sections lose keys without a value.

    Text is never taken for a section: ``when: "language: de"`` is a mistake. ``key``: the name of the value.
    """
    rule = follow(rule, schema)
    if not rule:
        return value
    if isinstance(value, str) and not _allows_text(rule) and "enum" not in rule and rule.get("type") != "object":
        value = _names(value, key) if key in _SEPARATORS and not value.lstrip().startswith("[") else _parsed(value)
    if isinstance(value, Mapping):
        section = next((one for one in (rule, *rule.get("oneOf", [])) if one.get("type") == "object"), None)
        return _section(value, section, schema) if section else value
    if key == "language":
        return _language(value)
    if isinstance(value, list):
        options = [rule, *rule.get("oneOf", [])]
        items: Mapping[str, Any] = next((option["items"] for option in options if "items" in option), {})
        return [typed(item, items, schema) for item in value]
    if _allows_text(rule) and type(value) in (int, float) and not _allows_number(rule):
        return str(value)
    if rule.get("type") == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    if _allows_text(rule) and isinstance(value, datetime.date):
        return value.isoformat()
    return value


def _section(value: Mapping[Any, Any], rule: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[Any, Any]:
    """Returns a section with its values converted. Where people choose the names (variants), an entry may be empty."""
    rules, others = rule.get("properties", {}), rule.get("additionalProperties")
    other = others if isinstance(others, Mapping) else {}
    if "propertyNames" in rule:
        return {str(name): typed({} if inner is None else inner, other, schema) for name, inner in value.items()}
    given = {name: inner for name, inner in value.items() if inner is not None}
    return {name: typed(inner, rules.get(name, other), schema, str(name)) for name, inner in given.items()}


def _names(text: str, key: str) -> list[str]:
    return [name.strip() for name in re.split(_SEPARATORS[key], text) if name.strip()]


def _allows_number(rule: Mapping[str, Any]) -> bool:
    kind = rule.get("type", [])
    return bool({"number", "integer"} & set([kind] if isinstance(kind, str) else kind))


def _language(value: Any) -> Any:
    """Returns Whisper's code for a language, or for each of a list."""
    if isinstance(value, list):
        return [_language(one) for one in value]
    # YAML 1.1 reads the language code of Norwegian as "false".
    return "no" if value is False else normalise_language(value) if isinstance(value, str) else value
