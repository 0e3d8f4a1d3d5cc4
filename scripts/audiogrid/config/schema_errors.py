"""Turns violations of the configuration's schema into sentences that name key, value and fix."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

#: A value longer than this is shortened in a message.
_LONGEST = 120
_TYPES = {"object": "a section of keys and values", "array": "a list", "string": "text", "boolean": "true or false"}
_TYPES |= {"integer": "a whole number", "number": "a number", "null": "nothing"}
_PLURALS = {"object": "sections of keys and values", "string": "texts", "integer": "whole numbers", "number": "numbers"}


def validator(schema: Mapping[str, Any]) -> Any:
    """Returns a validator of the schema for which infinity and not-a-number are no numbers."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    def is_number(checker: Any, value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return isinstance(value, int) or math.isfinite(value)

    types = Draft202012Validator.TYPE_CHECKER.redefine("number", is_number)
    return extend(Draft202012Validator, type_checker=types)(schema)


def shown(value: Any) -> str:
    """Returns a value as a message quotes it, shortened when it is long."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        # Python refuses to write integers of more than 4,300 digits.
        return "this value"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 4]} ..."


# How patterns of names of folders begin.
_NAME = "^[A-Za-z0-9_]"


def _names(kinds: Any) -> list[str]:
    return [kinds] if isinstance(kinds, str) else list(kinds or [])


def _type_names(rule: Mapping[str, Any]) -> str:
    """The types that a rule allows; of a list, also those of its entries."""
    items = rule.get("items", {})
    entries = items.get("x-names") or " or ".join(_PLURALS.get(name, name) for name in _names(items.get("type")))
    a_list = f"{_TYPES['array']} of {entries}" if entries else _TYPES["array"]
    return " or ".join(a_list if name == "array" else _TYPES.get(name, name) for name in _names(rule.get("type")))


def _as_list(rule: Mapping[str, Any], value: Any) -> str:
    """How a single value is written as a list, where the rule wants one and the value fits into it."""
    is_entry = isinstance(value, str | int | float) and not isinstance(value, bool)
    if rule.get("type") != "array" or not is_entry or not validator(rule["items"]).is_valid(value):
        return ""
    return f", for example [{shown(value)}]"


def _allowed(rule: Mapping[str, Any]) -> str:
    if "const" in rule:
        return shown(rule["const"])
    return _choices(rule["enum"]) if "enum" in rule else _type_names(rule)


def _choices(values: Iterable[Any]) -> str:
    """Values as they are written in YAML: ``true``, not ``True``."""
    return ", ".join(str(value).lower() if isinstance(value, bool) else str(value) for value in values)


def sentences(error: Any) -> Iterator[str]:
    """Yields a sentence for a violation that ``jsonschema`` found; one per key where keys are unknown."""
    # Number the entries of lists from 1 in the message.
    path = [part + 1 if isinstance(part, int) else part for part in error.absolute_path]
    key = ".".join(str(part) for part in path if isinstance(part, str) or path[0] == "routes")
    value, rule, limit = shown(error.instance), error.validator, error.validator_value
    if rule == "additionalProperties":
        known = list(error.schema["properties"])
        for name in error.instance:
            if name in known:
                continue
            near = difflib.get_close_matches(str(name), known, 1)
            advice = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
            where = f" in {key!r}" if key else ""
            yield f"unknown key {shown(name)}{where}: {advice}"
    elif rule == "enum":
        near = difflib.get_close_matches(str(value).strip("'"), map(str, limit), 1)
        advice = f"did you mean {near[0]!r}? " if near else ""
        yield f"{key}: {value} is not known; {advice}choose one of {_choices(limit)}"
    elif rule in ("minimum", "maximum"):
        bound = "at least" if rule == "minimum" else "at most"
        yield f"{key}: {value} is out of range; it must be {bound} {limit}"
    elif rule == "exclusiveMinimum":
        yield f"{key}: {value} is out of range; it must be more than {limit}, or left out"
    elif rule == "type":
        wanted = _type_names(error.schema) + _as_list(error.schema, error.instance)
        yield f"{key}: {value} has the wrong type; it must be {wanted}"
    elif rule == "pattern" and not limit.startswith(_NAME):
        about = error.schema.get("description", "")
        yield f"{key}: {value} is not written as it must be{': ' + about if about else f' (pattern {limit})'}"
    elif rule == "pattern":
        yield f"{key}: {value} cannot be used as a folder name; use letters, digits, '_', '-' and '.' only"
    elif rule in ("minLength", "minItems", "minProperties") or (rule == "oneOf" and error.instance in ("", [])):
        yield f"{key}: it is empty; give a value or leave the key out"
    elif rule == "maxLength":
        yield f"{key}: {value} is too long; it may have {limit} characters"
    elif rule == "uniqueItems":
        yield f"{key}: {value} names something twice; name each once"
    elif rule == "oneOf":
        kinds = " or ".join(dict.fromkeys(map(_allowed, limit)))
        yield f"{key}: {value} does not fit; it must be {kinds} (within bounds)"
    else:
        yield f"{key}: {value}: {shown(error.message)}"
