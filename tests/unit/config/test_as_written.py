"""Strings keep the spelling they were written with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from snakemake.cli import parse_config

from audiogrid.config.as_written import as_written

SPELLINGS = ["007", "010", "2024_01", "1e3", "2024-01-05", "yes", "no", "1.10", "0x1F", "12:30:00", "null1", "x"]


@pytest.mark.parametrize("text", SPELLINGS)
@pytest.mark.parametrize("key", ["run", "model", "hotwords", "recordings", "variant"])
def test_from_a_file_and_from_the_command_line(tmp_path: Path, key: str, text: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"{key}: {text}\n")
    assert as_written(yaml.safe_load(file.read_text()), [file], [])[key] == text
    word = f"{key}={text}"
    assert as_written(parse_config([word]), [], [word])[key] == text


def test_the_command_line_wins_over_files_and_later_files_over_earlier_ones(tmp_path: Path) -> None:
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text("run: 007\nhotwords: 0010\n")
    two.write_text("run: 008\n")
    assert as_written({"run": "008", "hotwords": 8}, [one, two], []) == {"run": "008", "hotwords": "0010"}
    assert as_written({"run": 9}, [one, two], ["run=009"]) == {"run": "009"}


def test_lists_variants_and_sections(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        "recordings: [2024_01, a]\nvariants: {007: {model: 1e3}}\nrollout: {variant: 007}\nchunk_minutes: 05\n"
    )
    got = as_written(yaml.safe_load(file.read_text()), [file], [])
    assert got["recordings"] == ["2024_01", "a"]
    assert got["variants"] == {"007": {"model": "1e3"}}
    assert got["rollout"] == {"variant": "007"}
    assert got["chunk_minutes"] == 5


@pytest.mark.parametrize("config", [{"run": 5}, {"run": None}, {"run": [1]}, {"mpi": 3}, {"unknown": 7}, {}])
def test_what_nobody_wrote_stays(tmp_path: Path, config: dict[str, Any]) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("run: 007\nunknown: 007\n")
    assert as_written(config, [file, tmp_path / "absent"], ["mpi={tasks", "word"]) == config
