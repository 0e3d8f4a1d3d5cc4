"""What `audiogrid init` lays out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from audiogrid.config.resolve import resolve
from audiogrid.core.errors import InputError
from audiogrid.orchestration.new_project import lay_out
from audiogrid.orchestration.project import is_project, start_options


def test_a_project_has_what_it_needs(tmp_path: Path) -> None:
    folder = tmp_path / "my talks"
    made, kept = lay_out(folder)
    assert {"Snakefile", "config/config.yaml", "profiles/local/config.yaml", "profiles/slurm/config.yaml"} <= set(made)
    assert kept == []
    config = resolve(yaml.safe_load((folder / "config" / "config.yaml").read_text()))
    assert (config["run"], config["recordings"]) == ("my_talks", "recordings")
    assert (folder / "recordings").is_dir()
    assert is_project(folder)
    assert start_options("slurm", folder) == ["--profile", "profiles/slurm"]
    snakefile = (folder / "Snakefile").read_text()
    # No path of the installation: it may move, or be another one on another machine.
    assert "site-packages" not in snakefile and str(Path.home()) not in snakefile


def test_files_of_a_project_name_nothing_that_only_a_clone_has(tmp_path: Path) -> None:
    made, _ = lay_out(tmp_path)
    for name in made:
        text = (tmp_path / name).read_text()
        for part in text.split("\n\n"):
            if re.search(r"\bclone\b|repository", part):
                continue
            assert not re.search(r"`make |\.venv|\bscripts/", part), f"{name}: {part}"
            for place in re.findall(r"\b(?:docs|config|profiles|tests|samples|workflow)/[\w./-]*\w", part):
                # The head of the configuration says where pages and examples are.
                is_explained = name == "config/config.yaml" and place.startswith(("docs/", "config/examples/"))
                assert is_explained or (tmp_path / place).exists(), f"{name}: {place}"
    config = (tmp_path / "config" / "config.yaml").read_text()
    assert config.startswith("# The configuration of this project") and "make docs" not in config
    assert "are in audiogrid's repository" in config


@pytest.mark.parametrize("name", ["2024", "no", "1e3"])
def test_the_run_has_the_name_of_the_folder_as_a_string(tmp_path: Path, name: str) -> None:
    lay_out(tmp_path / name)
    assert yaml.safe_load((tmp_path / name / "config" / "config.yaml").read_text())["run"] == name


def test_what_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.yaml").write_text("run: mine\n")
    made, kept = lay_out(tmp_path)
    assert kept == ["config/config.yaml"] and "Snakefile" in made
    assert (tmp_path / "config" / "config.yaml").read_text() == "run: mine\n"
    assert lay_out(tmp_path)[0] == []


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    with pytest.raises(InputError, match="cannot be filled"):
        lay_out(tmp_path / "x")
