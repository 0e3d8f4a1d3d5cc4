"""`audiogrid corrections import`: which folder the corrections go to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from audiogrid.cli.main import call
from audiogrid.core.errors import InputError

AUDIO = 64 * "a"


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that a page has saved, in a project whose two runs have different folders of corrections."""
    for run, folder in (("first", "corrections"), ("second", "elsewhere")):
        (tmp_path / "results" / run / "transcripts").mkdir(parents=True)
        (tmp_path / "results" / run / "run_config.yaml").write_text(f"config: {{corrections: {folder}}}\n")
    passage = {"at": [0.0, 1.0], "was": "Sorvanick", "text": "Zorvanik", "when": "2026-05-01T12:00:00Z"}
    file = tmp_path / "talk.json"
    file.write_text(json.dumps({"schema": 1, "recording": "talk", "audio": AUDIO, "passages": [passage]}))
    monkeypatch.chdir(tmp_path)
    return file


def test_they_go_to_the_folder_of_the_run_that_is_named(saved: Path, tmp_path: Path) -> None:
    assert call(["corrections", "import", str(saved), "--run", "second"]) == 0
    assert [path.parent.name for path in tmp_path.glob("*/talk.aaaaaaaaaaaa.json")] == ["elsewhere"]


def test_without_a_run_a_choice_between_folders_is_asked_for(saved: Path) -> None:
    with pytest.raises(InputError, match="name the run with --run"):
        call(["corrections", "import", str(saved)])
