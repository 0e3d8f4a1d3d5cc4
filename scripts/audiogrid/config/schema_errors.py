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


def _type_names(kind: Any) -> str:
    return " or ".join(_TYPES.get(name, name) for name in ([kind] if isinstance(kind, str) else kind))


def _allowed(rule: Mapping[str, Any]) -> str:
    if "const" in rule:
        return shown(rule["const"])
    return _choices(rule["enum"]) if "enum" in rule else _type_names(rule.get("type", []))


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
    elif rule == "type":
        yield f"{key}: {value} has the wrong type; it must be {_type_names(limit)}"
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
