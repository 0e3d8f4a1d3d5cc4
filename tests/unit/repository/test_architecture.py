"""What docs/architecture.md says about the library is true."""

from __future__ import annotations

import re
import tomllib
from collections import Counter

from places import ROOT, SCRIPTS

LIBRARY = SCRIPTS / "audiogrid"
PAGE = (ROOT / "docs" / "architecture.md").read_text()


def section(title: str) -> str:
    return PAGE.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def packages() -> set[str]:
    return {path.parent.name for path in LIBRARY.glob("*/__init__.py")}


def test_the_table_of_packages_names_each_one() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", section("The packages"), re.MULTILINE)) == packages()


def test_files_for_typical_changes_exist() -> None:
    named = re.findall(r"`([\w/]+\.(?:py|yaml))`", section("Where does a change go?") + section("The life of a chunk"))
    assert len(named) > 12
    assert [name for name in named if not (LIBRARY / name).is_file()] == []


def test_the_drawing_of_layers_is_the_rule_that_is_checked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (layers,) = [rule["layers"] for rule in project["tool"]["importlinter"]["contracts"] if rule["type"] == "layers"]
    checked = [{name for name in re.findall(r"\w+", layer) if name in packages()} for layer in layers]
    drawn = section("What may import what").split("```")[1].strip().splitlines()
    shown = [{name for name in re.findall(r"\w+", line.split("  ")[0]) if name in packages()} for line in drawn]
    assert [layer for layer in shown if layer] == [layer for layer in checked if layer]


def test_folders_stay_small_enough_to_be_read() -> None:
    folders = Counter(path.parent for path in LIBRARY.rglob("*.py") if path.name != "__init__.py")
    assert folders[LIBRARY] <= 4
    assert {str(folder): count for folder, count in folders.items() if count > 20} == {}


def test_test_modules_have_names_of_their_own() -> None:
    """pytest imports them by their names alone."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []
