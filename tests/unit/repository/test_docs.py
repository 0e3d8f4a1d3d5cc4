"""Documents that are made from the code are up to date, and links between documents lead somewhere."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from audiogrid.config.reference import config_file, reference_tables, values_of
from audiogrid.config.resolve import load_schema
from audiogrid.core.errors import InputError
from audiogrid.export.cues import CueOptions
from audiogrid.export.formats import FORMATS
from audiogrid.export.subtitle_presets import NONE, PRESETS
from places import ROOT


@pytest.fixture(scope="module")
def docs() -> ModuleType:
    """The module behind ``make docs``, which is no package."""
    spec = importlib.util.spec_from_file_location("docs_under_test", ROOT / "scripts" / "docs.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_documents_are_as_make_docs_writes_them(docs: ModuleType) -> None:
    made = dict(docs.documents())
    assert ROOT / "config" / "config.yaml" in made
    assert [str(path) for path, text in made.items() if path.read_text(encoding="utf-8") != text] == []
    # Every list that has a source stands in a document.
    texts = "".join(made.values())
    assert [name for name in docs.BLOCKS if f"<!-- {name}:begin -->" not in texts] == []


def test_a_block_is_replaced_and_an_unknown_one_is_an_error(docs: ModuleType) -> None:
    text = "above\n<!-- formats:begin -->\nold\n<!-- formats:end -->\nbelow\n"
    filled = docs.filled(text, "x.md")
    assert filled.startswith("above\n<!-- formats:begin -->\n| format ") and filled.endswith(
        "<!-- formats:end -->\nbelow\n"
    )
    assert "\nold\n" not in filled and docs.filled(filled, "x.md") == filled
    with pytest.raises(InputError, match=r"x\.md: there is no block 'colours'"):
        docs.filled("<!-- colours:begin -->\n<!-- colours:end -->\n", "x.md")


def rules(schema: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key, rule in schema.get("properties", {}).items():
        yield prefix + key, rule
        yield from rules(rule, f"{prefix}{key}.")
        yield from rules(rule.get("items", {}), f"{prefix}{key}[].")


def test_every_key_is_described_has_a_default_and_stands_in_the_reference() -> None:
    schema = load_schema()
    tables = reference_tables(schema)
    for name, rule in rules(schema):
        assert rule.get("description", "").endswith((".", "}}")), (
            f"{name} has no description that ends with a full stop"
        )
        assert f"| `{name}` |" in tables
        if "[]" not in name:
            assert "default" in rule, f"{name} has no default"
        assert values_of(rule) if "$ref" not in rule else True
        unit = re.search(r"_(minutes|seconds)$", name)
        assert not unit or rule.get("x-unit") == unit[1], f"{name} needs x-unit: {unit}"


def test_the_configuration_file_has_every_key_but_those_of_decoding() -> None:
    schema = load_schema()
    lines = [line.strip() for line in config_file(schema).splitlines() if not line.strip().startswith("#")]
    keys = [line.split(":")[0] for line in lines if line]
    names = [name for name, _ in rules(schema) if "[]" not in name and not name.startswith("decoding")]
    assert keys == [name.rsplit(".", 1)[-1] for name in names]


def test_code_and_schema_have_the_same_defaults_of_subtitles_and_formats() -> None:
    properties = load_schema()["properties"]
    defaults = {key: rule["default"] for key, rule in properties["subtitles"]["properties"].items()}
    assert defaults["preset"] == NONE
    assert defaults == asdict(CueOptions())
    assert properties["subtitles"]["properties"]["preset"]["enum"] == list(PRESETS)
    assert properties["formats"]["items"]["enum"] == list(FORMATS)
    assert set(properties["formats"]["default"]) <= set(FORMATS)


def documents() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [ROOT / name for name in listed.split() if (ROOT / name).is_file()]


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    local = [target for target in targets if "://" not in target and not target.startswith("mailto:")]
    assert [target for target in local if not (path.parent / target).exists()] == []
