"""Which languages a model knows, by its vocabulary."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from audiogrid.core.errors import InputError
from audiogrid.models import languages
from audiogrid.models.languages import known_languages


def test_a_vocabulary_is_read_once_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    original = languages.read_json
    monkeypatch.setattr(languages, "read_json", lambda path: (read.append(path), original(path))[1])
    vocabulary = tmp_path / "vocabulary.json"
    vocabulary.write_text(json.dumps(["a"] * 51_864))
    assert known_languages(tmp_path) == known_languages(tmp_path) == {"en"}
    assert len(read) == 1
    vocabulary.write_text(json.dumps(["a"] * 51_866))
    assert {"yue", "de"} < known_languages(tmp_path)
    vocabulary.unlink()
    with pytest.raises(InputError, match="stage it again"):
        known_languages(tmp_path)
    (tmp_path / "vocabulary.txt").write_text("a\n" * 51_865)
    assert "de" in known_languages(tmp_path) and "yue" not in known_languages(tmp_path)
