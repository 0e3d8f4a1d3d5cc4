"""Where the workflow lies, and how rules find their commands."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from audiogrid.orchestration import installation
from places import ROOT, SCRIPTS


def test_in_a_clone_the_home_is_the_clone() -> None:
    assert installation.workflow_home() == ROOT
    assert installation.scripts_folder() == SCRIPTS


def test_an_installed_package_holds_its_workflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages" / "audiogrid"
    (package / "snakemake" / "workflow").mkdir(parents=True)
    (package / "snakemake" / "workflow" / "Snakefile").touch()
    monkeypatch.setattr(installation.audiogrid, "__file__", str(package / "__init__.py"))
    assert installation.workflow_home() == package / "snakemake"


def test_rules_from_git_take_the_commands_of_the_package(tmp_path: Path) -> None:
    assert installation.home_of("git+file:///repo/workflow/rules@v1") == ROOT
    (tmp_path / "scripts").mkdir()
    assert installation.home_of(str(tmp_path / "workflow" / "rules")) == tmp_path


def test_files_of_the_working_folder_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert installation.project_file("config/models.yaml", ROOT) == ROOT / "config" / "models.yaml"
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "models.yaml").touch()
    assert installation.project_file("config/models.yaml", ROOT) == Path("config/models.yaml")


def test_rules_find_python_and_scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.setenv("AUDIOGRID_SCRIPTS", "/somewhere/else")
    for _ in range(2):
        installation.export_commands(tmp_path, [])
    assert os.environ["AUDIOGRID_SCRIPTS"] == str(tmp_path / "scripts")
    assert os.environ["PATH"] == f"{Path(sys.executable).parent}{os.pathsep}/usr/bin"


@pytest.mark.parametrize(("inside", "expected"), [(True, "scripts"), (False, "/opt/audiogrid/scripts")])
def test_in_a_container_only_the_working_folder_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: bool, expected: str
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.setenv("AUDIOGRID_SCRIPTS", "")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path if inside else tmp_path / "elsewhere")
    installation.export_commands(tmp_path, ["apptainer"])
    assert os.environ["AUDIOGRID_SCRIPTS"] == str(tmp_path / expected)
    assert os.environ["PATH"] == "/usr/bin"


def test_no_path_stands_in_the_text_of_a_rule() -> None:
    """Snakemake tracks shell texts and parameters: with a path in them, a moved clone would run everything again."""
    for file in (ROOT / "workflow" / "rules").glob("*.smk"):
        text = file.read_text()
        for shell in re.findall(r"    shell:\n((?:        .*\n)+)", text):
            assert "scripts/" not in shell, file
            assert re.search(r'python "\$AUDIOGRID_SCRIPTS"/|\{resources.start\} "\$AUDIOGRID_SCRIPTS"/', shell), file
        for params in re.findall(r"    params:\n((?:        .*\n)+)", text):
            assert not re.search(
                r"\bHOME\b|\bSCRIPTS|RULES_FOLDER|basedir|executable|\.cwd\(|resolve\(|absolute\(", params
            )
