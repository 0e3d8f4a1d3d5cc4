"""`audiogrid corrections terms`: corrected names as lines of a glossary."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from audiogrid.cli.corrections import print_terms

AUDIO = 64 * "a"


def test_a_file_that_cannot_be_read_hides_no_terms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "results" / "r"
    (run / "transcripts").mkdir(parents=True)
    (run / "run_config.yaml").write_text("config: {corrections: corrections}\n")
    words = [{"start": 0.0, "end": 1.0, "word": " sorvanick", "probability": 0.5}]
    segments = [{"start": 0.0, "end": 1.0, "text": " sorvanick", "language": "en", "words": words}]
    document = {"recording": "talk", "language": "en", "segments": segments, "provenance": {"audio": AUDIO}}
    for name in ("talk", "walk"):
        (run / "transcripts" / f"{name}.json").write_text(json.dumps({**document, "recording": name}))
    folder = tmp_path / "corrections"
    folder.mkdir()
    passage = {"at": [0.0, 1.0], "was": "Sorvanick", "text": "Zorvanik", "when": "2026-05-01T12:00:00Z"}
    good = {"schema": 1, "recording": "walk", "audio": AUDIO, "passages": [passage]}
    (folder / f"talk.{AUDIO[:12]}.json").write_text("{")
    (folder / f"walk.{AUDIO[:12]}.json").write_text(json.dumps(good))
    monkeypatch.chdir(tmp_path)
    assert print_terms(["r"], None) == 0
    found = capsys.readouterr()
    assert found.out == "term\tsounds\nZorvanik\tSorvanick\n"
    assert f"left out: corrections/talk.{AUDIO[:12]}.json is not JSON" in found.err
