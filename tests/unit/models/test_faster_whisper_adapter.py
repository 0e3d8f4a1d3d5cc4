"""The parts of faster-whisper that it does not promise to keep are those that the adapter was written for."""

from __future__ import annotations

import ast
import inspect
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest

from audiogrid.core.errors import InputError
from audiogrid.models import faster_whisper_adapter as adapter
from places import SCRIPTS


def test_the_installed_version_is_one_that_was_checked() -> None:
    assert version("faster-whisper") in adapter.KNOWN_VERSIONS


def test_no_other_module_imports_faster_whisper() -> None:
    found = set()
    for path in SCRIPTS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] == "faster_whisper" for name in names):
                found.add(path.name)
    assert found == {Path(adapter.__file__).name}


def test_private_functions_take_the_arguments_that_are_passed() -> None:
    from faster_whisper import WhisperModel
    from faster_whisper.tokenizer import Tokenizer
    from faster_whisper.transcribe import get_suppressed_tokens, merge_punctuations

    assert list(inspect.signature(get_suppressed_tokens).parameters) == ["tokenizer", "suppress_tokens"]
    assert list(inspect.signature(merge_punctuations).parameters) == ["alignment", "prepended", "appended"]
    assert list(inspect.signature(WhisperModel.find_alignment).parameters)[:5] == [
        "self",
        "tokenizer",
        "text_tokens",
        "encoder_output",
        "num_frames",
    ]
    assert list(inspect.signature(Tokenizer).parameters) == ["tokenizer", "multilingual", "task", "language"]


def test_minus_one_stands_for_the_symbols_that_are_no_speech() -> None:
    tokenizer = SimpleNamespace(
        non_speech_tokens=(7, 8), transcribe=1, translate=2, sot=3, sot_prev=4, sot_lm=5, no_speech=6
    )
    assert set(adapter.suppressed_tokens(tokenizer, [-1])) >= {7, 8}
    assert 7 not in adapter.suppressed_tokens(tokenizer, [99])


def test_punctuation_joins_its_word() -> None:
    words = [{"word": text, "tokens": [number]} for number, text in enumerate([" Yes", ",", ' "', "no", "."])]
    adapter.merge_punctuation(words)
    assert [word["word"] for word in words if word["word"]] == [" Yes,", ' "no.']


def test_a_voice_model_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert adapter.voice_model_path().is_file()
    monkeypatch.setattr(adapter, "_VOICE_MODEL", Path("assets/none.onnx"))
    with pytest.raises(InputError, match=r"none\.onnx is missing"):
        adapter.voice_model_path()
