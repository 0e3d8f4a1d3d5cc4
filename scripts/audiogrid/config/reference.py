"""Renders the schema of the configuration as ``config/config.yaml`` and as the tables of ``docs/configuration.md``.

The schema is the only place where a key is described. Keywords of our own in it: ``x-section`` begins a section with
the key that has it, ``x-unit`` is the unit of a number.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

_WIDTH = 112
_HEAD = """\
# The configuration of a run, written by `make docs` from scripts/audiogrid/config/config.schema.yaml.
# Every key can also be given on the command line (`--config run=x recordings=dir`) or in a file of its own
# (`--configfile config/batches/x.yaml`). A key that is left out has the value written here.
# config/README.md is the manual.
"""
_TAIL = """\

# decoding: how the model is used. The keys and their defaults are listed in docs/configuration.md.
"""


def _value(value: Any) -> str:
    """Returns a default as YAML on one line."""
    if value == "":
        return '""'
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=1000)
    return text.removesuffix("...\n").strip()


def _bounds(rule: Mapping[str, Any]) -> str:
    low, high = rule.get("minimum"), rule.get("maximum")
    if low is not None and high is not None:
        return f" from {low} to {high}"
    return f" from {low}" if low is not None else f" up to {high}" if high is not None else ""


def values_of(rule: Mapping[str, Any]) -> str:
    """Returns in words which values a rule of the schema allows."""
    if "enum" in rule:
        return "one of " + ", ".join(f"`{_value(one)}`" for one in rule["enum"])
    if "const" in rule:
        return f"`{_value(rule['const'])}`"
    if "oneOf" in rule:
        return " or ".join(values_of(one) for one in rule["oneOf"])
    kind = rule.get("type", "any")
    if kind == "array":
        return f"list of: {values_of(rule['items'])}"
    if isinstance(kind, list):
        return " or ".join(kind)
    if kind == "boolean":
        return "`true` or `false`"
    unit = f" {rule['x-unit']}" if "x-unit" in rule else ""
    return ("section" if kind == "object" else str(kind)) + _bounds(rule) + unit


def _comment(key: str, rule: Mapping[str, Any], indent: str) -> str:
    text = str(rule["description"])
    if "x-unit" in rule and not key.endswith(f"_{rule['x-unit']}"):
        text += f" In {rule['x-unit']}."
    choices = rule.get("enum") or rule.get("items", {}).get("enum")
    if choices:
        text += (" Any of: " if "items" in rule else " One of: ") + ", ".join(map(_value, choices)) + "."
    prefix = f"{indent}# "
    return textwrap.fill(text, _WIDTH, initial_indent=prefix, subsequent_indent=prefix, break_on_hyphens=False)


def _entries(rules: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    for key, rule in rules.items():
        if "x-section" in rule:
            yield f"\n# ---- {rule['x-section']} ----\n"
        elif not indent:
            yield ""
        yield _comment(key, rule, indent)
        if "properties" in rule:
            yield f"{indent}{key}:"
            yield from _entries(rule["properties"], indent + "  ")
        else:
            yield f"{indent}{key}: {_value(rule['default'])}"


def config_file(schema: Mapping[str, Any]) -> str:
    """Returns ``config/config.yaml``: every key but those of ``decoding``, with its meaning and its default."""
    rules = {key: rule for key, rule in schema["properties"].items() if key != "decoding"}
    return _HEAD + "\n".join(_entries(rules)) + "\n" + _TAIL


def _described(rule: Mapping[str, Any]) -> str:
    text = str(rule["description"]).replace("|", "\\|").replace("<", "&lt;")
    # Addresses relative to docs/.
    text = re.sub(r"\bdocs/([\w-]+)\.md", r"[\1.md](\1.md)", text)
    return re.sub(r"(?<![\w/])((?:config|scripts)/[\w./-]+\.(?:yaml|md)|BENCHMARKS\.md)", r"[\1](../\1)", text)


def _rows(rules: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, rule in rules.items():
        name = f"{prefix}{key}"
        default = f"`{_value(rule['default'])}`" if "default" in rule and "properties" not in rule else ""
        values = f"as `{rule['$ref'].rsplit('/', 1)[1]}`" if "$ref" in rule else values_of(rule)
        yield f"| `{name}` | {default} | {values} | {_described(rule)} |"
        yield from _rows(rule.get("properties", {}), f"{name}.")
        items = rule.get("items", {})
        if "properties" in items:
            yield from _rows(items["properties"], f"{name}[].")


def reference_tables(schema: Mapping[str, Any]) -> str:
    """Returns Markdown: a heading and a table of keys, defaults, values and meanings per section of the schema."""
    lines: list[str] = []
    for key, rule in schema["properties"].items():
        if "x-section" in rule:
            lines += ["", f"## {rule['x-section']}", "", "| key | default | values | meaning |", "|---|---|---|---|"]
        lines += _rows({key: rule})
    return "\n".join(lines[1:]) + "\n"
