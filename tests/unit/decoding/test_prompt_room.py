"""How much of hotwords and prompt is read, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from audiogrid.decoding.whisper.prompt_room import fitting, prompt_remarks, remarks_for_model, room_for_prompt
from places import ROOT


def encode(text: str) -> list[int]:
    """A token per character."""
    return [ord(char) for char in text]


def decode(tokens: list[int]) -> str:
    return "".join(map(chr, tokens))


def test_hotwords_keep_their_beginning_and_the_prompt_its_end() -> None:
    assert fitting([1, 2, 3], [7, 8, 9], 5) == ([1, 2, 3], [8, 9])
    assert fitting([1, 2, 3], [7, 8], 3) == ([1, 2, 3], [])
    assert fitting([1, 2, 3, 4], [7], 3) == ([1, 2, 3], [])
    assert fitting([], [7, 8], 3) == ([], [7, 8])
    assert (room_for_prompt(3), room_for_prompt(1)) == (218, 220)


def test_what_fits_is_not_mentioned() -> None:
    assert prompt_remarks(encode, decode, 20, "Hello.", "Aire, Ouse") == []
    assert prompt_remarks(encode, decode, 20, "", "") == []


def test_hotwords_that_do_not_fit_are_counted_and_named() -> None:
    [remark] = prompt_remarks(encode, decode, 14, "", "Aire, Ouse, Tees, Wharfe")
    assert remark.startswith("hotwords: 2 of 4 are used, the model reads 14 tokens")
    assert "not used: Tees, Wharfe;" in remark
    [remark] = prompt_remarks(encode, decode, 9, "", "a b c d e f g h")
    assert "4 of 8 are used" in remark and "not used: e, f, g, h;" in remark
    [remark] = prompt_remarks(encode, decode, 3, "", "、".join("一二三四五六七八"))
    assert "1 of 8 are used" in remark and "not used: 二, 三 ... 七, 八;" in remark


def test_a_prompt_that_is_pushed_out_is_told() -> None:
    [remark] = prompt_remarks(encode, decode, 9, "one two three", "")
    assert remark.startswith("prompt: the last 2 of 3 words are used") and remark.endswith("shorten it")
    [remark] = prompt_remarks(encode, decode, 5, "one two", "Aire")
    assert remark.startswith("prompt: the last 0 of 2 words are used") and "hotwords, which go first" in remark


def test_the_real_tokenizer_and_the_models_own_prompt_agree() -> None:
    folder = ROOT / "models" / "base"
    if not (folder / "tokenizer.json").is_file():
        pytest.skip("the model base is not staged")
    names = ", ".join(f"Brandname{number}" for number in range(1, 401))
    [remark] = remarks_for_model(folder, "", names)
    assert remark.startswith("hotwords: 54 of 400 are used, the model reads 218 tokens")
    assert "Brandname55" in remark and "Brandname400" in remark
    assert remarks_for_model(folder, "A short prompt.", "Aire, Ouse") == ()


def test_a_model_without_a_tokenizer_file_says_nothing(tmp_path: Path) -> None:
    assert remarks_for_model(tmp_path, "", "word " * 1000) == ()
